//! The operators' API: see and steer an on-sale. Every change is told with who
//! made it and takes effect within a second.

pub mod admission;
pub mod calibration;
pub mod constants;
pub mod door;
pub mod draw;
pub mod events;
pub mod explain;
pub mod invites;
pub mod lines;
pub mod operators;
pub mod orders;
pub mod prometheus;
pub mod records;
pub mod sales;
pub mod sessions;
pub mod signals;
pub mod status;
pub mod webhooks;
