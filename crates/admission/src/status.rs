//! What the leader says of an event each second, for operators, edges and
//! whoever asks why.

use serde::{Deserialize, Serialize};
use usher_base::redis::{CallError, Redis};
use usher_base::{EventId, Timestamp};

use crate::control::{Clause, Decision, Mode};
use crate::{cache, keys};

/// After so long without a leader the status is gone rather than wrong.
const FADES_AFTER_SECONDS: u64 = 30;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    pub at: Timestamp,
    pub phase: usher_queue::Phase,
    pub mode: Mode,
    /// Everybody with a place, present or absent within grace.
    pub waiting: u64,
    /// Of them, who is connected.
    pub present: u64,
    /// Released and not yet claimed.
    pub admitted: u64,
    /// In a session.
    pub inside: u64,
    pub released_total: u64,
    pub claimed_total: u64,
    pub orders_total: Option<u64>,
    pub seats_left: Option<u64>,
    /// At which people are let in now, by decision.
    pub rate_per_minute: f64,
    /// Why this rate, in one sentence.
    pub reason: String,
    pub clause: Clause,
    pub message: Option<String>,
    pub flow: Flow,
    /// How true the waits were that fans were told; `None` before the first turn.
    #[serde(default)]
    pub waits: Option<usher_queue::wait::Accuracy>,
    /// Everything the decision was made from; `usher explain` and dashboards read it.
    pub decision: Decision,
    /// The leader's term.
    pub leader: String,
}

/// Releases as they truly happened, for the waiting time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Flow {
    /// People released a second: mean over the last minute.
    pub per_second: f64,
    /// Variance of the releases of a second, over the same minute.
    pub variance: f64,
    /// Seconds that were seen.
    pub seconds: u32,
}

impl Status {
    pub async fn read(redis: &Redis, event: EventId) -> Result<Option<Self>, CallError> {
        cache::get(redis, keys::status(event)).await
    }

    pub(crate) async fn publish(&self, redis: &Redis, event: EventId) -> Result<(), CallError> {
        cache::put(redis, keys::status(event), self, FADES_AFTER_SECONDS).await
    }
}
