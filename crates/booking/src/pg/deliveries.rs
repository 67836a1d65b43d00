//! What endpoints have still to hear, in Postgres. A turn at an endpoint is a
//! lease on its row, so that of several processes one delivers there at a time.
//! Turns are counted, and whoever lost one to another writes nothing over the
//! other's. What was taken is deleted, what was not in time is kept as a dead letter.

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
/// Deliveries given up at the end of one turn: its transaction must not take long.
const DEAD_AT_ONCE: i64 = 5_000;
/// What is said of a dead letter that was never tried.
const TOO_SLOW: &str = "the endpoint takes less than there is to tell it";

/// An endpoint in this process's hands for a while.
#[derive(Debug)]
pub struct Turn {
    pub endpoint: Endpoint,
    /// The how-manieth of this endpoint: the latest is the one that counts.
    pub number: i64,
    /// In a row, until now.
    pub failures: u32,
}

#[derive(Debug)]
pub struct Waiting {
    pub event: StoredEvent,
    pub attempts: u32,
}

/// How much may wait for an endpoint, and how long; the rest is dead letters.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub max_age: Duration,
    pub max_waiting: u32,
}

/// A delivery that was not taken.
#[derive(Debug)]
pub struct Attempt {
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
    let rows: Vec<(Uuid, String, String, i32, i64)> = sqlx::query_as(
        "UPDATE webhook_endpoints
         SET leased_until = now() + $2 * interval '1 second', turn = turn + 1
         WHERE id IN (SELECT id FROM webhook_endpoints w
             WHERE next_try_at <= now() AND leased_until <= now() AND EXISTS (
                 SELECT FROM webhook_deliveries d
                 WHERE d.endpoint_id = w.id AND d.dead_at IS NULL)
             ORDER BY next_try_at LIMIT $1 FOR UPDATE SKIP LOCKED)
         RETURNING id, url, secret, failures, turn",
    )
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .bind(lease.as_secs_f64())
    .fetch_all(pool)
    .await?;
    let turn = |(id, url, secret, failures, number)| Turn {
        endpoint: Endpoint {
            id,
            url,
            secret: Secret::known(secret),
        },
        number,
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

/// The endpoint took it, so it is gone, whosever turn it is. False: the turn is
/// another's by now.
pub async fn taken(
    pool: &PgPool,
    turn: &Turn,
    id: i64,
    lease: Duration,
) -> Result<bool, sqlx::Error> {
    let held = sqlx::query(
        "WITH taken AS (DELETE FROM webhook_deliveries WHERE endpoint_id = $1 AND id = $2)
         UPDATE webhook_endpoints
         SET failures = 0, leased_until = now() + $3 * interval '1 second'
         WHERE id = $1 AND turn = $4",
    )
    .bind(turn.endpoint.id)
    .bind(id)
    .bind(lease.as_secs_f64())
    .bind(turn.number)
    .execute(pool)
    .await?;
    Ok(held.rows_affected() > 0)
}

/// Behind those that wait for a turn. Returns how many became dead letters.
pub async fn end_turn(pool: &PgPool, turn: &Turn, bounds: Bounds) -> Result<u64, sqlx::Error> {
    let mut tx = pool.begin().await?;
    let is_ours = give_back(&mut tx, turn, 0, Duration::ZERO).await?;
    let dead = match is_ours {
        true => keep_within(&mut tx, turn, bounds).await?,
        false => 0,
    };
    tx.commit().await?;
    Ok(dead)
}

/// Ends the turn until the pause is over. Returns how many became dead letters:
/// this one if it was its last attempt, and what is beyond the bounds.
pub async fn failed(
    pool: &PgPool,
    turn: &Turn,
    attempt: &Attempt,
    bounds: Bounds,
) -> Result<u64, sqlx::Error> {
    let mut tx = pool.begin().await?;
    if !give_back(&mut tx, turn, 1, attempt.pause).await? {
        return Ok(0);
    }
    let last = sqlx::query(
        "UPDATE webhook_deliveries SET attempts = attempts + 1, last_error = $3,
             dead_at = CASE WHEN $4 THEN now() END
         WHERE endpoint_id = $1 AND id = $2 AND dead_at IS NULL",
    )
    .bind(turn.endpoint.id)
    .bind(attempt.id)
    .bind(&attempt.error)
    .bind(attempt.is_last)
    .execute(&mut *tx)
    .await?;
    let last = u64::from(attempt.is_last) * last.rows_affected();
    let dead = last + keep_within(&mut tx, turn, bounds).await?;
    tx.commit().await?;
    Ok(dead)
}

/// The turn is free again after a pause. False: it is another's by now.
async fn give_back(
    tx: &mut PgConnection,
    turn: &Turn,
    failures: i32,
    pause: Duration,
) -> Result<bool, sqlx::Error> {
    let given = sqlx::query(
        "UPDATE webhook_endpoints SET failures = failures + $3, leased_until = '-infinity',
             next_try_at = now() + $4 * interval '1 second' WHERE id = $1 AND turn = $2",
    )
    .bind(turn.endpoint.id)
    .bind(turn.number)
    .bind(failures)
    .bind(pause.as_secs_f64())
    .execute(tx)
    .await?;
    Ok(given.rows_affected() > 0)
}

/// The oldest beyond the bounds become dead letters, some at a time; returns how many.
async fn keep_within(
    tx: &mut PgConnection,
    turn: &Turn,
    bounds: Bounds,
) -> Result<u64, sqlx::Error> {
    let dead = sqlx::query(
        "UPDATE webhook_deliveries
         SET dead_at = now(), last_error = coalesce(last_error, $4)
         WHERE endpoint_id = $1 AND id IN (
             SELECT id FROM webhook_deliveries
             WHERE endpoint_id = $1 AND dead_at IS NULL
                 AND (since < now() - $2 * interval '1 second' OR id <= (
                     SELECT id FROM webhook_deliveries
                     WHERE endpoint_id = $1 AND dead_at IS NULL
                     ORDER BY id DESC OFFSET $3 LIMIT 1))
             ORDER BY id LIMIT $5)",
    )
    .bind(turn.endpoint.id)
    .bind(bounds.max_age.as_secs_f64())
    .bind(i64::from(bounds.max_waiting))
    .bind(TOO_SLOW)
    .bind(DEAD_AT_ONCE)
    .execute(tx)
    .await?;
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
