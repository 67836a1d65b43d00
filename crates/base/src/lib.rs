//! What every crate of usher shares, and nothing else: identifiers, the clock,
//! the one way to talk to Redis (scripts behind the epoch fence), a client
//! for other services, and the signing keys. Nothing here knows what a line, a hold or an order is.

pub mod clock;
pub mod ids;
pub mod outgoing;
pub mod redis;
pub mod signing;

pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use ids::{Epoch, EventId, FanId, InvalidId, Lane, Number, OrderId, ReservationId};
