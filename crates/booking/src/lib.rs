//! The booking core: what is for sale (`catalog`, `layout`), which seats and
//! places are free (`inventory`), who has set which aside (`holds`), and how
//! that is shown (`seatmap`). Redis is fast and may forget; Postgres has the
//! last word.

pub mod catalog;
pub mod failpoints;
pub mod holds;
pub mod inventory;
mod keys;
pub mod layout;
pub mod operators;
pub mod orders;
pub mod payments;
pub mod pg;
mod relay;
mod scripts;
pub mod seatmap;
pub mod tickets;
pub mod views;
pub mod webhooks;

pub use relay::Relay;
pub use scripts::SCRIPTS;
