//! The stock rule: nobody is called in to an empty shop. Of n people inside without a hold, n c will hold, give or
//! take; they may be as many as the free seats serve with some confidence. Expired holds open the door again.

use serde::{Deserialize, Serialize};

use super::room::Stock;
use super::signals::share;
use super::tuning::Tuning;

/// Share of sessions that hold (c), measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StockRule {
    held: f64,
    sessions: f64,
}

impl StockRule {
    /// Takes what happened since the last tick. Without free seats nobody can hold, so nothing is learned.
    pub fn observe(&mut self, stock: &Stock, tuning: &Tuning) {
        if stock.free_seats == 0 {
            return;
        }
        let (held, left) = (f64::from(stock.first_holds), f64::from(stock.ended_without_hold));
        let keep = tuning.hold_share_forget.powf(held + left);
        self.held = self.held * keep + held;
        self.sessions = self.sessions * keep + held + left;
    }

    /// Share of sessions that hold (c).
    pub fn hold_share(&self, tuning: &Tuning) -> f64 {
        let prior = tuning.hold_share_prior * tuning.hold_share_prior_of;
        share(self.held + prior, self.sessions + tuning.hold_share_prior_of).clamp(0.01, 1.0)
    }

    /// People who may be inside or on their way without a hold. While a seat is free, at least one: the rule alone
    /// would never let anybody in for the last seats.
    pub fn room_for(&self, stock: &Stock, tuning: &Tuning) -> f64 {
        if stock.free_seats == 0 {
            return 0.0;
        }
        let seats_per_order = if stock.seats_per_order >= 1.0 { stock.seats_per_order } else { 1.0 };
        let orders = stock.free_seats as f64 / seats_per_order;
        largest_crowd(orders, self.hold_share(tuning), tuning.stock_z).max(1.0)
    }
}

/// The largest n with `n c + z sqrt(n c (1 - c)) <= orders` and `n <= 2 orders / c`.
fn largest_crowd(orders: f64, hold_share: f64, z: f64) -> f64 {
    let spread = z * (hold_share * (1.0 - hold_share)).sqrt();
    let root = (spread * spread + 4.0 * hold_share * orders).sqrt();
    let n = ((root - spread) / (2.0 * hold_share)).powi(2);
    n.min(2.0 * orders / hold_share)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stock(free_seats: u64) -> Stock {
        Stock { free_seats, seats_per_order: 2.5, ..Stock::default() }
    }

    #[test]
    fn the_largest_crowd_solves_the_inequality() {
        for (orders, c, z) in [(100.0, 0.6, 1.0), (3.0, 0.2, 2.0), (2_000.0, 0.95, 0.0)] {
            let n: f64 = largest_crowd(orders, c, z);
            assert!((n * c + z * (n * c * (1.0 - c)).sqrt() - orders).abs() < 1e-6);
        }
        assert_eq!(largest_crowd(100.0, 0.5, -50.0), 400.0);
    }

    #[test]
    fn the_door_closes_at_nothing_opens_for_one_and_reopens() {
        let (rule, tuning) = (StockRule::default(), Tuning::default());
        assert_eq!(rule.room_for(&stock(0), &tuning), 0.0);
        assert_eq!(rule.room_for(&stock(1), &tuning), 1.0);
        assert!(rule.room_for(&stock(500), &tuning) > 150.0);
    }

    #[test]
    fn the_hold_share_is_learned_but_not_from_an_empty_shop() {
        let (mut rule, tuning) = (StockRule::default(), Tuning::default());
        for _ in 0..300 {
            let seen = Stock { first_holds: 2, ended_without_hold: 3, ..stock(500) };
            rule.observe(&seen, &tuning);
        }
        let learned = rule.hold_share(&tuning);
        assert!((learned - 0.4).abs() < 0.03, "c = {learned}");
        rule.observe(&Stock { ended_without_hold: 1_000, ..stock(0) }, &tuning);
        assert_eq!(rule.hold_share(&tuning), learned);
    }
}
