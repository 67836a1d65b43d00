//! Step 3: the compare-and-sets by which one of several contenders decides
//! what becomes of a payment. Whoever loses leaves it to the winner.

use sqlx::PgPool;
use usher_base::OrderId;
use uuid::Uuid;

/// What became of a compare-and-set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decided {
    Won,
    /// Somebody else has decided.
    Lost,
    /// Postgres did not answer: it may or may not have been decided. Not tried
    /// again, because to a second try our own decision looks like another's.
    Unknown,
}

/// To capturing, for a whole batch: from here on the provider may be called.
pub async fn capture(pool: &PgPool, orders: &[OrderId]) -> Vec<Decided> {
    let ids: Vec<Uuid> = orders.iter().map(|order| order.uuid()).collect();
    let won: Result<Vec<Uuid>, _> = sqlx::query_scalar(
        "UPDATE payments SET state = 'capturing', updated_at = now() FROM orders
         WHERE payments.order_id = ANY($1) AND payments.state IN ('pending', 'requires_action')
            AND orders.id = payments.order_id AND orders.state = 'pending'
         RETURNING payments.order_id",
    )
    .bind(&ids)
    .fetch_all(pool)
    .await;
    let outcome = |id: &Uuid| match &won {
        Ok(won) if won.contains(id) => Decided::Won,
        Ok(_) => Decided::Lost,
        Err(_) => Decided::Unknown,
    };
    if let Err(error) = &won {
        tracing::warn!(%error, payments = ids.len(), "payments could not be decided");
    }
    ids.iter().map(outcome).collect()
}

/// To voiding: the money is not to be taken any more.
pub async fn void(pool: &PgPool, order: OrderId) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "UPDATE payments SET state = 'voiding', updated_at = now()
         WHERE order_id = $1 AND state IN ('pending', 'requires_action')",
    )
    .bind(order.uuid())
    .execute(pool)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// To requires_action: the fan has to confirm.
pub async fn ask_fan(
    pool: &PgPool,
    order: OrderId,
    reference: Option<&str>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "UPDATE payments SET state = 'requires_action', reference = coalesce($2, reference),
            updated_at = now()
         WHERE order_id = $1 AND state = 'capturing'",
    )
    .bind(order.uuid())
    .bind(reference)
    .execute(pool)
    .await?;
    Ok(done.rows_affected() == 1)
}
