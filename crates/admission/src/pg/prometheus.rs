//! The queries that tell how each event's backend is.

use sqlx::PgPool;
use sqlx::types::Json;
use usher_base::EventId;
use uuid::Uuid;

use crate::signals::PrometheusQueries;

/// The newest open events are asked about, so many at most.
const MAX_EVENTS: i64 = 50;

pub(crate) async fn all(pool: &PgPool) -> Result<Vec<(EventId, PrometheusQueries)>, sqlx::Error> {
    let rows: Vec<(Uuid, Json<PrometheusQueries>)> = sqlx::query_as(
        "SELECT event_id, queries FROM admission_prometheus JOIN lines USING (event_id)
         WHERE lines.phase <> 'closed' ORDER BY event_id DESC LIMIT $1",
    )
    .bind(MAX_EVENTS)
    .fetch_all(pool)
    .await?;
    let pairs = rows.into_iter();
    Ok(pairs
        .map(|(event, Json(queries))| (EventId::from_uuid(event), queries))
        .collect())
}

pub(crate) async fn read(
    pool: &PgPool,
    event: EventId,
) -> Result<Option<PrometheusQueries>, sqlx::Error> {
    let queries: Option<Json<PrometheusQueries>> =
        sqlx::query_scalar("SELECT queries FROM admission_prometheus WHERE event_id = $1")
            .bind(event.uuid())
            .fetch_optional(pool)
            .await?;
    Ok(queries.map(|Json(queries)| queries))
}

pub(crate) async fn write(
    pool: &PgPool,
    event: EventId,
    queries: &PrometheusQueries,
    who: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO admission_prometheus (event_id, queries, changed_by) VALUES ($1, $2, $3)
         ON CONFLICT (event_id) DO UPDATE SET queries = excluded.queries,
             changed_by = excluded.changed_by, changed_at = now()",
    )
    .bind(event.uuid())
    .bind(Json(queries))
    .bind(who)
    .execute(pool)
    .await?;
    Ok(())
}

pub(crate) async fn remove(pool: &PgPool, event: EventId) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM admission_prometheus WHERE event_id = $1")
        .bind(event.uuid())
        .execute(pool)
        .await?;
    Ok(())
}
