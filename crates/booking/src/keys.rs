//! Every Redis key of the booking core, and no other place spells one. The
//! keys of an event share its hash tag, so that a script stays on one slot.

use usher_base::EventId;
use usher_base::redis::keys::{meta, of_event};

/// Events that are published: hash of event id -> revision of its catalog.
pub const PUBLISHED: &str = "usher:events";

/// What every booking script gets as KEYS, in the order in which
/// `lua/booking/record.lua` names them.
pub fn of_scripts(event: EventId) -> [String; 11] {
    [
        meta(event),
        seats(event),
        of_event(event, "owner"),
        of_event(event, "holds"),
        due(event),
        of_event(event, "perfan"),
        tiers(event),
        committing(event),
        of_event(event, "closed"),
        of_event(event, "sold"),
        trail(event),
    ]
}

/// All that is kept of an event, but for the meta that the fence looks at.
pub fn all_of_event(event: EventId) -> Vec<String> {
    let mut all = of_scripts(event)[1..].to_vec();
    all.extend([catalog(event), layout(event), told(event)]);
    all
}

/// Two bits a seat.
pub fn seats(event: EventId) -> String {
    of_event(event, "seats")
}

/// Standing tiers: `<index>` -> places taken, `<index>:cap` -> capacity.
pub fn tiers(event: EventId) -> String {
    of_event(event, "tiers")
}

/// Hold id -> packed record.
pub fn holds(event: EventId) -> String {
    of_event(event, "holds")
}

/// Holds -> when they end, unless they are being paid for.
pub fn due(event: EventId) -> String {
    of_event(event, "due")
}

/// `<order> <hold>` -> when its commit began.
pub fn committing(event: EventId) -> String {
    of_event(event, "committing")
}

/// The stream of hold events: lossy, never proof.
pub fn trail(event: EventId) -> String {
    of_event(event, "trail")
}

/// The event as the edge shows it.
pub fn catalog(event: EventId) -> String {
    of_event(event, "catalog")
}

/// The event's seats, for ever the same under one version.
pub fn layout(event: EventId) -> String {
    of_event(event, "layout")
}

/// The stream of durable domain events, for whoever follows the event.
pub fn told(event: EventId) -> String {
    of_event(event, "told")
}
