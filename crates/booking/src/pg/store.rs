//! The event store and the outbox: what happened, written in the transaction
//! of what it tells, and published afterwards.

use serde::Serialize;
use sqlx::{PgConnection, PgPool};
use usher_base::{EventId, OrderId, Timestamp};
use uuid::Uuid;

use super::columns;

/// Everything that is told, by its name in the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    PaymentStarted,
    PaymentVerified,
    PaymentFailed,
    BookingConfirmed,
    TicketCreated,
    SeatReleased,
    OrderCancelled,
    OrderRefunded,
    TicketUsed,
}

impl Kind {
    pub const ALL: [Self; 9] = [
        Self::PaymentStarted,
        Self::PaymentVerified,
        Self::PaymentFailed,
        Self::BookingConfirmed,
        Self::TicketCreated,
        Self::SeatReleased,
        Self::OrderCancelled,
        Self::OrderRefunded,
        Self::TicketUsed,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PaymentStarted => "PaymentStarted",
            Self::PaymentVerified => "PaymentVerified",
            Self::PaymentFailed => "PaymentFailed",
            Self::BookingConfirmed => "BookingConfirmed",
            Self::TicketCreated => "TicketCreated",
            Self::SeatReleased => "SeatReleased",
            Self::OrderCancelled => "OrderCancelled",
            Self::OrderRefunded => "OrderRefunded",
            Self::TicketUsed => "TicketUsed",
        }
    }
}

pub struct DomainEvent {
    pub event: EventId,
    pub order: Option<OrderId>,
    pub kind: Kind,
    pub payload: serde_json::Value,
}

/// One row of the store.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoredEvent {
    pub id: i64,
    pub event_id: EventId,
    pub order_id: Option<OrderId>,
    pub kind: String,
    pub at: Timestamp,
    /// From the trail in Redis: best effort, no proof.
    pub lossy: bool,
    pub payload: serde_json::Value,
}

/// Appends to the store and to the outbox, in one statement.
pub(super) async fn append(
    tx: &mut PgConnection,
    events: &[DomainEvent],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "WITH stored AS (
            INSERT INTO domain_events (event_id, order_id, kind, payload)
            SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::jsonb[]) RETURNING id)
         INSERT INTO outbox (id) SELECT id FROM stored",
    )
    .bind(events.iter().map(|e| e.event.uuid()).collect::<Vec<_>>())
    .bind(
        events
            .iter()
            .map(|e| e.order.map(OrderId::uuid))
            .collect::<Vec<_>>(),
    )
    .bind(events.iter().map(|e| e.kind.as_str()).collect::<Vec<_>>())
    .bind(events.iter().map(|e| &e.payload).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map(drop)
}

type Row = (
    i64,
    Uuid,
    Option<Uuid>,
    String,
    time::OffsetDateTime,
    bool,
    serde_json::Value,
);

/// A page of an event's store, from the first row after `after`.
pub async fn page(
    pool: &PgPool,
    event: EventId,
    after: i64,
    limit: u32,
) -> Result<Vec<StoredEvent>, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, event_id, order_id, kind, at, lossy, payload FROM domain_events
         WHERE event_id = $1 AND id > $2 ORDER BY id LIMIT $3",
    )
    .bind(event.uuid())
    .bind(after)
    .bind(i64::from(limit))
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(stored).collect())
}

/// These rows, by id.
pub(super) async fn of(
    tx: &mut PgConnection,
    ids: &[i64],
) -> Result<Vec<StoredEvent>, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, event_id, order_id, kind, at, lossy, payload FROM domain_events
         WHERE id = ANY($1) ORDER BY id",
    )
    .bind(ids)
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(stored).collect())
}

fn stored((id, event, order, kind, at, lossy, payload): Row) -> StoredEvent {
    StoredEvent {
        id,
        event_id: EventId::from_uuid(event),
        order_id: order.map(OrderId::from_uuid),
        kind,
        at: columns::at(at),
        lossy,
        payload,
    }
}
