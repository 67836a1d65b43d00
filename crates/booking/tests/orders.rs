//! Orders on a real Redis and a real Postgres: the commit protocol, its
//! failures, and what the reconciler makes of them.
#![allow(clippy::unwrap_used)]

#[path = "orders/shop.rs"]
mod shop;

#[path = "orders/batches.rs"]
mod batches;
#[path = "orders/commit.rs"]
mod commit;
#[path = "orders/door.rs"]
mod door;
#[path = "orders/faults.rs"]
mod faults;
#[path = "orders/locks.rs"]
mod locks;
#[path = "orders/money.rs"]
mod money;
#[path = "orders/search.rs"]
mod search;
#[path = "orders/throughput.rs"]
mod throughput;
