//! The line's durable part in Postgres. Opened by the leader and by operators'
//! calls only: fans never wait for it.

mod blocks;
mod checkpoint;
mod columns;
mod drawing;
mod draws;
mod ends;
mod explain;
mod invites;
mod lines;
mod phases;
mod rebuild;
mod releases;
mod setup;

use sqlx::PgPool;
use usher_base::redis::CallError;

use crate::phase::PhaseRefused;
use crate::setup::SetupRefused;

pub use blocks::{BLOCK_NUMBERS, MAX_NUMBER};
pub use checkpoint::CHECKPOINT_EVERY;
pub use drawing::{DrawError, DrawProgress};
pub use draws::{DrawRow, GiveEntropyError};
pub use explain::{Explanation, LetIn, PassedOver};
pub use invites::{Invite, InviteError, InviteId, MAX_CODE_BYTES, MAX_INVITES, NewInvites};
pub use lines::{LaneRow, LineRow, NewLine};
pub use rebuild::{Rebuilt, SETTLE_FOR};
pub use releases::{PlannedRelease, Recorder};

#[derive(Clone)]
pub struct Store {
    pool: PgPool,
}

impl Store {
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the database did not do what was asked: {0}")]
    Database(#[from] sqlx::Error),
    #[error("the database holds something unreadable: {0}")]
    Corrupt(&'static str),
    #[error("there is no line for this event")]
    NoLine,
    #[error("the lane has used up all numbers it can have")]
    NumbersUsedUp,
    #[error("a lane has no commitment for its draw yet; repeat it in a moment")]
    Unbound,
    #[error(
        "an event has at most {MAX_INVITES} codes; take some back, or make codes with more uses"
    )]
    TooManyInvites,
    #[error(transparent)]
    Phase(#[from] PhaseRefused),
    #[error(transparent)]
    Setup(#[from] SetupRefused),
    #[error(transparent)]
    Redis(#[from] CallError),
}

impl StoreError {
    /// Whether the same call may succeed later without anybody's help.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Database(error) => !matches!(error, sqlx::Error::Database(_)),
            Self::Redis(error) => error.is_passing(),
            _ => false,
        }
    }
}
