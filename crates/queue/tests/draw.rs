//! The draw as third parties meet it: real drand rounds, a record and every way to tamper with it,
//! receipts, proofs, and the golden vectors that docs/draw.md promises.
#![allow(clippy::unwrap_used)]

#[path = "draw/drand.rs"]
mod drand;
#[path = "draw/golden.rs"]
mod golden;
#[path = "draw/million.rs"]
mod million;
#[path = "draw/proofs.rs"]
mod proofs;
#[path = "draw/sample.rs"]
mod sample;
#[path = "draw/tamper.rs"]
mod tamper;
