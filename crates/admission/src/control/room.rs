//! What admission itself knows each second, apart from the backend's signals: who waits, who is inside, who came
//! and went, what is left to sell. It comes from the line and the inventory, not from the backend's telemetry.

use serde::{Deserialize, Serialize};

/// Claims that arrived the same number of whole seconds after their release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimAge {
    /// Whole seconds from release to claim.
    pub age_s: u32,
    /// Fans.
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
    /// Claims since the last tick by their age; at most one entry an age counts, up to the claim window.
    pub claims: Vec<ClaimAge>,
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
    /// People inside without a hold.
    pub inside_without_hold: u64,
    /// Sessions that got their first hold since the last tick.
    pub first_holds: u32,
    /// Sessions that ended without ever holding since the last tick.
    pub ended_without_hold: u32,
}
