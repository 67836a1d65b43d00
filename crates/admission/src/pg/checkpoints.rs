//! The law's memory, from which a new leader goes on after a loss of Redis.

use sqlx::PgPool;
use sqlx::types::Json;
use usher_base::EventId;

use crate::leader::Kept;

/// `None` when there is none, or when it was written by another version.
pub(crate) async fn read(pool: &PgPool, event: EventId) -> Result<Option<Kept>, sqlx::Error> {
    let state: Option<serde_json::Value> =
        sqlx::query_scalar("SELECT state FROM admission_checkpoints WHERE event_id = $1")
            .bind(event.uuid())
            .fetch_optional(pool)
            .await?;
    Ok(state.and_then(|state| serde_json::from_value(state).ok()))
}

pub(crate) async fn write(pool: &PgPool, event: EventId, kept: &Kept) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO admission_checkpoints (event_id, at, state) VALUES ($1, $2, $3)
         ON CONFLICT (event_id) DO UPDATE SET at = excluded.at, state = excluded.state",
    )
    .bind(event.uuid())
    .bind(kept.at.to_datetime())
    .bind(Json(kept))
    .execute(pool)
    .await?;
    Ok(())
}
