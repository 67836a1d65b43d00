//! The read models in Postgres: what was sold in each minute, folded from the
//! event store as the relay publishes it. It is rebuilt from the store, and
//! compared with the store; what the store says is compared with the orders.

use serde::Serialize;
use sqlx::{PgConnection, PgPool};
use usher_base::{EventId, Timestamp};

use super::{columns, outbox};

/// Differences that one comparison names.
const MAX_NAMED: i64 = 100;

/// What was sold in one minute, cancelled since or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SalesMinute {
    pub minute: Timestamp,
    pub orders: i64,
    pub tickets: i64,
    /// In minor units of the event's currency.
    pub amount: i64,
}

macro_rules! sales_in_store {
    ($rest:literal) => {
        concat!(
            "SELECT event_id, date_trunc('minute', at) AS minute, count(*)::bigint AS orders,
                 sum((payload->>'tickets')::bigint)::bigint AS tickets,
                 sum((payload->'total'->>'amount')::bigint)::bigint AS amount
             FROM domain_events WHERE kind = 'BookingConfirmed' AND ",
            $rest,
            " GROUP BY 1, 2"
        )
    };
}

/// Adds what is being published; in the publishing transaction, so once.
pub(super) async fn fold(tx: &mut PgConnection, ids: &[i64]) -> Result<(), sqlx::Error> {
    sqlx::query(concat!(
        "INSERT INTO sales_by_minute ",
        sales_in_store!("id = ANY ($1)"),
        " ORDER BY 1, 2
         ON CONFLICT (event_id, minute) DO UPDATE SET
             orders = sales_by_minute.orders + excluded.orders,
             tickets = sales_by_minute.tickets + excluded.tickets,
             amount = sales_by_minute.amount + excluded.amount"
    ))
    .bind(ids)
    .execute(tx)
    .await
    .map(drop)
}

/// The minutes from `since` on in which something was sold, oldest first.
pub async fn sales(
    pool: &PgPool,
    event: EventId,
    since: Timestamp,
) -> Result<Vec<SalesMinute>, sqlx::Error> {
    let rows: Vec<(time::OffsetDateTime, i64, i64, i64)> = sqlx::query_as(
        "SELECT minute, orders, tickets, amount FROM sales_by_minute
         WHERE event_id = $1 AND minute >= $2 ORDER BY minute",
    )
    .bind(event.uuid())
    .bind(since.to_datetime())
    .fetch_all(pool)
    .await?;
    let minute = |(minute, orders, tickets, amount)| SalesMinute {
        minute: columns::at(minute),
        orders,
        tickets,
        amount,
    };
    Ok(rows.into_iter().map(minute).collect())
}

/// Writes an event's sales anew from the store; no relay works meanwhile.
pub async fn rebuild(pool: &PgPool, event: EventId) -> Result<(), sqlx::Error> {
    let mut tx = pool.begin().await?;
    outbox::wait_for_relay(&mut tx).await?;
    sqlx::query("DELETE FROM sales_by_minute WHERE event_id = $1")
        .bind(event.uuid())
        .execute(&mut *tx)
        .await?;
    sqlx::query(concat!(
        "INSERT INTO sales_by_minute ",
        sales_in_store!("event_id = $1 AND id NOT IN (SELECT id FROM outbox)")
    ))
    .bind(event.uuid())
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}

/// Minutes of which the read model and the store tell different sales.
pub async fn sales_differences(pool: &PgPool, event: EventId) -> Result<Vec<String>, sqlx::Error> {
    type Row = (time::OffsetDateTime, Option<i64>, Option<i64>);
    let rows: Vec<Row> = sqlx::query_as(concat!(
        "SELECT minute, v.tickets, s.tickets FROM
             (SELECT * FROM sales_by_minute WHERE event_id = $1) v FULL JOIN (",
        sales_in_store!("event_id = $1 AND id NOT IN (SELECT id FROM outbox)"),
        ") s USING (minute)
         WHERE (v.orders, v.tickets, v.amount) IS DISTINCT FROM (s.orders, s.tickets, s.amount)
         ORDER BY minute LIMIT $2"
    ))
    .bind(event.uuid())
    .bind(MAX_NAMED)
    .fetch_all(pool)
    .await?;
    let named = |(minute, shown, stored): Row| {
        format!(
            "{}: {} tickets are shown, {} were sold",
            columns::at(minute).to_rfc3339(),
            shown.unwrap_or(0),
            stored.unwrap_or(0)
        )
    };
    Ok(rows.into_iter().map(named).collect())
}

/// Orders of which the store and the orders themselves tell different bookings.
pub async fn booking_differences(
    pool: &PgPool,
    event: EventId,
) -> Result<Vec<String>, sqlx::Error> {
    type Row = (String, Option<i64>, Option<i64>);
    let rows: Vec<Row> = sqlx::query_as(
        "WITH told AS (
             SELECT order_id AS id, payload->>'fan_id' AS fan, (payload->>'tickets')::bigint AS n
             FROM domain_events b WHERE event_id = $1 AND kind = 'BookingConfirmed'
                 AND NOT EXISTS (SELECT FROM domain_events c WHERE c.event_id = $1
                     AND c.kind = 'OrderCancelled' AND c.order_id = b.order_id)
         ), truth AS (
             SELECT o.id, encode(o.fan_id, 'hex') AS fan, count(*) AS n
             FROM orders o JOIN order_items i ON i.order_id = o.id AND i.live
             WHERE o.event_id = $1 AND o.state = 'paid' GROUP BY o.id
         )
         SELECT coalesce(o.number, id::text), told.n, truth.n
         FROM told FULL JOIN truth USING (id) LEFT JOIN orders o USING (id)
         WHERE (told.fan, told.n) IS DISTINCT FROM (truth.fan, truth.n) ORDER BY 1 LIMIT $2",
    )
    .bind(event.uuid())
    .bind(MAX_NAMED)
    .fetch_all(pool)
    .await?;
    let named = |(order, told, truth): Row| {
        let (told, truth) = (told.unwrap_or(0), truth.unwrap_or(0));
        format!("order {order}: {told} tickets by the event store, {truth} by its items")
    };
    Ok(rows.into_iter().map(named).collect())
}
