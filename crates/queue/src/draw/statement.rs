//! What the operator signs during a draw, so that a fan holds proof: a receipt for gathering (a fan
//! with a receipt who is not in the list has proof of fraud) and the notice of the root (a record
//! with another root or time has its own operator's signature against it). Keys live elsewhere.

use ring::signature::UnparsedPublicKey;
use serde::{Deserialize, Serialize};
use usher_base::{EventId, FanId, Lane, Timestamp};

use super::bytes::{Fields, Hash, hexed};

/// Something with one byte form that can be signed.
pub trait Statement {
    /// The bytes under the signature; they begin with a tag of their own kind.
    fn canonical(&self) -> Vec<u8>;
}

/// "This fan gathered for this draw." It carries the commitment, so that an operator who commits
/// anew while fans gather has signed for both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    pub event: EventId,
    pub lane: Lane,
    pub fan: FanId,
    /// Where the fan came in the order of arrival. It says nothing about the number to be drawn.
    pub provisional_index: u64,
    #[serde(with = "hexed")]
    pub commitment: Hash,
    pub received_at: Timestamp,
}

impl Statement for Receipt {
    fn canonical(&self) -> Vec<u8> {
        Fields::tagged("usher-draw-receipt-1")
            .bytes(self.event.to_string().as_bytes())
            .bytes(self.lane.as_str().as_bytes())
            .bytes(self.fan.bytes())
            .number(self.provisional_index)
            .bytes(&self.commitment)
            .time(self.received_at)
            .finish()
    }
}

/// "The list is final, and this is its root." Published before the entropy exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootNotice {
    pub event: EventId,
    pub lane: Lane,
    #[serde(with = "hexed")]
    pub commitment: Hash,
    pub fans: u32,
    #[serde(with = "hexed")]
    pub root: Hash,
    pub root_published_at: Timestamp,
}

impl Statement for RootNotice {
    fn canonical(&self) -> Vec<u8> {
        Fields::tagged("usher-draw-root-1")
            .bytes(self.event.to_string().as_bytes())
            .bytes(self.lane.as_str().as_bytes())
            .bytes(&self.commitment)
            .number(u64::from(self.fans))
            .bytes(&self.root)
            .time(self.root_published_at)
            .finish()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not belong to this text and key")]
pub struct BadSignature;

/// A statement with its Ed25519 signature and the id of the key, as a fan keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed<S> {
    pub statement: S,
    pub kid: String,
    #[serde(with = "hexed")]
    pub signature: [u8; 64],
}

impl<S: Statement> Signed<S> {
    /// Signs with whatever key the caller holds; `sign` also names it.
    pub fn new<'k>(statement: S, sign: impl FnOnce(&[u8]) -> (&'k str, [u8; 64])) -> Self {
        let (kid, signature) = sign(&statement.canonical());
        Self {
            statement,
            kid: kid.to_owned(),
            signature,
        }
    }

    /// Checks the signature with the key that `kid` names.
    pub fn verify<K: AsRef<[u8]>>(&self, key: &UnparsedPublicKey<K>) -> Result<(), BadSignature> {
        let bytes = self.statement.canonical();
        key.verify(&bytes, &self.signature)
            .map_err(|_| BadSignature)
    }
}
