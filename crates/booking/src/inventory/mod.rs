//! What there is of an event: numbered seats by dense index and standing tiers
//! by capacity; which of it is free; and which free seats are the best. Pure.

mod best_available;
mod seat_bits;
mod selection;

pub use best_available::{Pick, Wish, best_available};
pub use seat_bits::{SeatBits, SeatCounts, SeatStatus};
pub use selection::{BadSelection, SeatIndex, Selection, TierIndex};

/// Seats that one event can have; its bits are then 50 kB.
pub const MAX_SEATS_PER_EVENT: u32 = 200_000;
/// Standing tiers that one event can have.
pub const MAX_TIERS_PER_EVENT: u16 = 64;
/// What the limit of tickets an order can be set to at most: it bounds the
/// work of every script.
pub const MAX_TICKETS_PER_ORDER: u32 = 50;
