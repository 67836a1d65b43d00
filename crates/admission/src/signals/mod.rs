//! Signals on their way from the backend to the leader: a hash in Redis, one field
//! a node, bounded. Nodes come from usher's own booking (`recorder`), from any other
//! backend (`push`) or a Prometheus that watches it; the leader reads all (`sources`).

mod prometheus;
mod push;
mod recorder;
mod sources;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use usher_base::redis::{CallError, Redis};
use usher_base::{EventId, Timestamp};

use crate::cache::to_json;
use crate::control::Signals;
use crate::keys;

pub use prometheus::{
    AnswerError, PROMETHEUS_NODE, PrometheusQueries, PrometheusSources, QueryError, number, report,
};
pub use push::{MAX_NODE_CHARS, PushError, PushedSignals};
pub use recorder::{Outcome, Probes, Recorders, SignalRecorder};
pub(crate) use sources::{Incoming, Sources};

/// How often a node reports: twice a second, each time of the last second.
pub const REPORT_EVERY: std::time::Duration = std::time::Duration::from_millis(500);
/// A hash that nobody writes to fades.
const FADES_AFTER_SECONDS: u64 = 60;

/// One node's last second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// By the node's clock: it only tells one report from the next.
    pub at: Timestamp,
    #[serde(flatten)]
    pub signals: Signals,
    /// First holds of sessions since the node began, by whole seconds since the
    /// session began. Totals, so that a report that nobody read loses nothing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub first_holds: BTreeMap<u32, u64>,
}

impl Report {
    pub fn new(at: Timestamp, signals: Signals) -> Self {
        Self {
            at,
            signals,
            first_holds: BTreeMap::new(),
        }
    }

    /// Replaces the node's last report.
    pub async fn publish(
        &self,
        redis: &Redis,
        event: EventId,
        node: &str,
    ) -> Result<(), CallError> {
        let key = keys::signals(event);
        let mut put = ::redis::cmd("HSET");
        put.arg(&key).arg(node).arg(to_json(self));
        let mut expire = ::redis::cmd("EXPIRE");
        expire.arg(&key).arg(FADES_AFTER_SECONDS);
        let (put, expire) = tokio::join!(redis.command::<i64>(put), redis.command::<i64>(expire));
        put.and(expire).map(drop)
    }
}
