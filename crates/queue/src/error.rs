//! What the line answers when it does not do what was asked. Expected refusals
//! are variants with a code for the API; the rest is `CallError`.

use usher_base::Lane;
use usher_base::redis::CallError;

use crate::place::EndReason;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    #[error("the line is full at the moment; please try again shortly")]
    Full,
    #[error("the line is not open yet")]
    NotOpen,
    #[error("the line is closed")]
    Closed,
    #[error("this place was moved to another device")]
    Replaced,
    #[error("you already have a place in another lane: {0}")]
    InAnotherLane(Lane),
    #[error(transparent)]
    Call(#[from] CallError),
}

impl JoinError {
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Full => "line_full",
            Self::NotOpen => "line_not_open",
            Self::Closed => "line_closed",
            Self::Replaced => "token_replaced",
            Self::InAnotherLane(_) => "in_another_lane",
            Self::Call(_) => "line_unavailable",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    #[error("it is not your turn yet")]
    NotAdmitted,
    #[error("your turn passed unclaimed; you keep your place and will be called again")]
    Missed,
    #[error("your time inside is over")]
    Ended(EndReason),
    #[error("the event is closed")]
    Closed,
    #[error(transparent)]
    Call(#[from] CallError),
}

impl ClaimError {
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotAdmitted => "not_admitted",
            Self::Missed => "claim_missed",
            Self::Ended(_) => "session_ended",
            Self::Closed => "line_closed",
            Self::Call(_) => "line_unavailable",
        }
    }
}

/// Why nobody was released. All but `Call` leave the line as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseError {
    #[error("another leader holds the lease")]
    NotLeader,
    #[error("a later release was already made")]
    OldSequence,
    #[error("the event is not open")]
    NotOpen,
    #[error("admission is paused")]
    Paused,
    #[error("the line was rebuilt a moment ago and waits for its fans to reconnect")]
    Settling,
    #[error("the snapshot of who is present is too old")]
    StaleSnapshot,
    #[error("the numbers are not ascending or too many")]
    Unordered,
    #[error(transparent)]
    Call(#[from] CallError),
}

/// For the calls whose only refusal is that of Redis or of the lease.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeaderError {
    #[error("another leader holds the lease")]
    NotLeader,
    #[error(transparent)]
    Call(#[from] CallError),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransferError {
    #[error("this place was already moved to another device")]
    Replaced,
    #[error(transparent)]
    Call(#[from] CallError),
}

/// Why the gathering could not be ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FreezeError {
    #[error("lane {lane} gathered {fans} fans, more than the numbers leased for it")]
    BlockTooSmall { lane: Lane, fans: u32 },
    #[error("the line was rebuilt a moment ago and waits for its fans to reconnect")]
    Settling,
    #[error("the event does not gather")]
    NotGathering,
    #[error(transparent)]
    Call(#[from] CallError),
}
