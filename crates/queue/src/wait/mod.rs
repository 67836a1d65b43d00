//! How long a fan will wait: measured, told as an interval, and held to account.
//! Pure.
//!
//! The leader follows the rate (`Rate`), shares it among the lanes (`Pace`) and
//! measures each lane's people (`LaneWaits`). From both it plays the line forward
//! (`Forecast`) for a few dozen numbers a lane; what those were told is kept
//! (`Promises`) and slips only for a reason. Beyond what is left to sell (`Reach`) no
//! wait is told. The result is announced with the board
//! (`Outlook`): every edge reads any number's wait from it, so a stream, a poll and
//! a page tell one fan the same, on whichever edge, and forget nothing. When turns
//! come, the `Scorer` compares, and widens or narrows what is told next.

mod fading;
mod forecast;
mod knot;
mod lane;
mod outlook;
mod pace;
mod people;
mod promises;
mod rate;
mod reach;
mod score;

pub use forecast::Interval;
pub use lane::{LaneWaits, Plan, Seen};
pub use outlook::{Outlook, Point, SlipReason, Wait};
pub use pace::{LaneDemand, Pace};
pub use rate::{Aim, Rate};
pub use score::{Accuracy, Outcome, Score, Scorer};
