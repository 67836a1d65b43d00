//! Taking from the outbox what is not published yet. Rows are locked while
//! they are on their way, so that several relays share the work; a row that
//! was sent but not marked is sent again: at least once, with its id.

use std::future::Future;

use sqlx::{PgPool, Postgres, Transaction};
use uuid::Uuid;

use super::store::{StoredEvent, stored};

/// Events that one round publishes.
pub const MAX_A_ROUND: u32 = 500;
/// Published rows that one call removes.
const MAX_PRUNED: i64 = 10_000;

type Row = (
    i64,
    Uuid,
    Option<Uuid>,
    String,
    time::OffsetDateTime,
    bool,
    serde_json::Value,
);

/// Gives up to `MAX_A_ROUND` unpublished events to `send`, in order, and marks
/// those at the front that it says it has sent. Returns how many.
pub async fn publish<F, S>(pool: &PgPool, send: S) -> Result<usize, sqlx::Error>
where
    S: FnOnce(Vec<StoredEvent>) -> F,
    F: Future<Output = usize>,
{
    let mut tx = pool.begin().await?;
    let events = take(&mut tx).await?;
    let ids: Vec<i64> = events.iter().map(|event| event.id).collect();
    let sent = send(events).await.min(ids.len());
    sqlx::query("UPDATE outbox SET published_at = now() WHERE id = ANY($1)")
        .bind(&ids[..sent])
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(sent)
}

async fn take(tx: &mut Transaction<'_, Postgres>) -> Result<Vec<StoredEvent>, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT e.id, e.event_id, e.order_id, e.kind, e.at, e.lossy, e.payload
         FROM outbox o JOIN domain_events e USING (id)
         WHERE o.published_at IS NULL ORDER BY o.id LIMIT $1 FOR UPDATE OF o SKIP LOCKED",
    )
    .bind(i64::from(MAX_A_ROUND))
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(stored).collect())
}

/// Removes some rows that were published an hour ago; the store keeps the event.
pub async fn prune(pool: &PgPool) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox
            WHERE published_at < now() - interval '1 hour' LIMIT $1)",
    )
    .bind(MAX_PRUNED)
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}
