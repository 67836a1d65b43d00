//! The endpoints that operators name for an event's webhooks. Making and
//! removing one, and sending dead letters again, stand in the audit log.

use serde::Serialize;
use serde_json::json;
use sqlx::PgPool;
use usher_base::{EventId, Timestamp};
use uuid::Uuid;

use super::audit;
use super::{columns, deliveries};
use crate::webhooks::{Kinds, Secret};

/// Of one event; each is one turn at a time beside the others.
pub const MAX_ENDPOINTS: i64 = 10;

#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    #[error("This event has {MAX_ENDPOINTS} webhooks already; remove one that is not used.")]
    TooMany,
    #[error("There is no such webhook, or nothing of it to send again.")]
    NotFound,
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
}

/// An endpoint as a list shows it: nothing of its secret.
#[derive(Clone, Debug, Serialize)]
pub struct Listed {
    pub id: Uuid,
    pub url: String,
    /// Empty: all
    pub kinds: Vec<String>,
    pub created_at: Timestamp,
    pub created_by: String,
    /// In a row, since it last took something
    pub failures: u32,
    pub waiting: i64,
    pub dead: i64,
    /// Of the oldest that it has not taken
    pub last_error: Option<String>,
}

pub struct NewEndpoint {
    pub event: EventId,
    pub url: String,
    pub kinds: Kinds,
    pub secret: Secret,
}

#[derive(Clone)]
pub struct Endpoints {
    pool: PgPool,
}

impl Endpoints {
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// `by` is who made it. It hears what is published from now on.
    pub async fn add(&self, new: &NewEndpoint, by: &str) -> Result<Uuid, EndpointError> {
        let id = Uuid::new_v4();
        let kinds = new.kinds.names();
        let mut tx = self.pool.begin().await?;
        // Two at once are counted one after the other.
        sqlx::query("SELECT FROM events WHERE id = $1 FOR UPDATE")
            .bind(new.event.uuid())
            .execute(&mut *tx)
            .await?;
        let inserted = sqlx::query(
            "INSERT INTO webhook_endpoints (id, event_id, url, kinds, secret, created_by)
             SELECT $1, $2, $3, $4, $5, $6
             WHERE (SELECT count(*) FROM webhook_endpoints WHERE event_id = $2) < $7",
        )
        .bind(id)
        .bind(new.event.uuid())
        .bind(&new.url)
        .bind(kinds)
        .bind(new.secret.shown())
        .bind(by)
        .bind(MAX_ENDPOINTS)
        .execute(&mut *tx)
        .await?;
        if inserted.rows_affected() == 0 {
            return Err(EndpointError::TooMany);
        }
        let details = json!({ "webhook": id, "host": host(&new.url), "kinds": kinds });
        audit::log(&mut tx, by, "webhook_added", new.event, details).await?;
        tx.commit().await?;
        Ok(id)
    }

    pub async fn list(&self, event: EventId) -> Result<Vec<Listed>, sqlx::Error> {
        type Row = (
            Uuid,
            String,
            Vec<String>,
            time::OffsetDateTime,
            String,
            i32,
            i64,
            i64,
            Option<String>,
        );
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT w.id, w.url, w.kinds, w.created_at, w.created_by, w.failures,
                 (SELECT count(*) FROM webhook_deliveries d
                  WHERE d.endpoint_id = w.id AND d.dead_at IS NULL),
                 (SELECT count(*) FROM webhook_deliveries d
                  WHERE d.endpoint_id = w.id AND d.dead_at IS NOT NULL),
                 (SELECT last_error FROM webhook_deliveries d
                  WHERE d.endpoint_id = w.id ORDER BY d.id LIMIT 1)
             FROM webhook_endpoints w WHERE w.event_id = $1 ORDER BY w.created_at, w.id LIMIT $2",
        )
        .bind(event.uuid())
        .bind(MAX_ENDPOINTS)
        .fetch_all(&self.pool)
        .await?;
        let listed = |row: Row| Listed {
            id: row.0,
            url: row.1,
            kinds: row.2,
            created_at: columns::at(row.3),
            created_by: row.4,
            failures: columns::count(row.5),
            waiting: row.6,
            dead: row.7,
            last_error: row.8,
        };
        Ok(rows.into_iter().map(listed).collect())
    }

    /// What it has not heard is never told.
    pub async fn remove(&self, event: EventId, id: Uuid, by: &str) -> Result<(), EndpointError> {
        let mut tx = self.pool.begin().await?;
        let removed = sqlx::query("DELETE FROM webhook_endpoints WHERE id = $1 AND event_id = $2")
            .bind(id)
            .bind(event.uuid())
            .execute(&mut *tx)
            .await?;
        if removed.rows_affected() == 0 {
            return Err(EndpointError::NotFound);
        }
        audit::log(
            &mut tx,
            by,
            "webhook_removed",
            event,
            json!({ "webhook": id }),
        )
        .await?;
        Ok(tx.commit().await?)
    }

    /// Sends one dead letter again, or all of an endpoint; returns how many.
    pub async fn redeliver(
        &self,
        event: EventId,
        endpoint: Uuid,
        id: Option<i64>,
        by: &str,
    ) -> Result<u64, EndpointError> {
        let mut tx = self.pool.begin().await?;
        let ours: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM webhook_endpoints WHERE id = $1 AND event_id = $2)",
        )
        .bind(endpoint)
        .bind(event.uuid())
        .fetch_one(&mut *tx)
        .await?;
        let revived = if ours {
            deliveries::revive(&mut tx, endpoint, id).await?
        } else {
            0
        };
        if revived == 0 {
            return Err(EndpointError::NotFound);
        }
        let details = json!({ "webhook": endpoint, "delivery": id, "count": revived });
        audit::log(&mut tx, by, "webhook_redelivered", event, details).await?;
        tx.commit().await?;
        Ok(revived)
    }

    /// A page of an event's dead letters.
    pub async fn dead(
        &self,
        event: EventId,
        after: Option<(Uuid, i64)>,
        limit: u32,
    ) -> Result<Vec<deliveries::DeadLetter>, sqlx::Error> {
        deliveries::dead(&self.pool, event, after, limit).await
    }
}

/// All of an address that the audit log keeps: paths may hold tokens.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}
