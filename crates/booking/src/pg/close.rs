//! How an order ends without its seats: failed, cancelled, refunded, or never
//! begun. Each is one transaction and one compare-and-set; the items stop being
//! live and the limits go down in the same breath. Locks are taken in the
//! order of `record`: tiers, fans, orders, seats.

use sqlx::{PgConnection, PgPool};
use usher_base::{EventId, FanId, OrderId, ReservationId};

use super::audit::{self, Entry};
use super::columns;
use super::store::{self, DomainEvent, Kind};
use crate::orders::{Order, OrderNumber, OrderState};
use crate::payments::PaymentState;

/// The recorded failure of an attempt that died before it came to Postgres.
pub const ABANDONED: &str = "abandoned";

/// How a payment came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// capturing -> failed: the provider said no.
    Failed,
    /// voiding -> voided: we decided so.
    Voided,
}

/// pending -> failed, its seats free. False when somebody else decided.
pub async fn fail(
    pool: &PgPool,
    order: &Order,
    closing: Closing,
    reason: &str,
    reference: Option<&str>,
) -> Result<bool, sqlx::Error> {
    let (from, to) = match closing {
        Closing::Failed => (PaymentState::Capturing, PaymentState::Failed),
        Closing::Voided => (PaymentState::Voiding, PaymentState::Voided),
    };
    let mut tx = pool.begin().await?;
    if !is_still(&mut tx, order.id, OrderState::Pending).await? {
        return Ok(false);
    }
    lower_limits(&mut tx, order).await?;
    let closed = sqlx::query(
        "WITH closed AS (
            UPDATE payments SET state = $3, reference = coalesce($5, reference), updated_at = now()
            WHERE order_id = $1 AND state = $2 RETURNING order_id)
         UPDATE orders SET state = 'failed', failure = $4, decided_at = now(),
            redis_synced_epoch = NULL, look_at = now() + interval '5 seconds'
         FROM closed WHERE orders.id = closed.order_id AND orders.state = 'pending'",
    )
    .bind(order.id.uuid())
    .bind(from.as_str())
    .bind(to.as_str())
    .bind(reason)
    .bind(reference)
    .execute(&mut *tx)
    .await?;
    if closed.rows_affected() == 0 {
        tx.rollback().await?;
        return Ok(false);
    }
    free_items(&mut tx, order.id).await?;
    let failed = about(
        order,
        Kind::PaymentFailed,
        serde_json::json!({ "reason": reason }),
    );
    store::append(&mut tx, &[failed, released(order)]).await?;
    tx.commit().await?;
    Ok(true)
}

/// As the audit log names it.
pub const CANCELLED: &str = "order_cancelled";

/// What became of a wish to cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    Now,
    /// One of its tickets was used at the door.
    Used,
    /// It is not paid (any more).
    NotPaid,
}

/// paid -> cancelled: tickets void, seats free, refund to follow.
pub async fn cancel(pool: &PgPool, order: &Order, actor: &str) -> Result<Cancelled, sqlx::Error> {
    let mut tx = pool.begin().await?;
    if !is_still(&mut tx, order.id, OrderState::Paid).await? {
        return Ok(Cancelled::NotPaid);
    }
    lower_limits(&mut tx, order).await?;
    let done = sqlx::query(
        "UPDATE orders SET state = 'cancelled', decided_at = now(), redis_synced_epoch = NULL,
            look_at = now()
         WHERE id = $1 AND state = 'paid'",
    )
    .bind(order.id.uuid())
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() == 0 {
        tx.rollback().await?;
        return Ok(Cancelled::NotPaid);
    }
    let voided = sqlx::query(
        "UPDATE tickets SET state = 'cancelled' WHERE order_id = $1 AND state = 'active'",
    )
    .bind(order.id.uuid())
    .execute(&mut *tx)
    .await?;
    if voided.rows_affected() != order.items.len() as u64 {
        tx.rollback().await?;
        return Ok(Cancelled::Used);
    }
    free_items(&mut tx, order.id).await?;
    let told = about(
        order,
        Kind::OrderCancelled,
        serde_json::json!({ "by": actor }),
    );
    store::append(&mut tx, &[told, released(order)]).await?;
    let entry = entry(order, actor, CANCELLED);
    audit::append(&mut tx, &[entry]).await?;
    tx.commit().await?;
    Ok(Cancelled::Now)
}

