//! Step 3: the compare-and-sets by which one of several contenders decides
//! what becomes of a payment. Whoever loses leaves it to the winner.

use sqlx::PgPool;
use usher_base::OrderId;
use uuid::Uuid;

use super::fault;
use super::parts::Parts;

/// What became of a compare-and-set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decided {
    Won,
    /// Somebody else has decided.
    Lost,
    /// Postgres did not answer: it may or may not have been decided. Not tried
    /// again, because to a second try our own decision looks like another's. Or
    /// somebody keeps its row locked: the reconciler decides.
    Unknown,
}

/// To capturing, for a whole batch: from here on the provider may be called.
pub async fn capture(pool: &PgPool, orders: &[OrderId]) -> Vec<Decided> {
    let mut answers = vec![Decided::Unknown; orders.len()];
    let mut parts = Parts::of(orders.len());
    while let Some(part) = parts.next_part() {
        let ids: Vec<Uuid> = part.iter().map(|at| orders[*at].uuid()).collect();
        match to_capturing(pool, &ids).await {
            Ok(won) => {
                for (at, id) in part.into_iter().zip(&ids) {
                    answers[at] = match won.contains(id) {
                        true => Decided::Won,
                        false => Decided::Lost,
                    };
                }
            }
            // Nothing was decided, so the others may be tried again.
            Err(error) if fault::is_locked(&error) => drop(parts.kept_locked(part)),
            Err(error) => {
                tracing::warn!(%error, payments = ids.len(), "payments could not be decided");
                break;
            }
        }
    }
    answers
}

async fn to_capturing(pool: &PgPool, orders: &[Uuid]) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "UPDATE payments SET state = 'capturing', updated_at = now() FROM orders
         WHERE payments.order_id = ANY($1) AND payments.state IN ('pending', 'requires_action')
            AND orders.id = payments.order_id AND orders.state = 'pending'
         RETURNING payments.order_id",
    )
    .bind(orders)
    .fetch_all(pool)
    .await
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
