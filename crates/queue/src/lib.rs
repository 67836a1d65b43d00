//! The line: who stands where, exactly and fairly. Joining and returning,
//! positions from bitmaps, presence, release and claim, the draw, queue tokens,
//! waiting times, and bringing it all back after a loss of Redis.
//!
//! `Line` is the one handle on Redis, one method a script. `board` and
//! `presence` turn bitmaps into positions and into who may be released; they are
//! pure, as are `phase` and `draw`. `pg` is only opened by the leader.

mod bitmap;
mod board;
mod boards;
mod changes;
pub mod draw;
mod error;
mod keys;
mod line;
pub mod pg;
mod phase;
mod place;
mod presence;
mod reply;
mod scripts;
mod setup;
mod state;
mod token;
pub mod wait;

pub use bitmap::Bitmap;
pub use board::Board;
pub use boards::{Boards, EventBoard, LaneBoard};
pub use changes::{Changes, Cursor, EndedSessions, Moved, SessionEnd};
pub use error::{ClaimError, FreezeError, JoinError, LeaderError, ReleaseError, TransferError};
pub use line::{
    Departed, EdgeId, Ended, HERE_FADES_AFTER, Identity, JoinOrder, Joined, LaneNews, LeaseToken,
    Line, LineSettings, MAX_FANS_PER_LOOKUP, MAX_LANES, MAX_NUMBERS_PER_RELEASE, Mode, OldPlace,
    ReleaseOrder, Released, ReleasedFan, Room, SWEEP_AT_MOST, Snapshot, Swept, Was,
};
pub use phase::{Ordering, Phase, PhaseRefused, Schedule};
pub use place::{EndReason, Place, Session, SessionId};
pub use presence::{MAX_GRACE_MINUTES, Presence};
pub use scripts::SCRIPTS;
pub use setup::{LaneSetup, Settled, Setup, SetupPatch, SetupRefused};
pub use state::{EventState, IdentityRule, LaneDoor, Totals};
pub use token::{
    AccessClaims, QUEUE_TOKEN_LIFETIME, QueueClaims, TRANSFER_LIFETIME, Tokens, TransferGrant,
};