/// The money went back, for a cancelled order or because it came too late.
pub async fn refunded(pool: &PgPool, order: &Order) -> Result<bool, sqlx::Error> {
    let mut tx = pool.begin().await?;
    let done = sqlx::query(
        "UPDATE payments SET state = 'refunded', updated_at = now()
         WHERE order_id = $1 AND state IN ('captured', 'failed', 'voided')",
    )
    .bind(order.id.uuid())
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() == 0 {
        tx.rollback().await?;
        return Ok(false);
    }
    sqlx::query("UPDATE orders SET state = 'refunded' WHERE id = $1 AND state = 'cancelled'")
        .bind(order.id.uuid())
        .execute(&mut *tx)
        .await?;
    let told = about(order, Kind::OrderRefunded, serde_json::json!(order.money));
    store::append(&mut tx, &[told]).await?;
    audit::append(&mut tx, &[entry(order, audit::SYSTEM, "payment_refunded")]).await?;
    tx.commit().await?;
    Ok(true)
}

/// An order by its ids alone.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    pub event: EventId,
    pub order: OrderId,
    pub reservation: ReservationId,
    pub fan: FanId,
}

/// Closes an attempt of which Postgres has nothing: from now on the order
/// cannot be recorded, so its hold may go back. False when the order is there
/// after all.
pub async fn never_begun(
    pool: &PgPool,
    attempt: Attempt,
    failure: &str,
) -> Result<bool, sqlx::Error> {
    // XXX is ISO 4217's own word for "no currency".
    let done = sqlx::query(
        "INSERT INTO orders (id, number, event_id, fan_id, reservation_id, state, failure, amount,
            currency, billing, epoch, pay_by, decided_at, look_at)
         SELECT $1, $2, $3, $4, $5, 'failed', $6, 0, 'XXX', '{}', epoch, now(), now(), now()
         FROM deployment
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(attempt.order.uuid())
    .bind(OrderNumber::of(attempt.order).as_str())
    .bind(attempt.event.uuid())
    .bind(attempt.fan.bytes().as_slice())
    .bind(attempt.reservation.uuid())
    .bind(failure)
    .execute(pool)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A look ahead, so that limits are not lowered for an order that ended long
/// ago; the compare-and-set decides.
async fn is_still(
    tx: &mut PgConnection,
    order: OrderId,
    state: OrderState,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM orders WHERE id = $1 AND state = $2)")
        .bind(order.uuid())
        .bind(state.as_str())
        .fetch_one(tx)
        .await
}

async fn lower_limits(tx: &mut PgConnection, order: &Order) -> Result<(), sqlx::Error> {
    for (tier, count) in order.tiers() {
        sqlx::query(
            "UPDATE tier_sold SET sold = sold - $3 WHERE event_id = $1 AND tier_index = $2",
        )
        .bind(order.event.uuid())
        .bind(i32::from(tier.0))
        .bind(columns::int(count))
        .execute(&mut *tx)
        .await?;
    }
    sqlx::query("UPDATE fan_bought SET bought = bought - $3 WHERE event_id = $1 AND fan_id = $2")
        .bind(order.event.uuid())
        .bind(order.fan.bytes().as_slice())
        .bind(i32::try_from(order.items.len()).unwrap_or(i32::MAX))
        .execute(tx)
        .await
        .map(drop)
}

async fn free_items(tx: &mut PgConnection, order: OrderId) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE order_items SET live = false WHERE order_id = $1")
        .bind(order.uuid())
        .execute(tx)
        .await
        .map(drop)
}

fn about(order: &Order, kind: Kind, payload: serde_json::Value) -> DomainEvent {
    DomainEvent {
        event: order.event,
        order: Some(order.id),
        kind,
        payload,
    }
}

fn released(order: &Order) -> DomainEvent {
    let places: Vec<_> = order.items.iter().map(|item| item.place).collect();
    about(
        order,
        Kind::SeatReleased,
        serde_json::json!({ "places": places }),
    )
}

fn entry(order: &Order, actor: &str, action: &'static str) -> Entry {
    Entry {
        actor: actor.to_owned(),
        action,
        subject: order.number.to_string(),
        details: serde_json::json!(order.money),
    }
}
