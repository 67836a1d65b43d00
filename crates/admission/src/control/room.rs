//! What admission itself knows each second, apart from the backend's signals: who waits, who is inside, who came
//! and went, what is left to sell. It comes from the line and the inventory, not from the backend's telemetry.

use serde::{Deserialize, Serialize};

/// People who took the same number of whole seconds from one stage to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgeCount {
    /// Whole seconds from release to claim, or from claim to first hold.
    pub age_s: u32,
    /// People.
    pub count: u32,
}

/// The room as it is now; counts with "since" are since the last tick.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Room {
    /// Fans waiting and present, who could be released.
    pub waiting: u64,
    /// People inside: claimed and not ended (A).
    pub inside: u64,
    /// Sessions that ended since the last tick, however they ended.
    pub ends: u32,
    /// Fans really released since the last tick (fewer than decided when fewer were there).
    pub released: u32,
    /// Claims since the last tick by their age; only as many entries count as the claim window has seconds.
    pub claims: Vec<AgeCount>,
    /// What is left to sell; `None` where there is no inventory to run out (a proxied backend).
    pub stock: Option<Stock>,
}

/// The inventory's side of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stock {
    /// Seats that could be held now.
    pub free_seats: u64,
    /// Mean seats an order so far (or the operator's guess before the first).
    pub seats_per_order: f64,
    /// Orders which that is the mean of.
    pub orders: u64,
    /// First holds of a session since the last tick, by seconds since its claim.
    pub first_holds: Vec<AgeCount>,
}
