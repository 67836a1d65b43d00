//! What becomes of the inventory when Redis forgets, fills up or falls behind:
//! rebuilding (and how long it takes), holds that end, and how long each script
//! keeps Redis busy. Here is what the three share.
#![allow(clippy::unwrap_used)]

mod support;

#[path = "memory/ending.rs"]
mod ending;
#[path = "memory/rebuilding.rs"]
mod rebuilding;
#[path = "memory/speed.rs"]
mod speed;

use std::time::Duration;

use support::{START, at, fan, order, reservation, select};
use usher_booking::holds::{HoldRequest, HoldTag, LiveOrder, LiveOrderState, Stock};
use usher_booking::inventory::{SeatIndex, Selection};

fn ask(n: u128, selection: Selection) -> HoldRequest {
    HoldRequest {
        id: reservation(n),
        fan: fan(n),
        selection,
        ttl: Duration::from_secs(600),
        tag: HoldTag::of(b"one request"),
    }
}

fn stock(seats: u32, tiers: &[u32]) -> Stock {
    Stock {
        seats,
        blocked: Vec::new(),
        tiers: tiers.to_vec(),
    }
}

/// 60,000 seats: 40,000 paid in pairs, 10,000 being paid, some standing.
fn a_stadium() -> (Stock, Vec<LiveOrder>) {
    let live = |n: u32| {
        let first = 2 * n;
        LiveOrder {
            order: order(n.into()),
            reservation: reservation(n.into()),
            fan: fan(n.into()),
            selection: select(&[first, first + 1], &[(0, 1)]),
            state: if n < 20_000 {
                LiveOrderState::Paid
            } else {
                LiveOrderState::Pending { since: at(START) }
            },
        }
    };
    let stock = Stock {
        seats: 60_000,
        blocked: vec![SeatIndex(59_999)],
        tiers: vec![40_000],
    };
    (stock, (0..25_000).map(live).collect())
}
