//! An admitted fan: looks around, holds seats, hesitates, pays or does not. What
//! usher confirms is written down; it is what the oversell check is made of.

use std::time::Duration;

use rand::RngExt;
use tokio::time::{sleep, timeout};

use super::{Fan, may_pass};
use crate::api::No;
use crate::plan::{Payment, Pick};
use crate::record::{Ending, Finding, OrderSeen};
use crate::wire::{
    BestAvailable, BillingDetails, CommitBody, HeldPlace, HoldBody, Order, Reservation, TierCount,
};

/// How many different choices a fan tries before finding nothing.
const HOLD_TRIES_MAX: u32 = 6;
/// How often a fan looks after an order whose outcome is open.
const ORDER_LOOKS_MAX: u32 = 60;
/// How long to wait between looks when the server names no time.
const ORDER_LOOK_DEFAULT: Duration = Duration::from_secs(2);
/// When a fan who loses the reply of the payment loses it.
const REPLY_LOST_AFTER: Duration = Duration::from_millis(20);

impl Fan {
    pub(super) async fn shop(&mut self) -> Result<Ending, Ending> {
        if self.plan.loads_map {
            // A page that fails to load its map shows best-available instead.
            let _ = self.api.load_map().await;
        }
        sleep(self.plan.browses_for).await;
        let held = self.hold_something().await?;
        let reservation = held.reservation_id;
        self.held = held.seats;
        sleep(self.plan.hesitates_for).await;
        if self.plan.gives_hold_back {
            let _ = self.api.give_back(&self.access_token, &reservation).await;
            return Ok(Ending::GaveHoldBack);
        }
        self.pay(&reservation).await
    }

    async fn hold_something(&mut self) -> Result<Reservation, Ending> {
        let mut pick = self.plan.pick;
        let mut alternatives: Vec<String> = Vec::new();
        let (mut choices, mut tried) = (0, 0);
        let mut id = self.new_id();
        loop {
            match self.hold_once(&id, pick, &alternatives).await {
                Ok(reservation) => {
                    self.count_hold();
                    return Ok(reservation);
                }
                Err(no) if may_pass(&no) => {
                    self.hold_on(tried, &no).await?;
                    tried += 1;
                }
                Err(no) if is_about_stock(&no) && choices < HOLD_TRIES_MAX => {
                    let now_ms = self.world.clock.now_ms();
                    self.world.meter.with(|tally, live| {
                        tally.second(now_ms).conflicts += 1;
                        live.conflicts += 1;
                    });
                    choices += 1;
                    alternatives = no.refusal.available_alternatives;
                    if choices * 2 > HOLD_TRIES_MAX {
                        pick = Pick::Best;
                    }
                    id = self.new_id();
                }
                Err(no) if is_about_stock(&no) => return Err(Ending::FoundNothing),
                Err(_) => return Err(Ending::TurnedAway),
            }
        }
    }

    async fn hold_once(
        &mut self,
        id: &str,
        pick: Pick,
        alternatives: &[String],
    ) -> Result<Reservation, No> {
        let count = self.plan.tickets;
        let mut body = HoldBody {
            client_reservation_id: id,
            ..HoldBody::default()
        };
        let free = self.world.seats.current(&self.api).await;
        let seats = if alternatives.is_empty() {
            neighbours(&free.seats, count, &mut self.random)
        } else {
            alternatives.iter().take(count as usize).cloned().collect()
        };
        let tier = match free.tiers.len() {
            0 => None,
            tiers => free.tiers.get(self.random.random_range(0..tiers)),
        };
        match (pick, tier) {
            (Pick::Tier, Some(tier)) => body.tiers = Some([TierCount { tier, count }]),
            (_, Some(tier)) if free.seats.is_empty() => {
                body.tiers = Some([TierCount { tier, count }])
            }
            (Pick::Seats, _) if !seats.is_empty() => body.seat_ids = Some(&seats),
            _ => body.best_available = Some(BestAvailable { count }),
        }
        self.api.hold(&self.access_token, &body).await
    }

    fn count_hold(&self) {
        let now_ms = self.world.clock.now_ms();
        self.world.meter.with(|tally, live| {
            tally.second(now_ms).holds += 1;
            live.holds += 1;
        });
    }

    async fn pay(&mut self, reservation: &str) -> Result<Ending, Ending> {
        let mut method = self.plan.payment.method_id();
        let mut key = self.new_id();
        if self.plan.loses_commit_reply {
            let lost = timeout(REPLY_LOST_AFTER, self.commit(reservation, method, &key)).await;
            if let Ok(Ok((_, order))) = lost {
                // The reply was quicker than the tunnel; the same key must tell the same.
                return self.pay_again(reservation, method, &key, order).await;
            }
        }
        let mut tried = 0;
        loop {
            match self.commit(reservation, method, &key).await {
                Ok((_, order)) => return self.follow(order).await,
                Err(no) if no.status == 402 && self.plan.payment == Payment::DeclinedOnce => {
                    if method == Payment::Success.method_id() {
                        return Ok(Ending::PaymentFailed);
                    }
                    method = Payment::Success.method_id();
                    key = self.new_id();
                }
                Err(no) if may_pass(&no) => {
                    self.hold_on(tried, &no).await?;
                    tried += 1;
                }
                Err(no) if matches!(no.status, 402 | 410) => return Ok(Ending::PaymentFailed),
                Err(_) => return Ok(Ending::TurnedAway),
            }
        }
    }

