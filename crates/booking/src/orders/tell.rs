//! Step 5 of a commit: Redis is told what Postgres has decided, and that it
//! was told is noted. All of it may be repeated, and is by the reconciler until
//! it has worked in the epoch that is in force.

use std::time::Duration;

use usher_base::redis::CallError;
use usher_base::{EventId, OrderId, ReservationId};

use super::drive::PAYMENT_TOO_LATE;
use super::{Order, OrderState, Orders, Refusal};
use crate::failpoints::{Point, reach};
use crate::holds::{SoldOrder, Unpin};
use crate::inventory::Selection;
use crate::pg::close::ABANDONED;
use crate::pg::sync::Told;

/// How long a fan whose card was declined has at least for another try.
const RETRY_TIME: Duration = Duration::from_secs(120);

/// What becomes of the hold of an order that failed. Pure.
fn after_failure(reason: &str) -> Unpin {
    match Refusal::from_code(reason) {
        // Its seats are not to be had: let go of them.
        Some(Refusal::SeatTaken | Refusal::TierFull | Refusal::FanLimit | Refusal::Invalid) => {
            Unpin::Free
        }
        // Back to its fan, if its time is not over.
        Some(Refusal::OtherEpoch | Refusal::TooLate | Refusal::HoldBusy) => {
            Unpin::BackToFan(Duration::ZERO)
        }
        None if reason == ABANDONED || reason == PAYMENT_TOO_LATE => {
            Unpin::BackToFan(Duration::ZERO)
        }
        None => Unpin::BackToFan(RETRY_TIME),
    }
}

impl Orders {
    /// Tells Redis, and notes it. What does not work now is done later.
    pub(super) async fn tell(&self, order: &Order) {
        if order.state == OrderState::Pending {
            return;
        }
        // Before the call, so that a raise in between leaves it to be repeated.
        let epoch = self.redis.epoch();
        reach(Point::BeforeTell);
        let told = self.call_redis(order).await;
        reach(Point::AfterTell);
        if let Err(error) = told {
            tracing::warn!(order = %order.id, state = %order.state, %error, "redis is told later");
            return;
        }
        reach(Point::BeforeNote);
        self.writer.note(Told {
            order: order.id,
            state: order.state,
            epoch,
        });
        reach(Point::AfterNote);
    }

    /// A hold that is pinned to an order which has no use for it.
    pub(super) async fn unpin(&self, event: EventId, order: OrderId, hold: ReservationId) {
        let back = Unpin::BackToFan(Duration::ZERO);
        if let Err(error) = self.holds.unpin(event, order, hold, back).await {
            tracing::warn!(%order, %error, "a hold is given back later");
        }
    }

    async fn call_redis(&self, order: &Order) -> Result<(), CallError> {
        let (event, id, hold) = (order.event, order.id, order.reservation);
        match order.state {
            OrderState::Pending => Ok(()),
            OrderState::Paid => {
                let sold = sold(order)?;
                self.holds.settle(event, &sold).await.map(drop)
            }
            OrderState::Failed => {
                let then = after_failure(order.failure.as_deref().unwrap_or_default());
                self.holds.unpin(event, id, hold, then).await.map(drop)
            }
            OrderState::Cancelled | OrderState::Refunded => {
                self.holds.restock(event, id, hold).await.map(drop)
            }
        }
    }
}

fn sold(order: &Order) -> Result<SoldOrder, CallError> {
    let selection = Selection::new(order.seats(), order.tiers());
    Ok(SoldOrder {
        order: order.id,
        reservation: order.reservation,
        fan: order.fan,
        // Postgres took only orders whose holds had been such selections.
        selection: selection.map_err(|bad| CallError::Refused(bad.to_string()))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declined_card_leaves_time_for_another() {
        assert_eq!(after_failure("card_declined"), Unpin::BackToFan(RETRY_TIME));
    }

    #[test]
    fn seats_that_are_not_to_be_had_are_let_go() {
        assert_eq!(after_failure("seat_unavailable"), Unpin::Free);
        assert_eq!(after_failure("tier_sold_out"), Unpin::Free);
    }

    #[test]
    fn nobody_gets_new_time_for_our_own_faults() {
        for reason in [ABANDONED, PAYMENT_TOO_LATE, "inventory_restored"] {
            assert_eq!(after_failure(reason), Unpin::BackToFan(Duration::ZERO));
        }
    }
}
