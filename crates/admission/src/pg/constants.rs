//! The law's constants that were set for each event.

use serde_json::Value;
use sqlx::PgPool;
use sqlx::types::Json;
use usher_base::EventId;

use super::audit::{self, About};
use crate::control::Constants;

/// `None` when there are none, or when they are not legal in this version.
pub(crate) async fn read(pool: &PgPool, event: EventId) -> Result<Option<Constants>, sqlx::Error> {
    let set = sqlx::query_scalar("SELECT constants FROM admission_constants WHERE event_id = $1")
        .bind(event.uuid())
        .fetch_optional(pool)
        .await?;
    Ok(set.and_then(legal))
}

/// Writes the constants and the entry of the log in one transaction. Returns what
/// was set before.
pub(crate) async fn write(
    pool: &PgPool,
    event: EventId,
    constants: &Constants,
    who: &str,
) -> Result<Option<Constants>, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let before = sqlx::query_scalar(
        "SELECT constants FROM admission_constants WHERE event_id = $1 FOR UPDATE",
    )
    .bind(event.uuid())
    .fetch_optional(&mut *transaction)
    .await?;
    let before = before.and_then(legal);
    sqlx::query(
        "INSERT INTO admission_constants (event_id, constants, changed_by) VALUES ($1, $2, $3)
         ON CONFLICT (event_id) DO UPDATE
         SET constants = excluded.constants, changed_by = excluded.changed_by,
             changed_at = now()",
    )
    .bind(event.uuid())
    .bind(Json(constants))
    .bind(who)
    .execute(&mut *transaction)
    .await?;
    let subject = (event, About::Constants);
    let change = (before.as_ref(), constants);
    audit::log(&mut transaction, subject, who, change).await?;
    transaction.commit().await?;
    Ok(before)
}

pub(super) fn legal(json: Value) -> Option<Constants> {
    let constants: Constants = serde_json::from_value(json).ok()?;
    constants.validate().is_ok().then_some(constants)
}
