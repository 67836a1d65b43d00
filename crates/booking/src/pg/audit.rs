//! The audit log: every operator's action and every movement of money. Rows
//! are only ever added; the database itself refuses anything else.

use serde::Serialize;
use sqlx::{PgConnection, PgPool};
use usher_base::Timestamp;

use super::columns;

/// Who is written down when nobody but usher itself acted.
pub const SYSTEM: &str = "usher";

#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// A person's or key's name, never a secret.
    pub actor: String,
    /// A verb in the past: `payment_captured`, `event_paused`.
    pub action: &'static str,
    /// What it was done to: an order number, an event id.
    pub subject: String,
    pub details: serde_json::Value,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Logged {
    pub id: i64,
    pub at: Timestamp,
    pub actor: String,
    pub action: String,
    pub subject: String,
    pub details: serde_json::Value,
}

/// Adds entries inside the transaction of what they tell.
pub(super) async fn append(tx: &mut PgConnection, entries: &[Entry]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO audit_log (actor, action, subject, details)
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::jsonb[])",
    )
    .bind(entries.iter().map(|e| e.actor.as_str()).collect::<Vec<_>>())
    .bind(entries.iter().map(|e| e.action).collect::<Vec<_>>())
    .bind(
        entries
            .iter()
            .map(|e| e.subject.as_str())
            .collect::<Vec<_>>(),
    )
    .bind(entries.iter().map(|e| &e.details).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map(drop)
}

/// Adds what an operator did to `subject`, inside the transaction that does it.
pub(super) async fn log(
    tx: &mut PgConnection,
    by: &str,
    action: &'static str,
    subject: impl ToString,
    details: serde_json::Value,
) -> Result<(), sqlx::Error> {
    let entry = Entry {
        actor: by.to_owned(),
        action,
        subject: subject.to_string(),
        details,
    };
    append(tx, &[entry]).await
}

/// Adds one entry on its own.
pub async fn write(pool: &PgPool, entry: Entry) -> Result<(), sqlx::Error> {
    append(&mut *pool.acquire().await?, &[entry]).await
}

/// Who did this to the subject last.
pub async fn last_actor(
    pool: &PgPool,
    subject: &str,
    action: &str,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT actor FROM audit_log WHERE subject = $1 AND action = $2 ORDER BY id DESC LIMIT 1",
    )
    .bind(subject)
    .bind(action)
    .fetch_optional(pool)
    .await
}

/// A page, newest first: entries older than `before`, of one subject if named.
pub async fn page(
    pool: &PgPool,
    subject: Option<&str>,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<Logged>, sqlx::Error> {
    type Row = (
        i64,
        time::OffsetDateTime,
        String,
        String,
        String,
        serde_json::Value,
    );
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, at, actor, action, subject, details FROM audit_log
         WHERE ($1::text IS NULL OR subject = $1) AND ($2::bigint IS NULL OR id < $2)
         ORDER BY id DESC LIMIT $3",
    )
    .bind(subject)
    .bind(before)
    .bind(i64::from(limit))
    .fetch_all(pool)
    .await?;
    let logged = |(id, at, actor, action, subject, details): Row| Logged {
        id,
        at: columns::at(at),
        actor,
        action,
        subject,
        details,
    };
    Ok(rows.into_iter().map(logged).collect())
}
