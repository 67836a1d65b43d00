//! The flight recorder's reading side: one fan's way through the line, and why
//! somebody else was let in before them.

use sqlx::Row;
use sqlx::postgres::PgRow;
use usher_base::{EventId, FanId, Lane, Number, Timestamp};

use super::columns::{number, text, time};
use super::{Store, StoreError};
use crate::line::Ended;

/// Releases that one explanation looks back over.
const MAX_RELEASES: i64 = 1_000;

/// What is on record of one fan, each part in order of time.
#[derive(Clone, Debug, Default)]
pub struct Explanation {
    /// Every time the fan was let in; more than once after missed claims.
    pub let_in: Vec<LetIn>,
    /// Releases that went past the fan's number before it was let in. By the rule
    /// of release the fan was absent then, or had just missed a claim.
    pub passed_over: Vec<PassedOver>,
    pub ended: Vec<(Timestamp, Ended)>,
}

#[derive(Clone, Debug)]
pub struct LetIn {
    pub at: Timestamp,
    pub sequence: u64,
    pub lane: Lane,
    pub number: Number,
    /// Who led.
    pub leader: String,
    /// The admission decision: why as many as these.
    pub reason: serde_json::Value,
    /// How many had been let in through this lane before this release.
    pub let_in_before: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedOver {
    pub at: Timestamp,
    pub sequence: u64,
    /// The largest number that was let in.
    pub up_to: Number,
}

impl Store {
    /// What became of the fan. `standing` is their place in line now, if they wait:
    /// it tells what has passed over them so far.
    pub async fn explain(
        &self,
        event: EventId,
        fan: FanId,
        standing: Option<(Lane, Number)>,
    ) -> Result<Explanation, StoreError> {
        let let_in = self.let_in(event, fan).await?;
        let first = let_in.first();
        let place = first.map(|one| (one.lane.clone(), one.number));
        let until = first.map(|one| one.sequence);
        let passed_over = match place.or(standing) {
            Some((lane, number)) => self.passed_over(event, &lane, number, until).await?,
            None => Vec::new(),
        };
        let ended = self.ended_of(event, fan).await?;
        Ok(Explanation {
            let_in,
            passed_over,
            ended,
        })
    }

    async fn let_in(&self, event: EventId, fan: FanId) -> Result<Vec<LetIn>, StoreError> {
        let rows = sqlx::query(
            "SELECT r.at, r.sequence, r.lane, r.leader, r.reason, f.number,
                 (SELECT count(*) FROM releases e JOIN released_fans b USING (event_id, sequence)
                  WHERE e.event_id = r.event_id AND e.lane = r.lane AND e.sequence < r.sequence)
                 AS let_in_before
             FROM released_fans f JOIN releases r USING (event_id, sequence)
             WHERE f.event_id = $1 AND f.fan_id = $2 ORDER BY r.sequence LIMIT $3",
        )
        .bind(event.uuid())
        .bind(&fan.bytes()[..])
        .bind(MAX_RELEASES)
        .fetch_all(&self.pool)
        .await?;
        let read = |row: &PgRow| -> Result<LetIn, StoreError> {
            Ok(LetIn {
                at: time(row, "at")?,
                sequence: row.try_get::<i64, _>("sequence")?.cast_unsigned(),
                lane: text(row, "lane")?,
                number: number(row, "number")?,
                leader: row.try_get("leader")?,
                reason: row.try_get("reason")?,
                let_in_before: row.try_get::<i64, _>("let_in_before")?.cast_unsigned(),
            })
        };
        rows.iter().map(read).collect()
    }

    async fn passed_over(
        &self,
        event: EventId,
        lane: &Lane,
        of: Number,
        until: Option<u64>,
    ) -> Result<Vec<PassedOver>, StoreError> {
        let rows = sqlx::query(
            "SELECT at, sequence, last FROM releases
             WHERE event_id = $1 AND lane = $2 AND last > $3 AND sequence < $4
             ORDER BY sequence LIMIT $5",
        )
        .bind(event.uuid())
        .bind(lane.as_str())
        .bind(i64::from(of.0))
        .bind(until.map_or(i64::MAX, u64::cast_signed))
        .bind(MAX_RELEASES)
        .fetch_all(&self.pool)
        .await?;
        let read = |row: &PgRow| -> Result<PassedOver, StoreError> {
            Ok(PassedOver {
                at: time(row, "at")?,
                sequence: row.try_get::<i64, _>("sequence")?.cast_unsigned(),
                up_to: number(row, "last")?,
            })
        };
        rows.iter().map(read).collect()
    }
}
