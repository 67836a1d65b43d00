//! What endpoints have still to hear, in Postgres. A turn at an endpoint is a
//! lease on its row, so that of several processes one delivers there at a time;
//! what was taken is deleted, what was not in time is kept as a dead letter.

use std::time::Duration;

use serde::Serialize;
use sqlx::{PgConnection, PgPool};
use usher_base::{EventId, Timestamp};
use uuid::Uuid;

use super::columns;
use super::store::{self, StoredEvent};
use crate::webhooks::{Endpoint, Secret};

/// Read at once of what an endpoint has to hear.
const MAX_A_READ: i64 = 50;

/// An endpoint in this process's hands for a while.
#[derive(Debug)]
pub struct Turn {
    pub endpoint: Endpoint,
    /// In a row, until now.
    pub failures: u32,
}

#[derive(Debug)]
pub struct Waiting {
    pub event: StoredEvent,
    pub attempts: u32,
}

/// A delivery that was not taken.
#[derive(Debug)]
pub struct Attempt {
    pub endpoint: Uuid,
    pub id: i64,
    pub error: String,
    pub is_last: bool,
    pub pause: Duration,
}

/// What an endpoint did not take in time.
#[derive(Debug, Serialize)]
pub struct DeadLetter {
    pub endpoint_id: Uuid,
    pub attempts: u32,
    pub last_error: String,
    pub dead_at: Timestamp,
    /// What it would have heard.
    pub event: StoredEvent,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Backlog {
    pub waiting: i64,
    pub dead: i64,
}

/// Queues events for the endpoints that want them.
pub(super) async fn enqueue(tx: &mut PgConnection, ids: &[i64]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO webhook_deliveries (endpoint_id, id)
         SELECT w.id, e.id FROM domain_events e
         JOIN webhook_endpoints w ON w.event_id = e.event_id
             AND (w.kinds = '{}' OR e.kind = ANY (w.kinds))
         WHERE e.id = ANY ($1) ON CONFLICT DO NOTHING",
    )
    .bind(ids)
    .execute(tx)
    .await
    .map(drop)
}

/// Takes a turn at endpoints that are due, have something to hear and are free.
pub async fn claim(pool: &PgPool, limit: usize, lease: Duration) -> Result<Vec<Turn>, sqlx::Error> {
    let rows: Vec<(Uuid, String, String, i32)> = sqlx::query_as(
        "UPDATE webhook_endpoints SET leased_until = now() + $2 * interval '1 second'
         WHERE id IN (SELECT id FROM webhook_endpoints w
             WHERE next_try_at <= now() AND leased_until <= now() AND EXISTS (
                 SELECT FROM webhook_deliveries d
                 WHERE d.endpoint_id = w.id AND d.dead_at IS NULL)
             ORDER BY next_try_at LIMIT $1 FOR UPDATE SKIP LOCKED)
         RETURNING id, url, secret, failures",
    )
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .bind(lease.as_secs_f64())
    .fetch_all(pool)
    .await?;
    let turn = |(id, url, secret, failures)| Turn {
        endpoint: Endpoint {
            id,
            url,
            secret: Secret::known(secret),
        },
        failures: columns::count(failures),
    };
    Ok(rows.into_iter().map(turn).collect())
}

/// The first that an endpoint has to hear, in order.
pub async fn waiting(pool: &PgPool, endpoint: Uuid) -> Result<Vec<Waiting>, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    let rows: Vec<(i64, i32)> = sqlx::query_as(
        "SELECT id, attempts FROM webhook_deliveries
         WHERE endpoint_id = $1 AND dead_at IS NULL ORDER BY id LIMIT $2",
    )
    .bind(endpoint)
    .bind(MAX_A_READ)
    .fetch_all(&mut *connection)
    .await?;
    let ids: Vec<i64> = rows.iter().map(|row| row.0).collect();
    let events = store::of(&mut connection, &ids).await?;
    let waiting = |(event, (_, attempts))| Waiting {
        event,
        attempts: columns::count(attempts),
    };
    Ok(events.into_iter().zip(rows).map(waiting).collect())
}

/// The endpoint took it: it is gone, and the turn goes on.
pub async fn taken(
    pool: &PgPool,
    endpoint: Uuid,
    id: i64,
    lease: Duration,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "WITH taken AS (DELETE FROM webhook_deliveries WHERE endpoint_id = $1 AND id = $2)
         UPDATE webhook_endpoints
         SET failures = 0, leased_until = now() + $3 * interval '1 second' WHERE id = $1",
    )
    .bind(endpoint)
    .bind(id)
    .bind(lease.as_secs_f64())
    .execute(pool)
    .await
    .map(drop)
}

