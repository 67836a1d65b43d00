//! Step 5: noting that Redis was told of a decision. It counts only if the
//! epoch in which Redis was told is still in force and locked as such: then the
//! decision is older than any later rebuild, which reads it from Postgres. What
//! was told to a memory that is no longer the right one is told again.

use sqlx::PgPool;
use usher_base::{Epoch, OrderId};

use super::epoch;
use crate::orders::OrderState;

/// Redis was told, in this epoch, that the order is in this state.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    pub order: OrderId,
    pub state: OrderState,
    pub epoch: Epoch,
}

/// Best effort, in batches: whatever is not noted is told to Redis again. An
/// order with a refund under way stays in the reconciler's sight, and so does
/// one that is due: something may have been heard about it meanwhile.
pub async fn note(pool: &PgPool, told: &[Told]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "WITH current AS (SELECT epoch FROM deployment FOR SHARE)
         UPDATE orders SET redis_synced_epoch = current.epoch,
            look_at = CASE WHEN orders.state = 'cancelled' OR look_at <= now() THEN look_at END
         FROM current, unnest($1::uuid[], $2::text[], $3::bigint[]) AS x (id, state, epoch)
         WHERE orders.id = x.id AND orders.state = x.state AND x.epoch = current.epoch",
    )
    .bind(told.iter().map(|t| t.order.uuid()).collect::<Vec<_>>())
    .bind(told.iter().map(|t| t.state.as_str()).collect::<Vec<_>>())
    .bind(
        told.iter()
            .map(|t| epoch::to_column(t.epoch))
            .collect::<Vec<_>>(),
    )
    .execute(pool)
    .await
    .map(drop)
}

/// Nothing is left to do about an order whose state is still `state`.
pub async fn rest(pool: &PgPool, order: OrderId, state: OrderState) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE orders SET look_at = NULL
         WHERE id = $1 AND state = $2 AND redis_synced_epoch IS NOT NULL AND look_at > now()",
    )
    .bind(order.uuid())
    .bind(state.as_str())
    .execute(pool)
    .await
    .map(drop)
}
