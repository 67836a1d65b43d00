//! Reading orders back: one, a fan's, a search, and those the reconciler is
//! to look at. Each is two statements, orders and then their items.

use std::collections::{HashMap, HashSet};

use sqlx::postgres::PgRow;
use sqlx::{FromRow, PgPool, Row};
use usher_base::{EventId, FanId, OrderId, ReservationId, Timestamp};
use uuid::Uuid;

use super::{columns, fault};
use crate::holds::PinnedOrder;
use crate::inventory::{SeatIndex, TierIndex};
use crate::orders::{Bill, Item, Order, OrderNumber, OrderState, Payment, Place, Wanted};
use crate::payments::Money;

/// Orders on one page of a list.
pub const MAX_PAGE: u32 = 200;
/// A search by words may take no longer: what is typed may fit very many orders.
const SEARCH_TIMEOUT: &str = "3s";

macro_rules! select_orders {
    ($rest:literal) => {
        concat!(
            "SELECT o.*, p.provider, p.method, p.state AS payment_state, p.reference
             FROM orders o LEFT JOIN payments p ON p.order_id = o.id ",
            $rest
        )
    };
}

pub async fn order(pool: &PgPool, id: OrderId) -> Result<Option<Order>, sqlx::Error> {
    let rows = sqlx::query(select_orders!("WHERE o.id = $1")).bind(id.uuid());
    one(pool, rows.fetch_all(pool).await?).await
}

pub async fn by_number(pool: &PgPool, number: &OrderNumber) -> Result<Option<Order>, sqlx::Error> {
    let rows = sqlx::query(select_orders!("WHERE o.number = $1")).bind(number.as_str());
    one(pool, rows.fetch_all(pool).await?).await
}

/// The orders of one person, who is another fan in each event; newest first.
pub async fn of_fans(pool: &PgPool, fans: &[FanId]) -> Result<Vec<Order>, sqlx::Error> {
    let fans: Vec<&[u8]> = fans.iter().map(|fan| fan.bytes().as_slice()).collect();
    let rows = sqlx::query(select_orders!(
        "WHERE o.fan_id = ANY ($1) ORDER BY o.created_at DESC, o.id LIMIT $2"
    ))
    .bind(fans)
    .bind(i64::from(MAX_PAGE));
    whole(pool, rows.fetch_all(pool).await?).await
}

/// What an operator looks for; whatever is `None` matches everything.
#[derive(Clone, Debug, Default)]
pub struct Search {
    pub event: Option<EventId>,
    pub state: Option<OrderState>,
    pub fan: Option<FanId>,
    pub wanted: Option<Wanted>,
    /// The last order of the page before: `created_at` and id.
    pub after: Option<(Timestamp, OrderId)>,
    pub limit: u32,
}

/// Why a search has no answer.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    #[error("The search took too long. Give more of the name, the whole address, or a number.")]
    TooLong,
    #[error(transparent)]
    Sql(sqlx::Error),
}

impl From<sqlx::Error> for SearchError {
    fn from(error: sqlx::Error) -> Self {
        match fault::took_too_long(&error) {
            true => Self::TooLong,
            false => Self::Sql(error),
        }
    }
}

