//! The draw: how fans who came before the start get their numbers, so that anybody can check it
//! afterwards and the operator cannot steer it. Pure: no Redis, no SQL, no network, no clock.
//!
//! In the order of its use: `rule` (where the entropy will come from) and `commitment` bind the
//! operator before anybody gathers; `statement` signs receipts and the root; `merkle` fixes the list;
//! `drand` and `rule` check the entropy; `order` gives the numbers; `record`, `verify` and `file`
//! publish and recompute it all. Every byte format is spelled in docs/draw.md.

mod announcement;
mod bls;
mod bytes;
mod commitment;
mod drand;
mod file;
mod merkle;
mod order;
mod record;
mod rule;
mod statement;
mod verify;

pub use announcement::{Announcement, SignedRoot};
pub use bytes::Hash;
pub use commitment::{DrawSecret, commitment};
pub use drand::{Beacon, BeaconError, DrandChain, MAX_BEACON_JSON_BYTES, Scheme};
pub use file::{VerifyFileError, verify, verify_file};
pub use merkle::{DuplicateFan, FanList, InclusionProof, MerkleTree};
pub use order::{seed, serving_order};
pub use record::{
    FormatError, MAX_FANS, Place, Record, RecordFormat, RecordHeader, read_record, write_record,
};
pub use rule::{Due, EntropyError, EntropyRule, Evidence, MIN_DELAY_S, RuleError};
pub use statement::{BadSignature, Receipt, RootNotice, Signed, Statement};
pub use verify::{Difference, Summary, Warning, verify_record};
