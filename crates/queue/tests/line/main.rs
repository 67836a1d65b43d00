//! The line on a real Redis, one file per promise.
#![allow(clippy::unwrap_used)]

mod boards;
mod compare;
mod gathering;
mod interleavings;
mod joining;
mod model;
mod releasing;
mod room;
mod sessions;
