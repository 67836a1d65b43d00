//! The stock rule: nobody is called in to an empty shop. Of n people who have not decided yet, n c will hold, give or
//! take; they may be as many as the free seats serve with some confidence. Expired holds open the door again.
//! Undecided is who could still hold: whoever stayed much longer than holders take counts for little, because
//! silent leavers look as if they were inside until their session ends, and would keep the door shut.

use serde::{Deserialize, Serialize};

use super::cohorts::Cohorts;
use super::room::{Room, Stock};
use super::tuning::Tuning;

/// Nine times in ten it is no more than so many standard deviations above the mean.
const Z_90: f64 = 1.2816;
/// An order has no more.
const MOST_SEATS: f64 = 1_000.0;
/// Of the seats of an order, relative: people want one to four, or so.
const ORDER_VARIANCE: f64 = 0.25;

/// From claim to first hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StockRule {
    holds: Cohorts,
}

impl StockRule {
    /// Nothing measured yet.
    pub fn new(tuning: &Tuning) -> Self {
        Self {
            holds: Cohorts::new(tuning.holds),
        }
    }

    /// Goes on with other assumptions.
    pub fn retune(&mut self, tuning: &Tuning) {
        self.holds.retune(tuning.holds);
    }

    /// Takes what happened since the last tick. Without free seats nobody else can hold, so nothing is learned.
    pub fn observe(&mut self, now_ms: u64, dt_s: f64, room: &Room, stock: &Stock) {
        let claims = room
            .claims
            .iter()
            .fold(0_u32, |sum, c| sum.saturating_add(c.count));
        if stock.free_seats == 0 {
            self.holds.note(now_ms, dt_s, claims, &stock.first_holds);
        } else {
            self.holds.observe(now_ms, dt_s, claims, &stock.first_holds);
        }
    }

    /// Share of sessions that hold (c).
    pub fn hold_share(&self) -> f64 {
        self.holds.share()
    }

    /// People who may still come in, beside those inside who have not decided and the `pending` on their way. While
    /// a seat is free and nobody else is after it, one: the rule alone would never let anybody in for the last seats.
    pub fn places(&self, now_ms: u64, stock: &Stock, pending: f64, z: f64) -> f64 {
        if stock.free_seats == 0 {
            return 0.0;
        }
        let orders = stock.free_seats as f64 / seats_per_order(stock);
        let allowed = largest_crowd(orders, self.hold_share(), z).max(1.0);
        (allowed - self.holds.undecided(now_ms) - pending).max(0.0)
    }

    /// People who may still come in and find something nine times in ten, whatever is not yet known well of
    /// how many hold and how much they take. Fewer than `places`: those may be let in, these can be promised it.
    /// `doubt` is the relative variance of who comes at all.
    pub fn reach(&self, now_ms: u64, stock: &Stock, pending: f64, doubt: f64) -> f64 {
        let (share, seats) = (self.hold_share(), seats_per_order(stock));
        let of_orders = ORDER_VARIANCE / (stock.orders as f64 + 1.0);
        let people = Demand {
            each: share * seats,
            luck: share * seats * seats * (1.0 - share + ORDER_VARIANCE),
            doubt: self.holds.share_variance() + of_orders + doubt,
        }
        .people(stock.free_seats as f64);
        (people - self.holds.undecided(now_ms) - pending).max(0.0)
    }
}

/// Whatever was measured, within what an order can be.
fn seats_per_order(stock: &Stock) -> f64 {
    if stock.seats_per_order >= 1.0 {
        stock.seats_per_order.min(MOST_SEATS)
    } else {
        1.0
    }
}

/// What n people take: `n each` seats, with the variance `n luck + (n each)^2 doubt`.
struct Demand {
    each: f64,
    luck: f64,
    doubt: f64,
}

