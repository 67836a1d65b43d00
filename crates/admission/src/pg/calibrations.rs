//! What each event's backend was measured to bear.

use sqlx::PgPool;
use sqlx::types::Json;
use usher_base::EventId;

use crate::calibration::Calibration;

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
