//! The leader on a real Redis and a real Postgres, one file per promise.
#![allow(clippy::unwrap_used)]

mod constants;
mod failover;
mod line;
mod outage;
mod pace;
mod phases;
mod policy;
mod takeover;
mod venue;
