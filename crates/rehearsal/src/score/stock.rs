//! Was anything sold twice? Each seat may be confirmed once among the fans' own
//! orders, tiers stay within capacity, and usher's totals must know every order
//! that a fan was told about.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::record::{FanRecord, Finding};
use crate::wire::Status;

/// Most examples named in the report.
const EXAMPLES_MAX: usize = 20;

/// What the event says about itself before the rehearsal.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    pub total_seats: Option<u64>,
    pub tier_capacity: BTreeMap<String, u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoldTwice {
    pub seat: String,
    pub orders: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TierOver {
    pub tier: String,
    pub confirmed: u64,
    pub capacity: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Stock {
    pub orders: u64,
    pub tickets: u64,
    pub seats_sold_twice: u64,
    pub examples: Vec<SoldTwice>,
    pub tiers_over: Vec<TierOver>,
    /// Tickets confirmed beyond the event's total.
    pub over_total: u64,
    /// By how much usher's own count of free seats fell below zero.
    pub seats_left_below_zero: u64,
    /// How usher's total of orders rose, if the operators' status was readable.
    pub usher_orders: Option<u64>,
    /// Orders confirmed to fans that usher's total does not contain.
    pub orders_unknown_to_usher: u64,
    pub orders_vanished: u64,
    pub two_orders_for_one_key: u64,
}

impl Stock {
    /// Everything that was sold and was not there to sell.
    pub fn oversold(&self) -> u64 {
        let tiers: u64 = self
            .tiers_over
            .iter()
            .map(|over| over.confirmed - over.capacity)
            .sum();
        self.seats_sold_twice + tiers + self.over_total + self.seats_left_below_zero
    }

    /// Everything confirmed to a fan that is not what the fan was told.
    pub fn broken_orders(&self) -> u64 {
        self.orders_unknown_to_usher + self.orders_vanished + self.two_orders_for_one_key
    }
}

pub fn score(
    records: &[FanRecord],
    facts: &Facts,
    before: Option<&Status>,
    after: Option<&Status>,
) -> Stock {
    let mut stock = Stock::default();
    let mut seats: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut tiers: BTreeMap<&str, u64> = BTreeMap::new();
    let mut numbers: BTreeSet<&str> = BTreeSet::new();
    for order in records.iter().flat_map(|record| &record.orders) {
        numbers.insert(&order.order_number);
        for seat in &order.seats {
            seats.entry(seat).or_default().push(&order.order_number);
        }
        for tier in &order.tiers {
            *tiers.entry(tier).or_default() += 1;
        }
    }
    stock.orders = numbers.len() as u64;
    stock.tickets = seats
        .values()
        .map(|orders| orders.len() as u64)
        .sum::<u64>()
        + tiers.values().sum::<u64>();
    for (seat, orders) in seats.into_iter().filter(|(_, orders)| orders.len() > 1) {
        stock.seats_sold_twice += orders.len() as u64 - 1;
        if stock.examples.len() < EXAMPLES_MAX {
            let orders = orders.into_iter().map(str::to_owned).collect();
            stock.examples.push(SoldTwice {
                seat: seat.to_owned(),
                orders,
            });
        }
    }
    for (tier, confirmed) in tiers {
        if let Some(capacity) = facts
            .tier_capacity
            .get(tier)
            .filter(|capacity| confirmed > **capacity)
        {
            stock.tiers_over.push(TierOver {
                tier: tier.to_owned(),
                confirmed,
                capacity: *capacity,
            });
        }
    }
    stock.over_total = facts
        .total_seats
        .map_or(0, |total| stock.tickets.saturating_sub(total));
    compare_with_usher(&mut stock, before, after);
    count_findings(&mut stock, records);
    stock
}

fn compare_with_usher(stock: &mut Stock, before: Option<&Status>, after: Option<&Status>) {
    let Some(after) = after else { return };
    stock.seats_left_below_zero = after
        .seats_left
        .map_or(0, |left| left.min(0).unsigned_abs());
    let orders_before = before.and_then(|status| status.orders_total);
    if let (Some(was), Some(is)) = (orders_before, after.orders_total) {
        let rose = is.saturating_sub(was);
        stock.usher_orders = Some(rose);
        stock.orders_unknown_to_usher = stock.orders.saturating_sub(rose);
    }
}

fn count_findings(stock: &mut Stock, records: &[FanRecord]) {
    for finding in records.iter().flat_map(|record| &record.findings) {
        match finding {
            Finding::ConfirmedOrderVanished { .. } => stock.orders_vanished += 1,
            Finding::TwoOrdersForOneKey { .. } => stock.two_orders_for_one_key += 1,
            Finding::CheatGotThrough { .. } | Finding::NumberChanged { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::OrderSeen;

    fn buyer(order: &str, seats: &[&str], tiers: &[&str]) -> FanRecord {
        let list = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
        let mut record = FanRecord::new(0);
        record.orders.push(OrderSeen {
            order_number: order.into(),
            seats: list(seats),
            tiers: list(tiers),
        });
        record
    }

    fn status(orders: u64, seats_left: i64) -> Status {
        Status {
            orders_total: Some(orders),
            seats_left: Some(seats_left),
            ..Status::default()
        }
    }

    #[test]
    fn an_honest_sale_is_clean() {
        let facts = Facts {
            total_seats: Some(5),
            tier_capacity: [("floor".to_owned(), 2)].into(),
        };
        let sale = [
            buyer("o1", &["A1", "A2"], &[]),
            buyer("o2", &["A3"], &["floor", "floor"]),
        ];
        let stock = score(&sale, &facts, Some(&status(10, 5)), Some(&status(12, 0)));
        assert_eq!(
            (
                stock.orders,
                stock.tickets,
                stock.oversold(),
                stock.broken_orders()
            ),
            (2, 5, 0, 0)
        );
    }

    #[test]
    fn a_seat_sold_twice_is_seen_and_named() {
        let sale = [buyer("o1", &["A1", "A2"], &[]), buyer("o2", &["A2"], &[])];
        let stock = score(&sale, &Facts::default(), None, None);
        assert_eq!(stock.oversold(), 1);
        assert_eq!(
            stock.examples[0],
            SoldTwice {
                seat: "A2".into(),
                orders: vec!["o1".into(), "o2".into()]
            }
        );
    }

    #[test]
    fn a_tier_beyond_capacity_and_a_total_beyond_the_house_are_seen() {
        let facts = Facts {
            total_seats: Some(2),
            tier_capacity: [("floor".to_owned(), 1)].into(),
        };
        let stock = score(
            &[buyer("o1", &["A1"], &["floor", "floor"])],
            &facts,
            None,
            None,
        );
        assert_eq!(
            (stock.tiers_over.len(), stock.over_total, stock.oversold()),
            (1, 1, 2)
        );
        let stock = score(&[], &facts, None, Some(&status(0, -3)));
        assert_eq!(stock.oversold(), 3);
    }

    #[test]
    fn an_order_that_usher_does_not_count_is_seen() {
        let sale = [buyer("o1", &["A1"], &[]), buyer("o2", &["A2"], &[])];
        let stock = score(
            &sale,
            &Facts::default(),
            Some(&status(7, 9)),
            Some(&status(8, 8)),
        );
        assert_eq!(
            (stock.orders_unknown_to_usher, stock.broken_orders()),
            (1, 1)
        );
    }
}
