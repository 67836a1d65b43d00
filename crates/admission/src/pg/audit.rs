//! The log of every change of how an event is admitted: who, when, before, after.
//! Each entry is written in the transaction of the change.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::PgConnection;
use sqlx::PgPool;
use sqlx::Row;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::types::time::OffsetDateTime;
use usher_base::{EventId, Timestamp};

use crate::change::Change;

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

/// The newest changes first.
pub(crate) async fn changes<T: DeserializeOwned>(
    pool: &PgPool,
    (event, about): (EventId, About),
    at_most: u32,
) -> Result<Vec<Change<T>>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT at, who, before, after FROM admission_audit
         WHERE event_id = $1 AND about = $2 ORDER BY id DESC LIMIT $3",
    )
    .bind(event.uuid())
    .bind(about.as_str())
    .bind(i64::from(at_most))
    .fetch_all(pool)
    .await?;
    rows.iter().map(change).collect()
}

fn change<T: DeserializeOwned>(row: &PgRow) -> Result<Change<T>, sqlx::Error> {
    let at: OffsetDateTime = row.try_get("at")?;
    let before: Option<serde_json::Value> = row.try_get("before")?;
    let after: serde_json::Value = row.try_get("after")?;
    let read = |json| serde_json::from_value(json).map_err(|e| sqlx::Error::Decode(e.into()));
    Ok(Change {
        at: Timestamp::from_datetime(at),
        who: row.try_get("who")?,
        before: before.map(read).transpose()?,
        after: read(after)?,
    })
}
