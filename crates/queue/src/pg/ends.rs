//! Sessions that are over, written at once, so that after a loss of Redis nobody
//! is let in twice and no revoked token comes alive.

use sqlx::postgres::PgRow;
use usher_base::{EventId, FanId, Timestamp};

use super::columns::{fan, number, text, time};
use super::{Store, StoreError};
use crate::line::Ended;

impl Store {
    /// Writes ends; one that is known already stays as it was.
    pub async fn write_ended(
        &self,
        event: EventId,
        ended: &[Ended],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        if ended.is_empty() {
            return Ok(());
        }
        let lanes: Vec<&str> = ended.iter().map(|end| end.lane.as_str()).collect();
        let numbers: Vec<i64> = ended.iter().map(|end| end.number.0.into()).collect();
        let fans: Vec<&[u8]> = ended.iter().map(|end| &end.fan.bytes()[..]).collect();
        let reasons: Vec<&str> = ended.iter().map(|end| end.reason.as_str()).collect();
        sqlx::query(
            "INSERT INTO ended_sessions (event_id, at, lane, number, fan_id, reason)
             SELECT $1, $2, * FROM unnest($3::text[], $4::bigint[], $5::bytea[], $6::text[])
             ON CONFLICT DO NOTHING",
        )
        .bind(event.uuid())
        .bind(at.to_datetime())
        .bind(lanes)
        .bind(numbers)
        .bind(fans)
        .bind(reasons)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// What ended since `since`, in order of time.
    pub(super) async fn ended_since(
        &self,
        event: EventId,
        since: Timestamp,
    ) -> Result<Vec<(Timestamp, Ended)>, StoreError> {
        let rows = sqlx::query(
            "SELECT at, lane, number, fan_id, reason FROM ended_sessions
             WHERE event_id = $1 AND at >= $2 ORDER BY at",
        )
        .bind(event.uuid())
        .bind(since.to_datetime())
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|row| ended_row(event, row)).collect()
    }

    /// What ended for this fan, in order of time.
    pub(super) async fn ended_of(
        &self,
        event: EventId,
        fan: FanId,
    ) -> Result<Vec<(Timestamp, Ended)>, StoreError> {
        let rows = sqlx::query(
            "SELECT at, lane, number, fan_id, reason FROM ended_sessions
             WHERE event_id = $1 AND fan_id = $2 ORDER BY at",
        )
        .bind(event.uuid())
        .bind(&fan.bytes()[..])
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|row| ended_row(event, row)).collect()
    }
}

fn ended_row(event: EventId, row: &PgRow) -> Result<(Timestamp, Ended), StoreError> {
    let (lane, reason) = (text(row, "lane")?, text(row, "reason")?);
    let (number, fan) = (number(row, "number")?, fan(row, "fan_id")?);
    let ended = Ended::new(event, fan, number, lane, reason);
    Ok((time(row, "at")?, ended))
}