    async fn pay_again(
        &mut self,
        reservation: &str,
        method: &str,
        key: &str,
        first: Order,
    ) -> Result<Ending, Ending> {
        if let Ok((_, second)) = self.commit(reservation, method, key).await
            && let (Some(one), Some(other)) = (&first.order_number, &second.order_number)
            && one != other
        {
            let (first, second) = (one.clone(), other.clone());
            self.record
                .find(Finding::TwoOrdersForOneKey { first, second });
        }
        self.follow(first).await
    }

    async fn commit(&self, reservation: &str, method: &str, key: &str) -> Result<(u16, Order), No> {
        let email = format!("fan-{}@rehearsal.invalid", self.plan.index);
        let body = CommitBody {
            payment_method_id: method,
            idempotency_key: key,
            billing_details: BillingDetails {
                name: "Rehearsal Fan",
                email: &email,
            },
        };
        let is_slow = self.plan.payment.is_slow();
        self.api
            .commit(&self.access_token, reservation, &body, is_slow)
            .await
    }

    /// Looks after an order until its outcome is known or patience ends.
    async fn follow(&mut self, mut order: Order) -> Result<Ending, Ending> {
        let number = order.order_number.clone();
        let token = order
            .order_token
            .clone()
            .unwrap_or_else(|| self.access_token.clone());
        for _ in 0..ORDER_LOOKS_MAX {
            if order.is_confirmed() {
                self.bought(&order);
                self.look_at_bought(&token).await;
                // Whether it was heard is counted; the tickets are there all the same.
                let _ = self.api.finish(&self.access_token).await;
                return Ok(Ending::Bought);
            }
            if order.is_dead() {
                return Ok(Ending::PaymentFailed);
            }
            // A payment that waits for its fan's bank: this fan has no bank.
            let Some(number) = number
                .as_deref()
                .filter(|_| self.plan.payment != Payment::NeedsAction)
            else {
                return Ok(Ending::PaymentOpen);
            };
            sleep(order.poll_after_ms.map_or(ORDER_LOOK_DEFAULT, |ms| {
                Duration::from_millis(ms.clamp(250, 30_000))
            }))
            .await;
            if let Ok(seen) = self.api.order(&token, number).await {
                order = seen;
            }
        }
        Ok(Ending::PaymentOpen)
    }

    fn bought(&mut self, order: &Order) {
        let now_ms = self.world.clock.now_ms();
        self.world.meter.with(|tally, live| {
            tally.second(now_ms).orders += 1;
            live.orders += 1;
        });
        let (seats, tiers) = places_of(order, &self.held);
        self.record.orders.push(OrderSeen {
            order_number: order.order_number.clone().unwrap_or_default(),
            seats,
            tiers,
        });
    }

    /// Opens the order's page once: what was confirmed must be there.
    async fn look_at_bought(&mut self, token: &str) {
        let Some(order_number) = self
            .record
            .orders
            .last()
            .map(|order| order.order_number.clone())
        else {
            return;
        };
        let is_gone = match self.api.order(token, &order_number).await {
            Ok(order) => !order.is_confirmed(),
            Err(no) => no.status == 404,
        };
        if is_gone {
            self.record
                .find(Finding::ConfirmedOrderVanished { order_number });
        }
    }

    fn new_id(&mut self) -> String {
        format!("{:032x}", self.random.random::<u128>())
    }
}

/// The seats or the tier are taken: another choice may still work.
fn is_about_stock(no: &No) -> bool {
    no.status == 409
}

/// The seats and the tiers of an order's tickets. A ticket for what was not held is
/// kept under its label: two of the same are then seen as sold twice.
fn places_of(order: &Order, held: &[HeldPlace]) -> (Vec<String>, Vec<String>) {
    let (mut seats, mut tiers) = (Vec::new(), Vec::new());
    for ticket in &order.tickets {
        match held.iter().find(|place| place.label == ticket.label) {
            Some(HeldPlace {
                tier: Some(tier), ..
            }) => tiers.push(tier.clone()),
            Some(HeldPlace {
                seat_id: Some(seat),
                ..
            }) => seats.push(seat.clone()),
            _ => seats.push(ticket.label.clone()),
        }
    }
    (seats, tiers)
}

/// `count` seats that follow each other on the map, somewhere among the free ones.
fn neighbours(free: &[String], count: u32, random: &mut rand::rngs::StdRng) -> Vec<String> {
    if free.is_empty() {
        return Vec::new();
    }
    let start = random.random_range(0..free.len());
    free.iter()
        .skip(start)
        .take(count as usize)
        .cloned()
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn tickets_are_told_apart_by_what_was_held() {
        let held: Vec<HeldPlace> = serde_json::from_str(
            r#"[{"seat_id":"a-1","label":"Row A, seat 1","count":1},
                {"tier":"standing","label":"Standing","count":2}]"#,
        )
        .unwrap();
        let order: Order = serde_json::from_str(
            r#"{"tickets":[{"label":"Row A, seat 1"},{"label":"Standing"},
                {"label":"Standing"},{"label":"Row Z, seat 9"}]}"#,
        )
        .unwrap();
        let (seats, tiers) = places_of(&order, &held);
        assert_eq!(seats, ["a-1", "Row Z, seat 9"]);
        assert_eq!(tiers, ["standing", "standing"]);
    }
}
