//! The log of every change of how an event is admitted: who, when, before, after.
//! Each entry is written in the transaction of the change.

use serde::Serialize;
use sqlx::PgConnection;
use sqlx::types::Json;
use usher_base::EventId;

/// What an entry is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum About {
    Policy,
    Constants,
}

impl About {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Constants => "constants",
        }
    }
}

pub(super) async fn log<T: Serialize + Sync>(
    transaction: &mut PgConnection,
    (event, about): (EventId, About),
    who: &str,
    (before, after): (Option<&T>, &T),
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO admission_audit (event_id, about, who, before, after)
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(event.uuid())
    .bind(about.as_str())
    .bind(who)
    .bind(before.map(Json))
    .bind(Json(after))
    .execute(transaction)
    .await?;
    Ok(())
}
