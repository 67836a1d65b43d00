//! Admission's Redis keys. All are copies that somebody writes anew within
//! seconds, so none of them stands behind the fence.

use usher_base::EventId;
use usher_base::redis::keys::of_event;

/// JSON: the operator's policy, as Postgres has it.
pub fn policy(event: EventId) -> String {
    of_event(event, "policy")
}

/// JSON: the law's memory, from which the next leader goes on.
pub fn law(event: EventId) -> String {
    of_event(event, "law")
}

/// JSON: what the leader says of the event, each second.
pub fn status(event: EventId) -> String {
    of_event(event, "status")
}

/// JSON: what is left to sell, as a booking node says each second.
pub fn stock(event: EventId) -> String {
    of_event(event, "stock")
}

/// All that is kept of an event.
pub fn all_of_event(event: EventId) -> Vec<String> {
    [policy, law, status, stock, signals, decisions]
        .map(|key| key(event))
        .to_vec()
}

/// Hash node -> JSON: each backend node's last second.
pub fn signals(event: EventId) -> String {
    of_event(event, "signals")
}

/// Stream: the law's decisions, newest last, bounded.
pub fn decisions(event: EventId) -> String {
    of_event(event, "decisions")
}
