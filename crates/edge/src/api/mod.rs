//! The HTTP interface, one file a noun; `routes` says which path leads where.

pub mod admin;
pub mod draw;
pub mod events;
pub mod health;
pub mod invites;
pub mod openapi;
pub mod orders;
pub mod puzzle;
pub mod queue;
pub mod reservations;
pub mod seatmap;
pub mod session;
pub mod stream;
pub mod tickets;
pub mod transfer;
pub mod webhooks;
