//! What Redis must be rebuilt from: every order that has its seats. One
//! snapshot, taken after the epoch was raised; orders recorded later come with
//! the new epoch and are in Redis already.

use std::collections::BTreeMap;

use sqlx::PgPool;
use usher_base::{EventId, OrderId, ReservationId};
use uuid::Uuid;

use super::columns;
use super::read::place;
use crate::holds::{LiveOrder, LiveOrderState};
use crate::inventory::{BadSelection, SeatIndex, Selection, TierIndex};
use crate::orders::{OrderState, Place};

/// Why Postgres could not tell.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
    #[error("order {0} has items that cannot be: {1}")]
    Items(OrderId, BadSelection),
}

type Row = (
    Uuid,
    Uuid,
    Vec<u8>,
    String,
    time::OffsetDateTime,
    Option<i32>,
    Option<i32>,
);

struct Found {
    reservation: ReservationId,
    fan: usher_base::FanId,
    state: LiveOrderState,
    seats: Vec<SeatIndex>,
    tiers: Vec<(TierIndex, u32)>,
}

/// The event's live orders, pending and paid.
pub async fn inventory_state(
    pool: &PgPool,
    event: EventId,
) -> Result<Vec<LiveOrder>, InventoryError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT o.id, o.reservation_id, o.fan_id, o.state, o.created_at, i.seat_index, i.tier_index
         FROM orders o JOIN order_items i ON i.order_id = o.id
         WHERE o.event_id = $1 AND o.state IN ('pending', 'paid') AND i.live",
    )
    .bind(event.uuid())
    .fetch_all(pool)
    .await?;
    let mut orders: BTreeMap<OrderId, Found> = BTreeMap::new();
    for (id, reservation, fan, state, created_at, seat, tier) in rows {
        let found = Found {
            reservation: ReservationId::from_uuid(reservation),
            fan: columns::fan(&fan)?,
            state: match columns::parse(&state)? {
                OrderState::Paid => LiveOrderState::Paid,
                _ => LiveOrderState::Pending {
                    since: columns::at(created_at),
                },
            },
            seats: Vec::new(),
            tiers: Vec::new(),
        };
        let order = orders.entry(OrderId::from_uuid(id)).or_insert(found);
        match place(seat, tier) {
            Place::Seat(seat) => order.seats.push(seat),
            Place::Tier(tier) => order.tiers.push((tier, 1)),
        }
    }
    orders.into_iter().map(live).collect()
}

fn live((order, found): (OrderId, Found)) -> Result<LiveOrder, InventoryError> {
    let selection = Selection::new(found.seats, found.tiers);
    Ok(LiveOrder {
        order,
        reservation: found.reservation,
        fan: found.fan,
        selection: selection.map_err(|bad| InventoryError::Items(order, bad))?,
        state: found.state,
    })
}
