//! The keys that several crates touch. All keys of an event share the hash tag
//! `{event}`, so that a script's keys lie on one cluster slot; every other key
//! of an event is spelled in the `keys.rs` of the crate that owns it.

use crate::EventId;

/// The epoch in force, for roles without Postgres.
pub const EPOCH: &str = "usher:epoch";

/// `{event}:<name>`.
pub fn of_event(event: EventId, name: &str) -> String {
    format!("{{{event}}}:{name}")
}

/// What is true of the event as a whole: epoch, state, phase, mode.
/// KEYS[1] of every script, because the fence looks there.
pub fn meta(event: EventId) -> String {
    of_event(event, "meta")
}

/// The channel of hints (see `hints`).
pub const HINTS: &str = "usher:hints";
