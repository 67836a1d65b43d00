//! Every Redis key of the edge, and no other place spells one.

use usher_base::redis::keys::of_event;
use usher_base::{EventId, FanId};

/// How much of one kind of call a fan has left; it fades by itself.
pub fn allowance(event: EventId, kind: &str, fan: FanId) -> String {
    of_event(event, &format!("allow:{kind}:{fan}"))
}

/// Who joined by a CAPTCHA's token, named by its hash; forgotten when it is too old anyway.
pub fn captcha(event: EventId, token_hash: &str) -> String {
    of_event(event, &format!("captcha:{token_hash}"))
}

/// How much of one kind of call all fans of an event have left together.
pub fn allowance_of_all(event: EventId, kind: &str) -> String {
    of_event(event, &format!("allow:{kind}"))
}
