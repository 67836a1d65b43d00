//! Tickets in Postgres: reading them, using one once, the list at the door.

use serde::Serialize;
use sqlx::PgPool;
use usher_base::{EventId, OrderId, Timestamp};
use uuid::Uuid;

use super::columns;
use super::store::{self, DomainEvent, Kind};
use crate::tickets::{Door, TicketClaim, TicketNumber, Use};

/// Tickets on one page of the door's list.
pub const MAX_PAGE: u32 = 1_000;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TicketRow {
    pub number: TicketNumber,
    #[serde(skip)]
    pub order: OrderId,
    #[serde(skip)]
    pub event: EventId,
    pub label: String,
    /// `active`, `used`, `cancelled`.
    pub state: String,
    pub used: Option<Use>,
}

type Row = (
    String,
    Uuid,
    Uuid,
    String,
    String,
    Option<time::OffsetDateTime>,
    Option<String>,
    Option<String>,
);

fn read(
    (number, order, event, label, state, at, staff, gate): Row,
) -> Result<TicketRow, sqlx::Error> {
    let used = at.zip(staff).zip(gate).map(|((at, staff), gate)| Use {
        at: columns::at(at),
        staff,
        gate,
    });
    Ok(TicketRow {
        number: columns::parse(&number)?,
        order: OrderId::from_uuid(order),
        event: EventId::from_uuid(event),
        label,
        state,
        used,
    })
}

pub async fn find(pool: &PgPool, number: &TicketNumber) -> Result<Option<TicketRow>, sqlx::Error> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT number, order_id, event_id, label, state, used_at, used_by, used_gate
         FROM tickets WHERE number = $1",
    )
    .bind(number.as_str())
    .fetch_optional(pool)
    .await?;
    row.map(read).transpose()
}

/// An order's tickets, by position.
pub async fn of_order(pool: &PgPool, order: OrderId) -> Result<Vec<TicketRow>, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT number, order_id, event_id, label, state, used_at, used_by, used_gate
         FROM tickets WHERE order_id = $1 ORDER BY position",
    )
    .bind(order.uuid())
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(read).collect()
}

/// What a door takes along to work offline, a page at a time, by number.
pub async fn door_list(
    pool: &PgPool,
    event: EventId,
    after: Option<&TicketNumber>,
    limit: u32,
) -> Result<Vec<TicketRow>, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT number, order_id, event_id, label, state, used_at, used_by, used_gate
         FROM tickets WHERE event_id = $1 AND number > $2 ORDER BY number LIMIT $3",
    )
    .bind(event.uuid())
    .bind(after.map_or("", TicketNumber::as_str))
    .bind(i64::from(limit.min(MAX_PAGE)))
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(read).collect()
}

/// Who has come, of those who may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Arrivals {
    pub used: u64,
    /// Tickets that are good, used ones included.
    pub sold: u64,
}

/// Reads all of an event's tickets: callers remember it for a while.
pub async fn arrivals(pool: &PgPool, event: EventId) -> Result<Arrivals, sqlx::Error> {
    let (used, sold): (i64, i64) = sqlx::query_as(
        "SELECT count(*) FILTER (WHERE state = 'used'), count(*) FROM tickets
         WHERE event_id = $1 AND state <> 'cancelled'",
    )
    .bind(event.uuid())
    .fetch_one(pool)
    .await?;
    Ok(Arrivals {
        used: u64::try_from(used).unwrap_or(0),
        sold: u64::try_from(sold).unwrap_or(0),
    })
}

/// active -> used, for one caller only; its label for that one.
pub async fn use_once(
    pool: &PgPool,
    claim: &TicketClaim,
    door: &Door,
    at: Timestamp,
) -> Result<Option<String>, sqlx::Error> {
    let mut tx = pool.begin().await?;
    let used: Option<(String, Uuid)> = sqlx::query_as(
        "UPDATE tickets SET state = 'used', used_at = $3, used_by = $4, used_gate = $5
         WHERE number = $1 AND event_id = $2 AND state = 'active' RETURNING label, order_id",
    )
    .bind(claim.number.as_str())
    .bind(claim.event.uuid())
    .bind(at.to_datetime())
    .bind(&door.staff)
    .bind(&door.gate)
    .fetch_optional(&mut *tx)
    .await?;
    let Some((label, order)) = used else {
        return Ok(None);
    };
    let told = DomainEvent {
        event: claim.event,
        order: Some(OrderId::from_uuid(order)),
        kind: Kind::TicketUsed,
        payload: serde_json::json!({
            "ticket_number": claim.number, "at": at, "staff": door.staff, "gate": door.gate,
        }),
    };
    store::append(&mut tx, &[told]).await?;
    tx.commit().await?;
    Ok(Some(label))
}
