//! The law's memory, handed from leader to leader: in Redis each second, so that
//! the next one goes on where the last one was, and in Postgres every few
//! seconds, for when Redis forgets.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use usher_base::{EventId, Timestamp};

use super::Leader;
use super::tally::Tally;
use crate::control::Controller;
use crate::pg::checkpoints;
use crate::stock::StockReport;
use crate::{cache, keys};

/// Older memories are not taken up: what the backend could do then says little now.
const MAX_AGE: Duration = Duration::from_secs(600);
/// A new leader begins without Postgres's copy if that takes longer.
const READ_WITHIN: Duration = Duration::from_millis(300);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub at: Timestamp,
    pub law: Controller,
    /// Up to where releases, claims and ends are in the law.
    pub counted: Tally,
    /// What was left to sell when that was last known.
    #[serde(default)]
    pub stock: Option<StockReport>,
}

impl Kept {
    /// What the leader before left, if it is young. Its constants are those of then: who
    /// goes on from it sets the present ones (`Round::follow_settings`).
    pub(super) async fn read(leader: &Leader, event: EventId) -> Option<Self> {
        let usable = |kept: &Self| leader.clock.now().since(kept.at) <= MAX_AGE;
        let in_redis = cache::get::<Self>(&leader.redis, keys::law(event)).await;
        if let Some(kept) = in_redis.ok().flatten().filter(usable) {
            return Some(kept);
        }
        let in_postgres = checkpoints::read(&leader.pool, event);
        let in_postgres = tokio::time::timeout(READ_WITHIN, in_postgres).await;
        in_postgres.ok()?.ok()?.filter(usable)
    }

    pub(super) async fn publish(&self, leader: &Leader, event: EventId) {
        let put = cache::put(&leader.redis, keys::law(event), self, MAX_AGE.as_secs());
        if let Err(error) = put.await {
            tracing::debug!(%error, %event, "the law's memory is not kept this second");
        }
    }
}
