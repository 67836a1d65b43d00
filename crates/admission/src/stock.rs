//! What is left to sell, as a booking node publishes it each second. Admission
//! knows nothing of bookings: the app fills this from them.

use serde::{Deserialize, Serialize};
use usher_base::redis::{CallError, Redis};
use usher_base::{EventId, Timestamp};

use crate::{cache, keys};

/// Older numbers are no reason to close or to open. For letting people in the
/// leader goes by the last that it knew.
const FADES_AFTER_SECONDS: u64 = 10;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StockReport {
    pub at: Timestamp,
    /// Seats and standing places that could be held now.
    pub free: u64,
    /// Set aside, not bought: they may come back.
    pub held: u64,
    pub sold: u64,
    pub orders_total: u64,
    /// Holds that are set aside for.
    #[serde(default)]
    pub holds: u64,
}

impl StockReport {
    pub async fn publish(&self, redis: &Redis, event: EventId) -> Result<(), CallError> {
        cache::put(redis, keys::stock(event), self, FADES_AFTER_SECONDS).await
    }

    pub async fn read(redis: &Redis, event: EventId) -> Result<Option<Self>, CallError> {
        cache::get(redis, keys::stock(event)).await
    }

    /// Nothing to be had, and nothing that could come back. A shop that never had
    /// anything is not sold out: its inventory is still to come.
    pub fn is_sold_out(&self) -> bool {
        self.free == 0 && self.held == 0 && self.sold > 0
    }

    /// A shop that never had anything has nothing that could run out.
    pub fn is_stocked(&self) -> bool {
        self.free + self.held + self.sold > 0
    }

    /// What is held will be orders too, and is known minutes earlier.
    pub fn orders_seen(&self) -> u64 {
        self.orders_total.saturating_add(self.holds)
    }

    pub fn seats_per_order(&self) -> f64 {
        const BEFORE_THE_FIRST: f64 = 2.0;
        match self.orders_seen() {
            0 => BEFORE_THE_FIRST,
            orders => (self.sold + self.held) as f64 / orders as f64,
        }
    }
}