/// One page, oldest first, so that an export can walk through all of them.
pub async fn search(pool: &PgPool, wanted: &Search) -> Result<Vec<Order>, SearchError> {
    let (after_at, after_id) = wanted.after.unzip();
    let typed = wanted.wanted.as_ref();
    let mut tx = pool.begin().await?;
    if typed.is_some() {
        let limit = sqlx::query("SELECT set_config('statement_timeout', $1, true)");
        limit.bind(SEARCH_TIMEOUT).execute(&mut *tx).await?;
    }
    // As an array: the planner then comes to the orders by their ids.
    let rows = sqlx::query(select_orders!(
        "WHERE ($1::uuid IS NULL OR o.event_id = $1) AND ($2::text IS NULL OR o.state = $2)
            AND ($3::bytea IS NULL OR o.fan_id = $3)
            AND (NOT $4::boolean OR o.id = ANY (ARRAY(
                SELECT id FROM orders WHERE number = $5::text
                UNION ALL SELECT order_id FROM tickets WHERE number = $6::text
                UNION ALL SELECT order_id FROM desk_words
                WHERE words @@ to_tsquery('simple', $7::text) OR words @@ lower($8::text)::tsquery)))
            AND ($9::timestamptz IS NULL OR (date_trunc('milliseconds', o.created_at), o.id) > ($9, $10))
         ORDER BY date_trunc('milliseconds', o.created_at), o.id LIMIT $11"
    ))
    .bind(wanted.event.map(EventId::uuid))
    .bind(wanted.state.map(OrderState::as_str))
    .bind(wanted.fan.map(|fan| fan.bytes().to_vec()))
    .bind(typed.is_some())
    .bind(typed.and_then(|typed| Some(typed.order.as_ref()?.as_str())))
    .bind(typed.and_then(|typed| Some(typed.ticket.as_ref()?.as_str())))
    .bind(typed.map(|typed| typed.words.as_str()))
    .bind(typed.and_then(|typed| typed.address.as_deref()))
    .bind(after_at.map(Timestamp::to_datetime))
    .bind(after_id.map(OrderId::uuid))
    .bind(i64::from(wanted.limit.min(MAX_PAGE)))
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(whole(pool, rows).await?)
}

/// To whom these orders were billed. Apart from the orders, so that names and addresses
/// are read only where they are shown.
pub async fn bills(
    pool: &PgPool,
    orders: &[OrderId],
) -> Result<HashMap<OrderId, Bill>, sqlx::Error> {
    let ids: Vec<Uuid> = orders.iter().map(|order| order.uuid()).collect();
    let rows: Vec<(Uuid, Option<String>, Option<String>)> = sqlx::query_as(
        "SELECT id, billing->>'name', billing->>'email' FROM orders WHERE id = ANY ($1)",
    )
    .bind(ids)
    .fetch_all(pool)
    .await?;
    let bill = |(id, name, email): (Uuid, Option<String>, Option<String>)| {
        let bill = Bill {
            name: name.unwrap_or_default(),
            email: email.unwrap_or_default(),
        };
        (OrderId::from_uuid(id), bill)
    };
    Ok(rows.into_iter().map(bill).collect())
}

/// Orders that nobody has finished, each leased to the caller for `lease`
/// seconds: other reconcilers pass over them meanwhile.
pub async fn take_due(
    pool: &PgPool,
    limit: u32,
    lease_seconds: f64,
) -> Result<Vec<Order>, sqlx::Error> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "UPDATE orders SET look_at = now() + make_interval(secs => $2)
         WHERE id IN (SELECT id FROM orders WHERE look_at <= now()
            ORDER BY look_at LIMIT $1 FOR UPDATE SKIP LOCKED)
         RETURNING id",
    )
    .bind(i64::from(limit))
    .bind(lease_seconds)
    .fetch_all(pool)
    .await?;
    let rows = sqlx::query(select_orders!("WHERE o.id = ANY($1)")).bind(ids);
    whole(pool, rows.fetch_all(pool).await?).await
}

/// Those of the pinned holds that no pending order accounts for.
pub async fn without_pending_order(
    pool: &PgPool,
    pins: Vec<PinnedOrder>,
) -> Result<Vec<PinnedOrder>, sqlx::Error> {
    if pins.is_empty() {
        return Ok(pins);
    }
    let ids: Vec<Uuid> = pins.iter().map(|pin| pin.order.uuid()).collect();
    let pending: Vec<(Uuid, Uuid)> = sqlx::query_as(
        "SELECT id, reservation_id FROM orders WHERE id = ANY($1) AND state = 'pending'",
    )
    .bind(ids)
    .fetch_all(pool)
    .await?;
    let pending: HashSet<_> = pending.into_iter().collect();
    let accounted =
        |pin: &PinnedOrder| pending.contains(&(pin.order.uuid(), pin.reservation.uuid()));
    Ok(pins.into_iter().filter(|pin| !accounted(pin)).collect())
}

