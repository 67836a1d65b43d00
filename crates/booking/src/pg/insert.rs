//! The rows of new orders, each kind in one statement for a whole batch.

use sqlx::{PgConnection, PgPool};

use super::{columns, epoch, store};
use crate::orders::{NewOrder, OrderNumber, Place, Refusal};

/// An order that is not in Postgres yet, and whether it gets its seats.
pub struct Fresh<'a> {
    pub order: &'a NewOrder,
    refusal: Option<Refusal>,
}

impl<'a> Fresh<'a> {
    pub fn live(order: &'a NewOrder) -> Self {
        let refusal = None;
        Self { order, refusal }
    }

    pub fn refused(order: &'a NewOrder, refusal: Refusal) -> Self {
        let refusal = Some(refusal);
        Self { order, refusal }
    }

    pub fn alive(&self) -> Option<&'a NewOrder> {
        self.refusal.is_none().then_some(self.order)
    }
}

/// Orders as given: pending, or failed at once where refused. The reconciler
/// looks at whatever is not finished in five seconds.
pub async fn orders(tx: &mut PgConnection, fresh: &[Fresh<'_>]) -> Result<u64, sqlx::Error> {
    let each = || fresh.iter().map(|fresh| fresh.order);
    let failures = fresh.iter().map(|f| f.refusal.map(Refusal::code));
    let done = sqlx::query(
        "INSERT INTO orders (id, request_hash, number, event_id, fan_id, reservation_id, state,
            failure, amount, currency, billing, epoch, pay_by, decided_at, look_at)
         SELECT id, hash, number, event, fan, reservation,
            CASE WHEN failure IS NULL THEN 'pending' ELSE 'failed' END, failure, amount, currency,
            billing, epoch, pay_by, CASE WHEN failure IS NOT NULL THEN now() END,
            now() + interval '5 seconds'
         FROM unnest($1::uuid[], $2::bytea[], $3::text[], $4::uuid[], $5::bytea[], $6::uuid[],
            $7::text[], $8::bigint[], $9::text[], $10::jsonb[], $11::bigint[], $12::timestamptz[])
            AS x (id, hash, number, event, fan, reservation, failure, amount, currency, billing,
            epoch, pay_by)",
    )
    .bind(each().map(|o| o.id.uuid()).collect::<Vec<_>>())
    .bind(each().map(|o| o.request_hash.to_vec()).collect::<Vec<_>>())
    .bind(
        each()
            .map(|o| OrderNumber::of(o.id).to_string())
            .collect::<Vec<_>>(),
    )
    .bind(each().map(|o| o.event.uuid()).collect::<Vec<_>>())
    .bind(each().map(|o| o.fan.bytes().to_vec()).collect::<Vec<_>>())
    .bind(each().map(|o| o.reservation.uuid()).collect::<Vec<_>>())
    .bind(failures.collect::<Vec<_>>())
    .bind(each().map(|o| o.money.amount).collect::<Vec<_>>())
    .bind(
        each()
            .map(|o| o.money.currency.as_str())
            .collect::<Vec<_>>(),
    )
    .bind(each().map(|o| &o.billing).collect::<Vec<_>>())
    .bind(
        each()
            .map(|o| epoch::to_column(o.epoch))
            .collect::<Vec<_>>(),
    )
    .bind(each().map(|o| o.pay_by.to_datetime()).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(done.rows_affected())
}

/// The items, by event and seat ascending, so that two batches which want the
/// same seats wait for each other instead of locking each other out.
pub async fn items(tx: &mut PgConnection, orders: &[&NewOrder]) -> Result<(), sqlx::Error> {
    let mut items: Vec<_> = orders
        .iter()
        .flat_map(|order| {
            (0i32..)
                .zip(&order.items)
                .map(move |(at, item)| (order, at, item))
        })
        .collect();
    items.sort_unstable_by_key(|(order, _, item)| (order.event, item.place));
    let seat = |place: &Place| match place {
        Place::Seat(seat) => Some(columns::int(seat.0)),
        Place::Tier(_) => None,
    };
    let tier = |place: &Place| match place {
        Place::Seat(_) => None,
        Place::Tier(tier) => Some(i32::from(tier.0)),
    };
    sqlx::query(
        "INSERT INTO order_items (order_id, position, event_id, seat_index, tier_index, label, price)
         SELECT * FROM unnest($1::uuid[], $2::int[], $3::uuid[], $4::int[], $5::int[], $6::text[],
            $7::bigint[])",
    )
    .bind(items.iter().map(|(o, _, _)| o.id.uuid()).collect::<Vec<_>>())
    .bind(items.iter().map(|(_, at, _)| *at).collect::<Vec<_>>())
    .bind(items.iter().map(|(o, _, _)| o.event.uuid()).collect::<Vec<_>>())
    .bind(items.iter().map(|(_, _, i)| seat(&i.place)).collect::<Vec<_>>())
    .bind(items.iter().map(|(_, _, i)| tier(&i.place)).collect::<Vec<_>>())
    .bind(items.iter().map(|(_, _, i)| i.label.as_str()).collect::<Vec<_>>())
    .bind(items.iter().map(|(_, _, i)| i.price).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map(drop)
}

pub async fn payments(tx: &mut PgConnection, orders: &[&NewOrder]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO payments (order_id, provider, method, state, amount, currency)
         SELECT id, provider, method, 'pending', amount, currency
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::text[])
            AS x (id, provider, method, amount, currency)",
    )
    .bind(orders.iter().map(|o| o.id.uuid()).collect::<Vec<_>>())
    .bind(orders.iter().map(|o| o.provider).collect::<Vec<_>>())
    .bind(orders.iter().map(|o| o.method.as_str()).collect::<Vec<_>>())
    .bind(orders.iter().map(|o| o.money.amount).collect::<Vec<_>>())
    .bind(
        orders
            .iter()
            .map(|o| o.money.currency.as_str())
            .collect::<Vec<_>>(),
    )
    .execute(tx)
    .await
    .map(drop)
}

/// Tells the event store that these payments have begun.
pub async fn started(tx: &mut PgConnection, orders: &[&NewOrder]) -> Result<(), sqlx::Error> {
    let events = orders.iter().map(|order| store::DomainEvent {
        event: order.event,
        order: Some(order.id),
        kind: store::Kind::PaymentStarted,
        payload: serde_json::json!({
            "amount": order.money.amount,
            "currency": order.money.currency,
            "fan_id": order.fan,
        }),
    });
    store::append(tx, &events.collect::<Vec<_>>()).await
}

/// A single refused order, in a transaction of its own. False when the order
/// is there already.
pub async fn refused(
    pool: &PgPool,
    order: &NewOrder,
    refusal: Refusal,
) -> Result<bool, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    let written = orders(&mut connection, &[Fresh::refused(order, refusal)]).await;
    match written {
        Err(error) if super::fault::constraint(&error) == Some("orders_pkey") => Ok(false),
        other => other.map(|rows| rows == 1),
    }
}
