//! How long a fan will wait: measured, told as an interval, and held to account.
//! Pure.
//!
//! The leader measures each lane (`RateMeter`) and announces a `Forecast`; every
//! edge turns it into an `Interval` for any number of people ahead. A `Promise`
//! keeps what one fan is told from slipping without a reason, and remembers it;
//! the `Scorer` compares it with what happened and widens or narrows the intervals.
//!
//! The interval goes from P10 to P90, with P50 named in between: an interval that
//! began at P50 would be wrong for every second fan.

mod forecast;
mod meter;
mod promise;
mod score;
#[cfg(test)]
mod simulation;

pub use forecast::{Forecast, Interval};
pub use meter::{RateMeter, TickCounts};
pub use promise::{Promise, SlipReason};
pub use score::{Outcome, Score, Scorer};
