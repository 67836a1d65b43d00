//! The catalog in Postgres: create, change, delete, find. What is sold is read
//! here only to protect it from changes.

use sqlx::types::Json;
use sqlx::{PgPool, Postgres, Transaction};
use usher_base::{EventId, Timestamp};
use uuid::Uuid;

use super::patch::Sold;
use super::words;
use super::{Draft, Event, EventPatch, PatchError, PatchedEvent};
use crate::inventory::{SeatIndex, TierIndex};
use crate::layout::{Layout, Section};

#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    #[error("There is no such event.")]
    NotFound,
    #[error("Another event has the slug {0:?}.")]
    SlugTaken(String),
    #[error("This event has orders and cannot be deleted; close its sale instead.")]
    HasOrders,
    #[error(transparent)]
    Patch(#[from] PatchError),
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
}

/// Creates the event with its title, venue and layout where these are new.
pub async fn create(pool: &PgPool, draft: &Draft) -> Result<(), CatalogError> {
    let event = &draft.event;
    let mut tx = pool.begin().await?;
    if let Some(layout) = &draft.layout {
        insert_layout(&mut tx, layout).await?;
    }
    insert_title_and_venue(&mut tx, event).await?;
    let inserted = sqlx::query(
        "INSERT INTO events (id, slug, title_id, venue_id, layout_version, category, city,
             start_time, document, revision, search_text)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(event.id.uuid())
    .bind(&event.slug)
    .bind(event.title.id)
    .bind(event.venue.id)
    .bind(&event.layout_version)
    .bind(&event.category)
    .bind(&event.venue.city)
    .bind(event.start_time.to_datetime())
    .bind(Json(event))
    .bind(event.revision)
    .bind(event.search_text())
    .execute(&mut *tx)
    .await;
    inserted.map_err(|error| slug_taken(error, event))?;
    tx.commit().await?;
    Ok(())
}

pub async fn get(pool: &PgPool, id: EventId) -> Result<Event, CatalogError> {
    let found = sqlx::query_scalar::<_, Json<Event>>(
        "SELECT document FROM events WHERE id = $1 AND deleted_at IS NULL",
    )
    .bind(id.uuid())
    .fetch_optional(pool)
    .await?;
    found.map(|json| json.0).ok_or(CatalogError::NotFound)
}

/// Changes the event and returns what Redis has to be told; the row is locked,
/// so of two changes each sees the other's outcome.
pub async fn patch(
    pool: &PgPool,
    id: EventId,
    patch: EventPatch,
) -> Result<PatchedEvent, CatalogError> {
    let mut tx = pool.begin().await?;
    let event = lock(&mut tx, id).await?;
    let layout = match &event.layout_version {
        Some(version) => find_layout(&mut *tx, version).await?,
        None => None,
    };
    let sold = sold(&mut tx, id).await?;
    let changed = patch.apply(&event, layout.as_ref(), &sold)?;
    let event = &changed.event;
    insert_title_and_venue(&mut tx, event).await?;
    let updated = sqlx::query(
        "UPDATE events SET slug = $2, title_id = $3, category = $4, start_time = $5,
             document = $6, revision = $7, search_text = $8
         WHERE id = $1",
    )
    .bind(id.uuid())
    .bind(&event.slug)
    .bind(event.title.id)
    .bind(&event.category)
    .bind(event.start_time.to_datetime())
    .bind(Json(event))
    .bind(event.revision)
    .bind(event.search_text())
    .execute(&mut *tx)
    .await;
    updated.map_err(|error| slug_taken(error, event))?;
    tx.commit().await?;
    Ok(changed)
}

/// Only an event that nobody ever ordered from goes away.
pub async fn delete(pool: &PgPool, id: EventId) -> Result<(), CatalogError> {
    let mut tx = pool.begin().await?;
    lock(&mut tx, id).await?;
    if sold(&mut tx, id).await?.has_orders {
        return Err(CatalogError::HasOrders);
    }
    for statement in [
        "UPDATE events SET deleted_at = now() WHERE id = $1",
        "DELETE FROM webhook_endpoints WHERE event_id = $1",
    ] {
        sqlx::query(statement)
            .bind(id.uuid())
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await?;
    Ok(())
}

pub async fn layout(pool: &PgPool, version: &str) -> Result<Option<Layout>, CatalogError> {
    Ok(find_layout(pool, version).await?)
}

/// Every event that is not deleted: what is published to Redis.
pub async fn all(pool: &PgPool) -> Result<Vec<Event>, CatalogError> {
    let found = sqlx::query_scalar::<_, Json<Event>>(
        "SELECT document FROM events WHERE deleted_at IS NULL ORDER BY start_time, id",
    )
    .fetch_all(pool)
    .await?;
    Ok(found.into_iter().map(|json| json.0).collect())
}

/// What a fan looks for. Nothing given: everything.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// Words of the title, category, description, venue or city; the last may
    /// be unfinished.
    pub q: Option<String>,
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    pub city: Option<String>,
    pub category: Option<String>,
    pub title: Option<Uuid>,
    /// From 1.
    pub page: u32,
    pub limit: u32,
}

/// What one page of a search holds at most.
pub const MAX_PAGE_EVENTS: u32 = 100;
const DEFAULT_PAGE_EVENTS: u32 = 20;

#[derive(Clone, Debug)]
pub struct Found {
    pub events: Vec<Event>,
    pub total: i64,
    pub page: u32,
    pub limit: u32,
}

