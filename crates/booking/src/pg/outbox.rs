//! The outbox: what happened and is not published yet. One relay at a time
//! takes from its front, so that what it publishes is in order; a row goes in
//! the transaction that also queues it for webhooks and folds it into views. A relay that dies before
//! leaves its rows to the next one: at least once, told apart by their id.

use std::future::Future;

use sqlx::{PgPool, Postgres, Transaction};
use usher_base::OrderId;

use super::store::{self, StoredEvent};
use super::{deliveries, views, words};

/// Events that one round publishes.
pub const MAX_A_ROUND: u32 = 500;
/// Names the advisory lock of the relay at work, among those of this database.
const RELAY_LOCK: i64 = 0x7573_6865_725f_6f62;

/// Gives up to `MAX_A_ROUND` unpublished events to `send`, in order, and takes
/// those at the front that it says it has sent off the outbox. Returns how
/// many; none while another relay is at work.
pub async fn publish<F, S>(pool: &PgPool, send: S) -> Result<usize, sqlx::Error>
where
    S: FnOnce(Vec<StoredEvent>) -> F,
    F: Future<Output = usize>,
{
    let mut tx = pool.begin().await?;
    if !begin(&mut tx).await? {
        return Ok(0);
    }
    let ids: Vec<i64> = sqlx::query_scalar("SELECT id FROM outbox ORDER BY id LIMIT $1")
        .bind(i64::from(MAX_A_ROUND))
        .fetch_all(&mut *tx)
        .await?;
    if ids.is_empty() {
        return Ok(0);
    }
    let events = store::of(&mut tx, &ids).await?;
    let begun: Vec<Option<OrderId>> = events.iter().map(words::begun).collect();
    let sent = send(events).await.min(ids.len());
    deliveries::enqueue(&mut tx, &ids[..sent]).await?;
    views::fold(&mut tx, &ids[..sent]).await?;
    words::enter(&mut tx, begun.iter().take(sent).flatten()).await?;
    sqlx::query("DELETE FROM outbox WHERE id = ANY($1)")
        .bind(&ids[..sent])
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(sent)
}

/// Whether this is the relay at work. It finds rows by their ids only: a planner
/// without statistics would rather read the whole store for five hundred.
async fn begin(tx: &mut Transaction<'_, Postgres>) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT pg_try_advisory_xact_lock($1) AND set_config('enable_seqscan', 'off', true) = 'off'",
    )
    .bind(RELAY_LOCK)
    .fetch_one(&mut **tx)
    .await
}

/// Nothing is published until this transaction ends.
pub(super) async fn wait_for_relay(tx: &mut Transaction<'_, Postgres>) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(RELAY_LOCK)
        .execute(&mut **tx)
        .await
        .map(drop)
}
