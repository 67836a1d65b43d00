//! The words by which the desk finds orders: a read model of the orders' bills, entered
//! as the relay publishes that a payment has begun. It is rebuilt from the orders, and
//! compared with them.

use sqlx::{PgConnection, PgPool};
use usher_base::{EventId, OrderId};

use super::store::{Kind, StoredEvent};

/// Differences that one comparison names.
const MAX_NAMED: i64 = 100;

/// The order whose payment has begun, if that is what happened.
pub(super) fn begun(event: &StoredEvent) -> Option<OrderId> {
    let is_told = event.kind == Kind::PaymentStarted.as_str();
    event.order_id.filter(|_| is_told)
}

/// Enters the words of these orders' bills.
pub(super) async fn enter(
    tx: &mut PgConnection,
    orders: impl Iterator<Item = &OrderId>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO desk_words
         SELECT id, words_of_bill(billing) FROM orders WHERE id = ANY ($1)
         ON CONFLICT (order_id) DO NOTHING",
    )
    .bind(orders.map(|order| order.uuid()).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map(drop)
}

/// Writes the words of an event's orders anew.
pub async fn rebuild(pool: &PgPool, event: EventId) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO desk_words
         SELECT o.id, words_of_bill(o.billing) FROM orders o JOIN payments p ON p.order_id = o.id
         WHERE o.event_id = $1
         ON CONFLICT (order_id) DO UPDATE SET words = excluded.words",
    )
    .bind(event.uuid())
    .execute(pool)
    .await
    .map(drop)
}

/// Orders that are not found by the words of their bills, though it was published that
/// their payment has begun.
pub async fn differences(pool: &PgPool, event: EventId) -> Result<Vec<String>, sqlx::Error> {
    let numbers: Vec<String> = sqlx::query_scalar(
        "SELECT o.number FROM orders o JOIN payments p ON p.order_id = o.id
             LEFT JOIN desk_words d ON d.order_id = o.id
         WHERE o.event_id = $1 AND d.words IS DISTINCT FROM words_of_bill(o.billing)
             AND NOT EXISTS (SELECT FROM outbox b JOIN domain_events e USING (id)
                 WHERE e.order_id = o.id AND e.kind = 'PaymentStarted')
         ORDER BY o.number LIMIT $2",
    )
    .bind(event.uuid())
    .bind(MAX_NAMED)
    .fetch_all(pool)
    .await?;
    let named = |number| format!("order {number} is not found by its bill");
    Ok(numbers.into_iter().map(named).collect())
}
