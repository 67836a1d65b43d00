//! Checkpoints of Redis's memory, every few seconds, and reading the newest back.

use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::types::Json;
use usher_base::{EventId, FanId, Lane, Number, Timestamp};

use super::columns::{number, time};
use super::{Store, StoreError};
use crate::bitmap::Bitmap;
use crate::line::{Inside, LaneMemory, Line};

/// How often the leader makes one.
pub const CHECKPOINT_EVERY: std::time::Duration = std::time::Duration::from_secs(5);

/// Somebody inside, as the checkpoint spells it.
#[derive(Serialize, Deserialize)]
struct Person {
    fan: FanId,
    lane: Lane,
    number: Number,
    until_ms: i64,
    claimed: bool,
}

impl Store {
    /// Reads the event's memory from Redis and keeps it as the newest.
    pub async fn checkpoint(
        &self,
        line: &Line,
        event: EventId,
        lanes: &[Lane],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        for lane in lanes {
            let memory = line.lane_memory(event, lane).await?;
            self.keep_lane(event, lane, &memory, now).await?;
        }
        let people = line.inside(event).await?;
        let people: Vec<Person> = people.into_iter().map(Person::from).collect();
        sqlx::query(
            "INSERT INTO inside_checkpoints (event_id, at, people) VALUES ($1, $2, $3)
             ON CONFLICT (event_id) DO UPDATE SET at = excluded.at, people = excluded.people",
        )
        .bind(event.uuid())
        .bind(now.to_datetime())
        .bind(Json(people))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    async fn keep_lane(
        &self,
        event: EventId,
        lane: &Lane,
        memory: &LaneMemory,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO lane_checkpoints (event_id, lane, at, last_number, alive, spent)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (event_id, lane) DO UPDATE SET at = excluded.at,
                 last_number = excluded.last_number, alive = excluded.alive, spent = excluded.spent",
        )
        .bind(event.uuid())
        .bind(lane.as_str())
        .bind(now.to_datetime())
        .bind(i64::from(memory.last.0))
        .bind(memory.alive.to_bytes())
        .bind(memory.spent.to_bytes())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The newest memory of a lane and when it was taken.
    pub(super) async fn kept_lane(
        &self,
        event: EventId,
        lane: &Lane,
    ) -> Result<Option<(Timestamp, LaneMemory)>, StoreError> {
        let query = "SELECT * FROM lane_checkpoints WHERE event_id = $1 AND lane = $2";
        let row = sqlx::query(query)
            .bind(event.uuid())
            .bind(lane.as_str())
            .fetch_optional(&self.pool)
            .await?;
        let Some(row) = row else {
            return Ok(None);
        };
        let memory = LaneMemory {
            last: number(&row, "last_number")?,
            alive: Bitmap::from_bytes(0, row.try_get("alive")?),
            spent: Bitmap::from_bytes(0, row.try_get("spent")?),
        };
        Ok(Some((time(&row, "at")?, memory)))
    }

    /// Who was inside at the newest checkpoint.
    pub(super) async fn kept_inside(&self, event: EventId) -> Result<Vec<Inside>, StoreError> {
        let query = "SELECT people FROM inside_checkpoints WHERE event_id = $1";
        let people: Option<Json<Vec<Person>>> = sqlx::query_scalar(query)
            .bind(event.uuid())
            .fetch_optional(&self.pool)
            .await?;
        let people = people.map(|Json(people)| people).unwrap_or_default();
        Ok(people.into_iter().map(Inside::from).collect())
    }
}

impl From<Inside> for Person {
    fn from(one: Inside) -> Self {
        Self {
            fan: one.fan,
            lane: one.lane,
            number: one.number,
            until_ms: one.until.millis(),
            claimed: one.has_claimed,
        }
    }
}

impl From<Person> for Inside {
    fn from(one: Person) -> Self {
        Self {
            fan: one.fan,
            lane: one.lane,
            number: one.number,
            until: Timestamp::from_millis(one.until_ms),
            has_claimed: one.claimed,
        }
    }
}
