//! The shapes of the line's answers and frames, as section "HTTP" of
//! ARCHITECTURE.md and /api/openapi.json spell them.

use serde::Serialize;
use usher_base::{FanId, Lane, Number, Timestamp};
use usher_queue::Phase;
use usher_queue::draw::{Receipt, Signed};
use utoipa::ToSchema;

/// Half of the fans wait at most `low` seconds, nine of ten at most `high`, and one
/// of ten less than `soonest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct WaitInterval {
    pub soonest: u64,
    pub low: u64,
    pub high: u64,
}

/// How a fan stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// In line, or gathered before the start
    Waiting,
    /// Released: to be claimed before `claim_by`
    Admitted,
    /// Claimed: the shop is open to this fan
    Inside,
    /// Not in this line
    Absent,
}

/// A fan's place in line.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PlaceAnswer {
    pub standing: Standing,
    #[schema(value_type = String)]
    pub phase: Phase,
    #[schema(value_type = String)]
    pub fan_id: FanId,
    #[schema(value_type = String)]
    pub lane: Lane,
    #[schema(value_type = Option<u32>)]
    pub number: Option<Number>,
    /// Living numbers smaller than this one, fans absent within grace included
    pub ahead: Option<u32>,
    /// Everybody who waits
    pub waiting: u64,
    pub estimated_wait_seconds: Option<WaitInterval>,
    pub rate_per_minute: Option<u64>,
    /// Why the wait became longer than it was said to be: `backend_slowed`,
    /// `people_returned`, `paused`. Or, without a wait, `spoken_for`: what is left
    /// may run out before this fan's turn
    pub reason: Option<&'static str>,
    /// The operator's message to the line
    pub message: Option<String>,
    #[schema(value_type = Option<String>)]
    pub opens_at: Option<Timestamp>,
    #[schema(value_type = Option<String>)]
    pub claim_by: Option<Timestamp>,
    /// When this was true
    #[schema(value_type = String)]
    pub at: Timestamp,
    pub stream_url: String,
    /// When to ask again, for clients without a stream
    pub poll_after_ms: u64,
}

/// The answer to a join: the place, and the token that proves it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct JoinAnswer {
    pub queue_token: String,
    /// While people gather for a draw: statement, kid, signature. Keep it
    #[schema(value_type = Option<Object>)]
    pub receipt: Option<Signed<Receipt>>,
    #[serde(flatten)]
    pub place: PlaceAnswer,
}

/// What the queue stream sends.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Frame<'a> {
    Place {
        phase: Phase,
        number: Option<Number>,
        ahead: Option<u32>,
        waiting: u64,
        estimated_wait_seconds: Option<WaitInterval>,
        rate_per_minute: Option<u64>,
        reason: Option<&'static str>,
        message: Option<&'a str>,
        at: Timestamp,
    },
    Admitted {
        claim_by: Timestamp,
        at: Timestamp,
    },
    Reconnect {
        after_ms: u64,
    },
}

impl Frame<'_> {
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a frame is plain data")
    }
}
