//! The policy of each event.

use sqlx::PgPool;
use sqlx::Row;
use sqlx::types::Json;
use usher_base::EventId;

use super::audit::{self, About};
use crate::control::Policy;
use crate::policies::Mirrored;

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

/// Writes the policy and the entry of the log in one transaction. Returns what was
/// set before, too.
pub(crate) async fn write(
    pool: &PgPool,
    event: EventId,
    policy: &Policy,
    who: &str,
) -> Result<(Option<Policy>, Mirrored), sqlx::Error> {
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
    let before = before.map(|Json(before)| before);
    let subject = (event, About::Policy);
    let change = (before.as_ref(), policy);
    audit::log(&mut transaction, subject, who, change).await?;
    transaction.commit().await?;
    let written = Mirrored {
        revision: revision.cast_unsigned(),
        policy: policy.clone(),
    };
    Ok((before, written))
}
