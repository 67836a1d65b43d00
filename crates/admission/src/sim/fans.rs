//! Simulated fans: what each of the released does from release to end, and who of them is inside.

use super::draw::Draw;
use super::plant::Plant;
use crate::control::Priority;

/// One released fan who comes.
#[derive(Debug, Clone)]
pub(super) struct Fan {
    pub(super) released_us: u64,
    pub(super) claimed_us: u64,
    /// Requests answered so far.
    pub(super) done: u32,
    /// Requests of the whole session.
    pub(super) requests: u32,
    /// The request that will take seats, while it lies ahead.
    pub(super) hold_at: Option<u32>,
    /// Wants seats, or wanted them.
    pub(super) buyer: bool,
    /// Seats wanted; seats held later.
    pub(super) seats: u32,
    pub(super) holding: bool,
    /// Leaves without a word.
    pub(super) silent: bool,
    pub(super) tries: u32,
    pub(super) ended: bool,
}

impl Fan {
    pub(super) fn new(plant: &Plant, silent: f64, released_us: u64, draw: &mut Draw) -> Self {
        let requests = draw.between(plant.requests.0, plant.requests.1);
        let buyer = draw.chance(plant.hold_share);
        Self {
            released_us,
            claimed_us: 0,
            done: 0,
            requests,
            hold_at: buyer.then(|| requests.div_ceil(2)),
            buyer,
            seats: draw.between(1, 4),
            holding: false,
            silent: draw.chance(silent),
            tries: 0,
            ended: false,
        }
    }

    /// Seats it will want.
    pub(super) fn wish(&self) -> u64 {
        if self.hold_at.is_some() {
            u64::from(self.seats)
        } else {
            0
        }
    }

    /// What its next request is worth.
    pub(super) fn priority(&self) -> Priority {
        match self.hold_at {
            Some(at) if self.done + 1 == at => Priority::Hold,
            _ if self.holding && self.done + 1 == self.requests => Priority::Commit,
            _ => Priority::Browse,
        }
    }

    /// Seconds until its next request.
    pub(super) fn think_s(&self, plant: &Plant, faster: f64, draw: &mut Draw) -> f64 {
        let factor = if self.buyer {
            plant.buyer_think
        } else {
            plant.browser_think
        };
        draw.from(&plant.think) * factor / faster
    }
}

/// The inventory of a simulated event.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seats {
    pub(super) free: u64,
    pub(super) sold: u64,
    pub(super) total: u64,
    pub(super) orders: u64,
    pub(super) taken: u64,
}

impl Seats {
    pub(super) fn new(total: u64) -> Self {
        Self {
            free: total,
            total,
            ..Self::default()
        }
    }

    /// Takes as many of the wanted seats as are free.
    pub(super) fn hold(&mut self, wanted: u32) -> u32 {
        let seats = u64::from(wanted).min(self.free);
        self.free -= seats;
        self.taken += seats;
        self.orders += u64::from(seats > 0);
        seats as u32
    }

    pub(super) fn seats_per_order(&self) -> f64 {
        if self.orders == 0 {
            2.5
        } else {
            self.taken as f64 / self.orders as f64
        }
    }
}