impl Demand {
    /// The largest n that takes no more than these seats nine times in ten:
    /// `n each + z sqrt(n luck + (n each)^2 doubt) <= seats`.
    fn people(&self, seats: f64) -> f64 {
        let z2 = Z_90 * Z_90;
        // The square of it, `square n^2 - 2 half n + seats^2 = 0`, has the smaller root.
        let square = self.each * self.each * (1.0 - z2 * self.doubt).max(0.1);
        let half = seats * self.each + z2 * self.luck / 2.0;
        let root = (half * half - square * seats * seats).max(0.0).sqrt();
        seats * seats / (half + root)
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
    use crate::control::AgeCount;

    const Z: f64 = 1.0;

    fn stock(free_seats: u64) -> Stock {
        Stock {
            free_seats,
            seats_per_order: 2.5,
            ..Stock::default()
        }
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
    fn what_is_promised_is_less_than_what_is_let_in_and_nears_it() {
        let demand = Demand {
            each: 2.0,
            luck: 3.0,
            doubt: 0.04,
        };
        let n = demand.people(300.0);
        let most = n * 2.0 + Z_90 * (n * 3.0 + 4.0 * n * n * 0.04).sqrt();
        assert!((most - 300.0).abs() < 1e-6, "{most}");
        assert_eq!(demand.people(0.0), 0.0);

        let rule = StockRule::new(&Tuning::default());
        let after = |orders| Stock {
            orders,
            ..stock(5_000)
        };
        let reach = |orders| rule.reach(0, &after(orders), 0.0, 0.0);
        let places = rule.places(0, &stock(5_000), 0.0, Z);
        assert!((0.5..0.7).contains(&(reach(0) / places)), "{}", reach(0));
        assert!(
            (0.8..1.0).contains(&(reach(2_000) / places)),
            "{}",
            reach(2_000)
        );
        assert_eq!(rule.reach(0, &stock(5_000), 5_000.0, 0.0), 0.0);
    }

    #[test]
    fn the_door_closes_at_nothing_opens_for_one_and_reopens() {
        let tuning = Tuning::default();
        let rule = StockRule::new(&tuning);
        assert_eq!(rule.places(0, &stock(0), 0.0, Z), 0.0);
        assert_eq!(rule.places(0, &stock(1), 0.0, Z), 1.0);
        assert_eq!(rule.places(0, &stock(1), 1.0, Z), 0.0);
        assert!(rule.places(0, &stock(500), 0.0, Z) > 150.0);
    }

    #[test]
    fn who_stays_without_holding_stops_blocking_the_door() {
        let tuning = Tuning::default();
        let mut rule = StockRule::new(&tuning);
        let claims = |count| Room {
            claims: vec![AgeCount { age_s: 3, count }],
            ..Room::default()
        };
        rule.observe(1_000, 1.0, &claims(40), &stock(50));
        assert_eq!(rule.places(1_000, &stock(50), 0.0, Z), 0.0);
        for s in 2..400 {
            rule.observe(s * 1_000, 1.0, &claims(0), &stock(50));
        }
        assert!(rule.places(400_000, &stock(50), 0.0, Z) > 15.0);
    }

    #[test]
    fn the_hold_share_is_learned_but_not_from_an_empty_shop() {
        let tuning = Tuning::default();
        let mut rule = StockRule::new(&tuning);
        let room = Room {
            claims: vec![AgeCount { age_s: 3, count: 5 }],
            ..Room::default()
        };
        for s in 0..900 {
            let count = if s >= 20 { 2 } else { 0 };
            let seen = Stock {
                first_holds: vec![AgeCount { age_s: 20, count }],
                ..stock(500)
            };
            rule.observe(s * 1_000, 1.0, &room, &seen);
        }
        let learned = rule.hold_share();
        assert!((learned - 0.4).abs() < 0.04, "c = {learned}");
        rule.observe(900_000, 1.0, &room, &stock(0));
        assert_eq!(rule.hold_share(), learned);
    }
}