/// Behind those that wait for a turn.
pub async fn end_turn(pool: &PgPool, endpoint: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE webhook_endpoints SET leased_until = '-infinity', next_try_at = now()
         WHERE id = $1",
    )
    .bind(endpoint)
    .execute(pool)
    .await
    .map(drop)
}

/// Ends the turn until the pause is over. Returns how many became dead letters:
/// this one if it was its last attempt, and all that wait longer than `max_age`.
pub async fn failed(
    pool: &PgPool,
    attempt: &Attempt,
    max_age: Duration,
) -> Result<u64, sqlx::Error> {
    let mut tx = pool.begin().await?;
    sqlx::query(
        "UPDATE webhook_deliveries SET attempts = attempts + 1, last_error = $3
         WHERE endpoint_id = $1 AND id = $2",
    )
    .bind(attempt.endpoint)
    .bind(attempt.id)
    .bind(&attempt.error)
    .execute(&mut *tx)
    .await?;
    let dead = sqlx::query(
        "UPDATE webhook_deliveries
         SET dead_at = now(), last_error = coalesce(last_error, $5)
         WHERE endpoint_id = $1 AND dead_at IS NULL
             AND ((id = $2 AND $3) OR since < now() - $4 * interval '1 second')",
    )
    .bind(attempt.endpoint)
    .bind(attempt.id)
    .bind(attempt.is_last)
    .bind(max_age.as_secs_f64())
    .bind(&attempt.error)
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "UPDATE webhook_endpoints SET failures = failures + 1, leased_until = '-infinity',
             next_try_at = now() + $2 * interval '1 second' WHERE id = $1",
    )
    .bind(attempt.endpoint)
    .bind(attempt.pause.as_secs_f64())
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(dead.rows_affected())
}

/// A page of an event's dead letters, by id, after (endpoint, id).
pub async fn dead(
    pool: &PgPool,
    event: EventId,
    after: Option<(Uuid, i64)>,
    limit: u32,
) -> Result<Vec<DeadLetter>, sqlx::Error> {
    type Row = (Uuid, i64, i32, String, time::OffsetDateTime);
    let mut connection = pool.acquire().await?;
    let (endpoint, id) = after.unwrap_or((Uuid::nil(), 0));
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT endpoint_id, id, attempts, coalesce(last_error, ''), dead_at
         FROM webhook_deliveries
         WHERE endpoint_id IN (SELECT id FROM webhook_endpoints WHERE event_id = $1)
             AND dead_at IS NOT NULL AND (endpoint_id, id) > ($2, $3)
         ORDER BY endpoint_id, id LIMIT $4",
    )
    .bind(event.uuid())
    .bind(endpoint)
    .bind(id)
    .bind(i64::from(limit))
    .fetch_all(&mut *connection)
    .await?;
    let ids: Vec<i64> = rows.iter().map(|row| row.1).collect();
    let events = store::of(&mut connection, &ids).await?;
    let letter = |(endpoint_id, id, attempts, last_error, dead_at): Row| {
        let event = events.iter().find(|event| event.id == id)?.clone();
        Some(DeadLetter {
            endpoint_id,
            attempts: columns::count(attempts),
            last_error,
            dead_at: columns::at(dead_at),
            event,
        })
    };
    Ok(rows.into_iter().filter_map(letter).collect())
}

/// Dead letters of an endpoint go out again, at once: one, or all of them.
pub(super) async fn revive(
    tx: &mut PgConnection,
    endpoint: Uuid,
    id: Option<i64>,
) -> Result<u64, sqlx::Error> {
    let revived = sqlx::query(
        "UPDATE webhook_deliveries SET dead_at = NULL, attempts = 0, since = now()
         WHERE endpoint_id = $1 AND dead_at IS NOT NULL AND ($2::bigint IS NULL OR id = $2)",
    )
    .bind(endpoint)
    .bind(id)
    .execute(&mut *tx)
    .await?;
    sqlx::query("UPDATE webhook_endpoints SET next_try_at = now() WHERE id = $1")
        .bind(endpoint)
        .execute(tx)
        .await?;
    Ok(revived.rows_affected())
}

pub async fn backlog(pool: &PgPool) -> Result<Backlog, sqlx::Error> {
    let (waiting, dead) = sqlx::query_as(
        "SELECT count(*) FILTER (WHERE dead_at IS NULL), count(*) FILTER (WHERE dead_at IS NOT NULL)
         FROM webhook_deliveries",
    )
    .fetch_one(pool)
    .await?;
    Ok(Backlog { waiting, dead })
}

/// Forgets what has been dead for a month; the store keeps what happened.
pub async fn prune(pool: &PgPool) -> Result<u64, sqlx::Error> {
    let done =
        sqlx::query("DELETE FROM webhook_deliveries WHERE dead_at < now() - interval '30 days'")
            .execute(pool)
            .await?;
    Ok(done.rows_affected())
}
