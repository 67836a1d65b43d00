//! How much of an event is sold, for operators and for the admission.

use sqlx::PgPool;
use usher_base::EventId;

/// Paid orders and their tickets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub orders: u64,
    pub tickets: u64,
}

pub async fn read(pool: &PgPool, event: EventId) -> Result<Totals, sqlx::Error> {
    let (orders, tickets): (i64, i64) = sqlx::query_as(
        "SELECT count(DISTINCT o.id), count(i.order_id)
         FROM orders o JOIN order_items i ON i.order_id = o.id AND i.live
         WHERE o.event_id = $1 AND o.state = 'paid'",
    )
    .bind(event.uuid())
    .fetch_one(pool)
    .await?;
    Ok(Totals {
        orders: u64::try_from(orders).unwrap_or(0),
        tickets: u64::try_from(tickets).unwrap_or(0),
    })
}
