//! The simulator: the world that the control law is tried in before it meets a real one.
//!
//! `run` plays one scenario on one plant with one seed and judges it; `simulate` is what `usher simulate` calls: it
//! plays many, prints the table of results and of the laws it is compared with, and draws a picture of each.
//! Nothing here knows the clock or the network; a seed gives the same run every time.

mod backend;
mod draw;
mod fans;
mod judge;
mod law;
mod meter;
mod plant;
mod report;
mod scenario;
mod svg;
mod world;

pub use draw::Spread;
pub use judge::{Measure, Rule};
pub use law::LawKind;
pub use meter::Row;
pub use plant::Plant;
pub use report::{Report, Request, SimulateError, Summary, run, simulate, summarise};
pub use scenario::{Change, Judge, Scenario};
pub use svg::draw as picture;
