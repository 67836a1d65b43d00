//! Signals on their way from the backend's nodes to the leader: a hash in Redis,
//! one field a node, bounded; each report carries its time.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use usher_base::redis::{CallError, Redis};
use usher_base::{EventId, Timestamp};

use crate::cache::{from_json, to_json};
use crate::control::{NodeBoard, Signals};
use crate::keys;

/// Longer names of nodes are not taken.
pub const MAX_NODE_CHARS: usize = 64;
/// A hash that nobody writes to fades.
const FADES_AFTER_SECONDS: u64 = 60;
/// Nodes in the hash; a node that is gone is taken out by the leader.
const MAX_NODES: usize = 256;
/// A report older than this is of a node that is gone.
const GONE_AFTER_MS: i64 = 60_000;

/// One node's last second.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    pub at: Timestamp,
    #[serde(flatten)]
    pub signals: Signals,
}

impl Report {
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
        redis.command::<i64>(put).await?;
        let mut expire = ::redis::cmd("EXPIRE");
        expire.arg(&key).arg(FADES_AFTER_SECONDS);
        redis.command(expire).await
    }
}

/// Reads all nodes' reports into the board, and drops those of nodes long gone.
pub(crate) async fn read_into(
    board: &mut NodeBoard,
    redis: &Redis,
    event: EventId,
    now: Timestamp,
) -> Result<(), CallError> {
    let key = keys::signals(event);
    let mut read = ::redis::cmd("HGETALL");
    read.arg(&key);
    let reports: HashMap<String, Vec<u8>> = redis.command(read).await?;
    for (node, text) in reports.into_iter().take(MAX_NODES) {
        let report: Option<Report> = from_json(&text);
        match report {
            Some(report) if now.millis() - report.at.millis() <= GONE_AFTER_MS => {
                let at = u64::try_from(report.at.millis()).unwrap_or(0);
                board.put(&node, at, report.signals);
            }
            _ => {
                let mut forget = ::redis::cmd("HDEL");
                forget.arg(&key).arg(node);
                redis.command::<i64>(forget).await?;
            }
        }
    }
    Ok(())
}
