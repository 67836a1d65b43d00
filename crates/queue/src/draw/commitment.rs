//! What the operator is bound by before anybody gathers: the hash of a secret that nobody else
//! knows, together with the event, the lane and the rule that names the entropy.

use std::fmt;

use usher_base::{EventId, Lane};

use super::bytes::{Fields, Hash, sha256};
use super::rule::EntropyRule;

/// The operator's 32 secret bytes: kept until the draw, published with it.
#[derive(Clone, PartialEq, Eq)]
pub struct DrawSecret(Hash);

impl DrawSecret {
    /// The bytes must come from a cryptographic random generator.
    pub fn from_bytes(bytes: Hash) -> Self {
        Self(bytes)
    }

    /// Only for storing the secret before the draw and publishing it afterwards.
    pub fn reveal(&self) -> &Hash {
        &self.0
    }
}

impl fmt::Debug for DrawSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DrawSecret(not shown)")
    }
}

/// The hash that an event publishes when gathering begins.
pub fn commitment(event: EventId, lane: &Lane, rule: &EntropyRule, secret: &DrawSecret) -> Hash {
    let bytes = Fields::tagged("usher-draw-1")
        .bytes(event.to_string().as_bytes())
        .bytes(lane.as_str().as_bytes())
        .bytes(&rule.canonical())
        .bytes(secret.reveal())
        .finish();
    sha256(&[&bytes])
}
