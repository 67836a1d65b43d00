//! The book of the built-in `test` provider: durable, so that after a crash
//! its answers are the truth. It plays somebody outside, so nothing else may
//! read it.

use std::time::Duration;

use sqlx::PgPool;
use usher_base::OrderId;

use crate::payments::Charge;

/// What the book says: a word of the table's CHECK, ripened where it is time.
pub async fn look_up(pool: &PgPool, order: OrderId) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT CASE WHEN state = 'processing' AND ripe_at <= now() THEN 'authorised'
            ELSE state END FROM test_payments WHERE order_id = $1",
    )
    .bind(order.uuid())
    .fetch_optional(pool)
    .await
}

/// Opens the payment, unless it was opened before; returns what the book says.
pub async fn open(
    pool: &PgPool,
    charge: &Charge,
    state: &str,
    ripe_after: Option<Duration>,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query(
        "INSERT INTO test_payments (order_id, method, amount, currency, state, ripe_at)
         VALUES ($1, $2, $3, $4, $5, now() + make_interval(secs => $6))
         ON CONFLICT (order_id) DO NOTHING",
    )
    .bind(charge.order.uuid())
    .bind(&charge.method)
    .bind(charge.money.amount)
    .bind(&charge.money.currency)
    .bind(state)
    .bind(ripe_after.map(|span| span.as_secs_f64()))
    .execute(pool)
    .await?;
    look_up(pool, charge.order).await
}

/// Moves the payment on from one of the states `from`; returns what the book
/// says afterwards.
pub async fn advance(
    pool: &PgPool,
    order: OrderId,
    from: &[&str],
    to: &str,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query(
        "UPDATE test_payments SET state = $3
         WHERE order_id = $1 AND (state = ANY($2)
            OR 'authorised' = ANY($2) AND state = 'processing' AND ripe_at <= now())",
    )
    .bind(order.uuid())
    .bind(from)
    .bind(to)
    .execute(pool)
    .await?;
    look_up(pool, order).await
}
