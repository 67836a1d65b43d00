//! Admission: lets in exactly as many people as the backend bears.
//! `control` is the law (pure: `now` and measurements in, a decision out), `sim` is the world
//! that the law is tried in before it meets a real one.

pub mod control;
pub mod sim;

mod cache;
mod calibration;
mod constants;
mod decisions;
mod gate;
mod keys;
mod leader;
mod pg;
mod policies;
pub mod signals;
mod status;
mod stock;

pub use calibration::{Calibration, CalibrationStep, Calibrations};
pub use constants::{ConstantsChangeError, EventConstants};
pub use decisions::decisions_between;
pub use gate::{Gate, Permit, Refused};
pub use leader::Leader;
pub use policies::{Policies, PolicyChangeError};
pub use status::{Flow, Status};
pub use stock::StockReport;
