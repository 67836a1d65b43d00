//! The policy of each event, and the log of every change of it.

use sqlx::PgPool;
use sqlx::Row;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::types::time::OffsetDateTime;
use usher_base::{EventId, Timestamp};

use crate::control::Policy;
use crate::policies::{Mirrored, PolicyChange};

/// The default, with revision 0, when none was set.
pub(crate) async fn read(pool: &PgPool, event: EventId) -> Result<Mirrored, sqlx::Error> {
    let row = sqlx::query("SELECT policy, revision FROM admission_policies WHERE event_id = $1")
        .bind(event.uuid())
        .fetch_optional(pool)
        .await?;
    let Some(row) = row else {
        return Ok(Mirrored {
            revision: 0,
            policy: Policy::default(),
        });
    };
    let Json(policy) = row.try_get("policy")?;
    Ok(Mirrored {
        revision: row.try_get::<i64, _>("revision")?.cast_unsigned(),
        policy,
    })
}

/// Writes the policy and the entry of the log in one transaction.
pub(crate) async fn write(
    pool: &PgPool,
    event: EventId,
    policy: &Policy,
    who: &str,
) -> Result<Mirrored, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let before: Option<Json<Policy>> =
        sqlx::query_scalar("SELECT policy FROM admission_policies WHERE event_id = $1 FOR UPDATE")
            .bind(event.uuid())
            .fetch_optional(&mut *transaction)
            .await?;
    let revision: i64 = sqlx::query_scalar(
        "INSERT INTO admission_policies AS known (event_id, policy, changed_by)
         VALUES ($1, $2, $3)
         ON CONFLICT (event_id) DO UPDATE
         SET policy = excluded.policy, changed_by = excluded.changed_by, changed_at = now(),
             revision = known.revision + 1
         RETURNING revision",
    )
    .bind(event.uuid())
    .bind(Json(policy))
    .bind(who)
    .fetch_one(&mut *transaction)
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
    transaction.commit().await?;
    Ok(Mirrored {
        revision: revision.cast_unsigned(),
        policy: policy.clone(),
    })
}

/// The newest changes first.
pub(crate) async fn changes(
    pool: &PgPool,
    event: EventId,
    at_most: u32,
) -> Result<Vec<PolicyChange>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT at, who, before, after FROM admission_audit
         WHERE event_id = $1 ORDER BY id DESC LIMIT $2",
    )
    .bind(event.uuid())
    .bind(i64::from(at_most))
    .fetch_all(pool)
    .await?;
    rows.iter().map(change).collect()
}

fn change(row: &PgRow) -> Result<PolicyChange, sqlx::Error> {
    let at: OffsetDateTime = row.try_get("at")?;
    let before: Option<Json<Policy>> = row.try_get("before")?;
    let Json(after) = row.try_get("after")?;
    Ok(PolicyChange {
        at: Timestamp::from_datetime(at),
        who: row.try_get("who")?,
        before: before.map(|Json(policy)| policy),
        after,
    })
}
