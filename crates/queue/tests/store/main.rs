//! The line with its durable half: a real Redis that may die, a real Postgres.
#![allow(clippy::unwrap_used)]

mod any_loss;
mod draws;
mod house;
mod invites;
mod lines;
mod losses;
mod record;
