//! Webhooks that came in: each is taken once, and the order it is about is put
//! before the reconciler, in one transaction. The notice itself decides nothing.

use sqlx::PgPool;
use usher_base::OrderId;
use uuid::Uuid;

use crate::payments::Notice;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The order is looked at now.
    Noted,
    /// It was taken before.
    Again,
    /// No order of ours is meant.
    Unknown,
}

pub async fn take(pool: &PgPool, provider: &str, notice: &Notice) -> Result<Taken, sqlx::Error> {
    let mut tx = pool.begin().await?;
    let order: Option<Uuid> = sqlx::query_scalar(
        "SELECT order_id FROM payments
         WHERE provider = $1 AND (order_id = $2 OR reference = $3) LIMIT 1",
    )
    .bind(provider)
    .bind(notice.order.map(OrderId::uuid))
    .bind(notice.reference.as_deref())
    .fetch_optional(&mut *tx)
    .await?;
    let first = sqlx::query(
        "INSERT INTO provider_notices (provider, id, order_id) VALUES ($1, $2, $3)
         ON CONFLICT DO NOTHING",
    )
    .bind(provider)
    .bind(&notice.id)
    .bind(order)
    .execute(&mut *tx)
    .await?;
    let taken = match order {
        _ if first.rows_affected() == 0 => Taken::Again,
        None => Taken::Unknown,
        Some(order) => {
            sqlx::query("UPDATE orders SET look_at = now() WHERE id = $1")
                .bind(order)
                .execute(&mut *tx)
                .await?;
            Taken::Noted
        }
    };
    tx.commit().await?;
    Ok(taken)
}

/// Forgets notices that no provider sends again: Stripe gives up after three
/// days.
pub async fn prune(pool: &PgPool) -> Result<u64, sqlx::Error> {
    let done =
        sqlx::query("DELETE FROM provider_notices WHERE received_at < now() - interval '30 days'")
            .execute(pool)
            .await?;
    Ok(done.rows_affected())
}
