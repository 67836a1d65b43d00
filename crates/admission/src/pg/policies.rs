//! The policy of each event, and the log of every change of it.

use sqlx::PgPool;
use sqlx::types::Json;
use usher_base::EventId;

use crate::control::Policy;

pub(crate) async fn read(pool: &PgPool, event: EventId) -> Result<Option<Policy>, sqlx::Error> {
    let policy: Option<Json<Policy>> =
        sqlx::query_scalar("SELECT policy FROM admission_policies WHERE event_id = $1")
            .bind(event.uuid())
            .fetch_optional(pool)
            .await?;
    Ok(policy.map(|Json(policy)| policy))
}

pub(crate) async fn write(
    pool: &PgPool,
    event: EventId,
    policy: &Policy,
    who: &str,
) -> Result<(), sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let before: Option<Json<Policy>> =
        sqlx::query_scalar("SELECT policy FROM admission_policies WHERE event_id = $1 FOR UPDATE")
            .bind(event.uuid())
            .fetch_optional(&mut *transaction)
            .await?;
    sqlx::query(
        "INSERT INTO admission_policies (event_id, policy, changed_by) VALUES ($1, $2, $3)
         ON CONFLICT (event_id) DO UPDATE
         SET policy = excluded.policy, changed_by = excluded.changed_by, changed_at = now()",
    )
    .bind(event.uuid())
    .bind(Json(policy))
    .bind(who)
    .execute(&mut *transaction)
    .await?;
    sqlx::query(
        "INSERT INTO admission_audit (event_id, who, before, after) VALUES ($1, $2, $3, $4)",
    )
    .bind(event.uuid())
    .bind(who)
    .bind(before)
    .bind(Json(policy))
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}