pub async fn search(pool: &PgPool, search: &Search) -> Result<Found, CatalogError> {
    let limit = match search.limit {
        0 => DEFAULT_PAGE_EVENTS,
        limit => limit.min(MAX_PAGE_EVENTS),
    };
    let page = search.page.max(1);
    let rows = sqlx::query_as::<_, (Option<Json<Event>>, i64)>(
        "WITH hits AS (
             SELECT id, start_time, document FROM events
             WHERE deleted_at IS NULL
               AND ($1::text IS NULL OR search @@ to_tsquery('simple', $1))
               AND ($2::timestamptz IS NULL OR start_time >= $2)
               AND ($3::timestamptz IS NULL OR start_time < $3)
               AND ($4::text IS NULL OR lower(city) = lower($4))
               AND ($5::text IS NULL OR lower(category) = lower($5))
               AND ($6::uuid IS NULL OR title_id = $6)
         ), page AS (
             SELECT * FROM hits ORDER BY start_time, id LIMIT $7 OFFSET $8
         )
         SELECT page.document, (SELECT count(*) FROM hits)
         FROM (SELECT 1) one LEFT JOIN page ON true
         ORDER BY page.start_time, page.id",
    )
    .bind(search.q.as_deref().and_then(|q| words::as_tsquery(q, 1)))
    .bind(search.from.map(Timestamp::to_datetime))
    .bind(search.to.map(Timestamp::to_datetime))
    .bind(&search.city)
    .bind(&search.category)
    .bind(search.title)
    .bind(i64::from(limit))
    .bind(i64::from(page - 1) * i64::from(limit))
    .fetch_all(pool)
    .await?;
    let total = rows.first().map_or(0, |row| row.1);
    let events = rows.into_iter().filter_map(|row| row.0.map(|json| json.0));
    Ok(Found {
        events: events.collect(),
        total,
        page,
        limit,
    })
}

fn slug_taken(error: sqlx::Error, event: &Event) -> CatalogError {
    let constraint = error.as_database_error().and_then(|e| e.constraint());
    match constraint {
        Some("events_slug") => CatalogError::SlugTaken(event.slug.clone()),
        _ => error.into(),
    }
}

async fn lock(tx: &mut Transaction<'_, Postgres>, id: EventId) -> Result<Event, CatalogError> {
    let found = sqlx::query_scalar::<_, Json<Event>>(
        "SELECT document FROM events WHERE id = $1 AND deleted_at IS NULL FOR UPDATE",
    )
    .bind(id.uuid())
    .fetch_optional(&mut **tx)
    .await?;
    found.map(|json| json.0).ok_or(CatalogError::NotFound)
}

async fn insert_layout(
    tx: &mut Transaction<'_, Postgres>,
    layout: &Layout,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO layouts (version, sections, seat_count) VALUES ($1, $2, $3)
         ON CONFLICT (version) DO NOTHING",
    )
    .bind(layout.version())
    .bind(Json(layout.sections()))
    .bind(i32::try_from(layout.seat_count()).unwrap_or(i32::MAX))
    .execute(&mut **tx)
    .await
    .map(drop)
}

async fn insert_title_and_venue(
    tx: &mut Transaction<'_, Postgres>,
    event: &Event,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO titles (id, name) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING")
        .bind(event.title.id)
        .bind(&event.title.name)
        .execute(&mut **tx)
        .await?;
    let venue = &event.venue;
    sqlx::query(
        "INSERT INTO venues (id, name, city, capacity) VALUES ($1, $2, $3, $4)
         ON CONFLICT (id) DO UPDATE SET capacity = coalesce(excluded.capacity, venues.capacity)",
    )
    .bind(venue.id)
    .bind(&venue.name)
    .bind(&venue.city)
    .bind(venue.capacity.and_then(|n| i32::try_from(n).ok()))
    .execute(&mut **tx)
    .await
    .map(drop)
}

async fn find_layout<'e>(
    executor: impl sqlx::PgExecutor<'e>,
    version: &str,
) -> Result<Option<Layout>, sqlx::Error> {
    let found = sqlx::query_scalar::<_, Json<Vec<Section>>>(
        "SELECT sections FROM layouts WHERE version = $1",
    )
    .bind(version)
    .fetch_optional(executor)
    .await?;
    let layout = found.map(|json| Layout::new(json.0)).transpose();
    layout.map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

async fn sold(tx: &mut Transaction<'_, Postgres>, id: EventId) -> Result<Sold, sqlx::Error> {
    let items = sqlx::query_as::<_, (Option<i32>, Option<i32>, i64)>(
        "SELECT seat_index, tier_index, count(*) FROM order_items
         WHERE event_id = $1 AND live GROUP BY seat_index, tier_index",
    )
    .bind(id.uuid())
    .fetch_all(&mut **tx)
    .await?;
    let mut sold = Sold {
        has_orders: sqlx::query_scalar("SELECT EXISTS (SELECT FROM orders WHERE event_id = $1)")
            .bind(id.uuid())
            .fetch_one(&mut **tx)
            .await?,
        ..Sold::default()
    };
    for (seat, tier, count) in items {
        if let Some(seat) = seat.and_then(|n| u32::try_from(n).ok()) {
            sold.seats.insert(SeatIndex(seat));
        }
        if let Some(tier) = tier.and_then(|n| u16::try_from(n).ok()) {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            sold.tiers.insert(TierIndex(tier), count);
        }
    }
    Ok(sold)
}
