//! What each event's backend was measured to bear.

use std::collections::HashMap;

use sqlx::PgPool;
use sqlx::types::Json;
use usher_base::EventId;
use uuid::Uuid;

use crate::calibration::Calibration;

/// More events than that are not led at once.
const MAX_EVENTS: i64 = 10_000;

/// `None` when there is none, or when it was written by another version.
pub(crate) async fn read(
    pool: &PgPool,
    event: EventId,
) -> Result<Option<Calibration>, sqlx::Error> {
    let evidence: Option<serde_json::Value> =
        sqlx::query_scalar("SELECT evidence FROM admission_calibrations WHERE event_id = $1")
            .bind(event.uuid())
            .fetch_optional(pool)
            .await?;
    Ok(evidence.and_then(|evidence| serde_json::from_value(evidence).ok()))
}

/// Requests/s of every event that was measured.
pub(crate) async fn rates(pool: &PgPool) -> Result<HashMap<Uuid, f64>, sqlx::Error> {
    let rows: Vec<(Uuid, f64)> =
        sqlx::query_as("SELECT event_id, requests_per_s FROM admission_calibrations LIMIT $1")
            .bind(MAX_EVENTS)
            .fetch_all(pool)
            .await?;
    Ok(rows.into_iter().collect())
}

pub(crate) async fn write(
    pool: &PgPool,
    event: EventId,
    measured: &Calibration,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO admission_calibrations (event_id, at, requests_per_s, evidence)
         VALUES ($1, $2, $3, $4)
         ON CONFLICT (event_id) DO UPDATE SET at = excluded.at,
             requests_per_s = excluded.requests_per_s, evidence = excluded.evidence",
    )
    .bind(event.uuid())
    .bind(measured.at.to_datetime())
    .bind(measured.requests_per_s)
    .bind(Json(measured))
    .execute(pool)
    .await?;
    Ok(())
}