async fn one(pool: &PgPool, rows: Vec<PgRow>) -> Result<Option<Order>, sqlx::Error> {
    whole(pool, rows).await.map(|mut orders| orders.pop())
}

async fn whole(pool: &PgPool, rows: Vec<PgRow>) -> Result<Vec<Order>, sqlx::Error> {
    let mut orders = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let mut items = items(pool, &orders).await?;
    for order in &mut orders {
        order.items = items.remove(&order.id).unwrap_or_default();
    }
    Ok(orders)
}

fn read(row: &PgRow) -> Result<Order, sqlx::Error> {
    let money = Money {
        amount: row.try_get("amount")?,
        currency: row.try_get("currency")?,
    };
    let hash: Option<Vec<u8>> = row.try_get("request_hash")?;
    Ok(Order {
        id: OrderId::from_uuid(row.try_get("id")?),
        number: columns::parse(row.try_get("number")?)?,
        request_hash: hash.and_then(|hash| hash.try_into().ok()),
        event: EventId::from_uuid(row.try_get("event_id")?),
        fan: columns::fan(row.try_get("fan_id")?)?,
        reservation: ReservationId::from_uuid(row.try_get("reservation_id")?),
        state: columns::parse(row.try_get("state")?)?,
        failure: row.try_get("failure")?,
        pay_by: columns::at(row.try_get("pay_by")?),
        created_at: columns::at(row.try_get("created_at")?),
        decided_at: row.try_get::<Option<_>, _>("decided_at")?.map(columns::at),
        synced: row
            .try_get::<Option<i64>, _>("redis_synced_epoch")?
            .is_some(),
        items: Vec::new(),
        payment: payment(row, &money)?,
        money,
    })
}

fn payment(row: &PgRow, money: &Money) -> Result<Option<Payment>, sqlx::Error> {
    let Some(provider) = row.try_get("provider")? else {
        return Ok(None);
    };
    Ok(Some(Payment {
        provider,
        method: row.try_get("method")?,
        state: columns::parse(row.try_get("payment_state")?)?,
        money: money.clone(),
        reference: row.try_get("reference")?,
    }))
}

#[derive(FromRow)]
struct ItemRow {
    order_id: Uuid,
    seat_index: Option<i32>,
    tier_index: Option<i32>,
    label: String,
    price: i64,
}

async fn items(
    pool: &PgPool,
    orders: &[Order],
) -> Result<HashMap<OrderId, Vec<Item>>, sqlx::Error> {
    let ids: Vec<Uuid> = orders.iter().map(|order| order.id.uuid()).collect();
    let rows: Vec<ItemRow> = sqlx::query_as(
        "SELECT order_id, seat_index, tier_index, label, price FROM order_items
         WHERE order_id = ANY($1) ORDER BY order_id, position",
    )
    .bind(ids)
    .fetch_all(pool)
    .await?;
    let mut items: HashMap<OrderId, Vec<Item>> = HashMap::new();
    for row in rows {
        items
            .entry(OrderId::from_uuid(row.order_id))
            .or_default()
            .push(Item {
                place: place(row.seat_index, row.tier_index),
                label: row.label,
                price: row.price,
            });
    }
    Ok(items)
}

/// Exactly one of the two is there; the table sees to it.
pub(super) fn place(seat: Option<i32>, tier: Option<i32>) -> Place {
    match seat {
        Some(seat) => Place::Seat(SeatIndex(columns::count(seat))),
        None => Place::Tier(TierIndex(
            u16::try_from(tier.unwrap_or(0)).unwrap_or(u16::MAX),
        )),
    }
}
