//! Every Redis key of the line, each spelled here and nowhere else. The key of
//! a lane's part ends with the lane; all share the event's hash tag.

use usher_base::redis::keys;
use usher_base::{EventId, Lane};

pub use keys::meta;

macro_rules! of_event {
    ($($(#[$doc:meta])* $name:ident),*) => {
        $($(#[$doc])*
        pub fn $name(event: EventId) -> String {
            keys::of_event(event, stringify!($name))
        })*

        /// What a rebuild forgets of the event as a whole.
        pub fn all_of_event(event: EventId) -> Vec<String> {
            vec![$($name(event)),*]
        }
    };
}

macro_rules! of_lane {
    ($($(#[$doc:meta])* $name:ident),*) => {
        $($(#[$doc])*
        pub fn $name(event: EventId, lane: &Lane) -> String {
            keys::of_event(event, &format!(concat!(stringify!($name), ":{}"), lane))
        })*

        /// What a rebuild forgets of one lane.
        pub fn all_of_lane(event: EventId, lane: &Lane) -> Vec<String> {
            vec![$($name(event, lane)),*]
        }
    };
}

of_lane!(
    /// Sorted set fan -> number: the record of who stands where.
    line,
    /// Bitmap by number: 1 while that number waits.
    alive,
    /// Bitmap by number: 1 once that number left the line.
    spent,
    /// The last number handed out.
    next,
    /// Sorted set fan -> provisional index, for fans who came before a draw.
    gather
);

of_event!(
    /// Sorted set fan -> claim deadline (ms).
    admitted,
    /// Sorted set fan -> end of session (ms).
    active,
    /// Hash fan -> `number:lane` while admitted or active.
    inside,
    /// Sorted set `fan number:lane` -> when it ended (ms). By session and not by
    /// fan alone, because a fan may come again while the old token still lives.
    ended,
    /// Hash fan -> `reason number:lane` of the last session that ended.
    fate,
    /// Hash fan -> claims missed so far.
    missed,
    /// Hash fan -> generation of the place, for places that moved to another device.
    gens,
    /// Sorted set `fan generation` -> when the place moved (ms), told to the edges.
    moved,
    /// The lease: the token of who may release.
    leader,
    /// The stored result of the last release.
    released,
    /// Sorted set edge -> when it last said whom it has connected.
    edges
);

/// Bitmap by number: whom this edge has connected.
pub fn here(event: EventId, edge: &str, lane: &Lane) -> String {
    keys::of_event(event, &format!("here:{edge}:{lane}"))
}
