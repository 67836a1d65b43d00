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
    Ok(set.and_then(|set| legal(event, set)))
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
    let before = before.and_then(|set| legal(event, set));
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

/// Those that this version knows: a later one, which may run beside it, has more.
pub(super) fn legal(event: EventId, mut set: Value) -> Option<Constants> {
    if let Value::Object(fields) = &mut set {
        fields.retain(|name, _| Constants::has(name));
    }
    let read = serde_json::from_value(set).map_err(|error| error.to_string());
    let checked = read.and_then(|set: Constants| match set.validate() {
        Ok(()) => Ok(set),
        Err(error) => Err(error.to_string()),
    });
    checked
        .inspect_err(
            |error| tracing::warn!(error, %event, "the event's constants are not taken over"),
        )
        .ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn those_of_a_later_version_are_left_out_and_illegal_ones_not_taken_at_all() {
        let event = EventId::from_uuid(uuid::Uuid::nil());
        let known = Constants {
            brake_p99: Some(1.5),
            ..Constants::default()
        };
        let later = json!({ "brake_p99": 1.5, "of_a_later_version": [1] });
        assert_eq!(legal(event, later), Some(known));
        assert_eq!(legal(event, json!({ "brake_p99": 0.1 })), None);
        assert_eq!(legal(event, json!({ "brake_p99": "high" })), None);
    }
}
