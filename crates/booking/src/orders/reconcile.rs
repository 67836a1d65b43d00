//! The reconciler: finishes what a crash, a lost reply or a slow bank left
//! unfinished, by whatever state is recorded. Any number of nodes may run it.

use std::time::Duration;

use usher_base::{EventId, Timestamp};

use super::drive::Driven;
use super::{CommitError, Order, OrderState, Orders};
use crate::failpoints::{Point, reach};
use crate::holds::{HoldError, MAX_COMMITTING, PinnedOrder};
use crate::pg::close::{self, Attempt};
use crate::pg::{read, sync};

/// Orders that one round takes.
pub const MAX_ORDERS_A_ROUND: u32 = 100;
/// Abandoned holds of one event that one round closes.
const MAX_PINS_A_ROUND: usize = 200;
/// How long a taken order is left alone by other reconcilers: longer than all
/// the calls that one look can make.
const LEASE: Duration = Duration::from_secs(30);
/// A pinned hold whose order is not in Postgres by then was left by a crash.
const ABANDONED_AFTER_MS: i64 = 10_000;
/// Orders looked at together, so that one slow payment does not hold up all, and
/// requests find a connection beside them.
const MAX_AT_ONCE: usize = 8;

/// What one round did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Round {
    pub orders: usize,
    pub abandoned: usize,
}

impl Round {
    /// Whether there may be more to do at once.
    pub fn is_full(&self) -> bool {
        self.orders >= MAX_ORDERS_A_ROUND as usize || self.abandoned >= MAX_PINS_A_ROUND
    }
}

impl Orders {
    /// One round: call it every second, and at once again while it is full.
    /// `events` are those that are open in Redis now.
    pub async fn reconcile(&self, events: &[EventId]) -> Result<Round, CommitError> {
        let due = read::take_due(&self.pool, MAX_ORDERS_A_ROUND, LEASE.as_secs_f64()).await?;
        let mut round = Round {
            orders: due.len(),
            abandoned: 0,
        };
        for some in due.chunks(MAX_AT_ONCE) {
            futures::future::join_all(some.iter().map(|order| self.finish(order))).await;
        }
        for event in events {
            round.abandoned += self.close_abandoned(*event).await?;
        }
        metrics::counter!("usher_reconciled_orders_total").increment(round.orders as u64);
        metrics::counter!("usher_abandoned_pins_total").increment(round.abandoned as u64);
        Ok(round)
    }

    /// A failure is written to the log and tried again when the lease is over.
    async fn finish(&self, order: &Order) {
        if let Err(error) = self.try_to_finish(order).await {
            tracing::warn!(order = %order.id, %error, "an order could not be finished yet");
        }
    }

    async fn try_to_finish(&self, order: &Order) -> Result<(), sqlx::Error> {
        let was_told = order.state != OrderState::Pending && !order.synced;
        if was_told {
            self.tell(order).await;
        }
        let driven = self.drive(order).await?;
        let Some(now) = read::order(&self.pool, order.id).await? else {
            return Ok(());
        };
        if now.state == OrderState::Pending {
            return Ok(());
        }
        if !now.synced {
            // The note that it was told comes a little later.
            if !was_told || now.state != order.state {
                self.tell(&now).await;
            }
        } else if matches!(driven, Driven::Done | Driven::Refunded) {
            sync::rest(&self.pool, now.id, now.state).await?;
        }
        Ok(())
    }

    /// Holds that are pinned to orders which never came to Postgres, or whose
    /// end Redis was not told.
    async fn close_abandoned(&self, event: EventId) -> Result<usize, CommitError> {
        let before = Timestamp::from_millis(self.clock.now().millis() - ABANDONED_AFTER_MS);
        let pins = self.holds.committing(event, before, MAX_COMMITTING).await;
        let pins = pins.map_err(HoldError::from)?;
        let pins = read::without_pending_order(&self.pool, pins).await?;
        for pin in pins.iter().take(MAX_PINS_A_ROUND) {
            if let Err(error) = self.close_pin(event, *pin).await {
                tracing::warn!(order = %pin.order, %error, "a pinned hold stays for now");
            }
        }
        Ok(pins.len().min(MAX_PINS_A_ROUND))
    }

    async fn close_pin(&self, event: EventId, pin: PinnedOrder) -> Result<(), CommitError> {
        match read::order(&self.pool, pin.order).await? {
            Some(order) if order.reservation != pin.reservation => {
                self.unpin(event, pin.order, pin.reservation).await;
            }
            Some(order) => self.tell(&order).await,
            None => self.abandon(event, pin).await?,
        }
        Ok(())
    }

    async fn abandon(&self, event: EventId, pin: PinnedOrder) -> Result<(), CommitError> {
        let hold = self.holds.get(event, pin.reservation).await?;
        let attempt = Attempt {
            event,
            order: pin.order,
            reservation: pin.reservation,
            fan: hold.fan,
        };
        reach(Point::BeforeAbandon);
        let closed = close::never_begun(&self.pool, attempt, close::ABANDONED).await?;
        reach(Point::AfterAbandon);
        if closed && let Some(order) = read::order(&self.pool, pin.order).await? {
            self.tell(&order).await;
        }
        Ok(())
    }
}
