//! Servers die, forget and hang in the middle of a running sale, over HTTP with the
//! real binary, one file per server and fault. Afterwards what fans were told is
//! reconciled with Postgres and with what the payment provider knows.
#![allow(clippy::unwrap_used)]

mod books;
#[path = "../common/mod.rs"]
mod common;
mod failback;
mod postgres;
mod redis;
mod shoppers;
