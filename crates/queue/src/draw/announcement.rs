//! What everybody may know of a draw before its record is out: the commitment from the start, the
//! signed root before the entropy, the entropy once it came. Travels through Redis as JSON, so that
//! edges without Postgres can show it.

use serde::{Deserialize, Serialize};

use super::bytes::{Hash, hexed};
use super::rule::{EntropyRule, Evidence};
use super::statement::RootNotice;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    pub rule: EntropyRule,
    #[serde(with = "hexed")]
    pub commitment: Hash,
    pub root: Option<SignedRoot>,
    pub entropy: Option<Evidence>,
    /// No entropy came: numbers follow the order of arrival, and this says so for ever.
    pub opened_as_fifo: bool,
    pub is_finished: bool,
}

/// The notice of the root with the key that signed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedRoot {
    #[serde(flatten)]
    pub notice: RootNotice,
    #[serde(with = "hexed")]
    pub signed_by: [u8; 32],
    #[serde(with = "hexed")]
    pub signature: [u8; 64],
}
