//! The control law, pure: how many people to let in this second, and why.
//!
//! `Controller::tick` is the outer loop (once a second: how many people may be inside), `Limiter` the
//! inner one (every 250 ms: the backend protects itself). Time and measurements are arguments; nothing here
//! reads a clock, a socket or a random number, so the same code runs in production and in `sim`.
//! Every structure is serialisable: a `Controller` written down is the checkpoint a new leader goes on from.

mod brake;
mod cohorts;
mod constants;
mod controller;
mod decision;
mod delay;
mod demand;
mod ewma;
mod limiter;
mod loss;
mod pacing;
mod policy;
mod room;
mod signals;
mod stock;
mod tuning;
mod wanted;
mod window;

pub use constants::{Constants, ConstantsError, InForce, Meaning};
pub use controller::Controller;
pub use decision::{AutoRate, Clause, Decision, Snapshot};
pub use delay::StageTuning;
pub use limiter::{Limiter, Priority};
pub use loss::Sight;
pub use pacing::slice_of;
pub use policy::{Mode, Policy, PolicyError};
pub use room::{AgeCount, Room, Stock};
pub use signals::{NodeBoard, Signals};
pub use tuning::{Bounded, Tuning, TuningError};
