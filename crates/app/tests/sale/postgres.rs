//! Postgres dies and comes back, or hangs for ten seconds: nobody is told
//! "confirmed" before it is, seats are held meanwhile, and the orders that
//! waited are finished by themselves. Ten of its seconds are the pause.

use std::time::{Duration, Instant};

use usher_sandbox::{Postgres, PostgresOptions, Sandbox};

use crate::common::settings;
use crate::shoppers::{SHOPPERS, Sale};

const PAUSE: Duration = Duration::from_secs(10);

/// With a Postgres that keeps what it has committed.
async fn sandbox() -> Sandbox {
    let redis = Sandbox::redis_only().await.unwrap();
    let postgres = Postgres::start(PostgresOptions { durable: true });
    Sandbox {
        redis,
        postgres: postgres.await.unwrap(),
    }
}

#[tokio::test]
async fn a_sale_goes_on_after_postgres_was_killed() {
    let sandbox = sandbox().await;
    let sale = Sale::start(|keys| settings(&sandbox, keys));
    sale.wait_for_sales("the sale runs");
    sandbox.postgres.kill_9().await.unwrap();
    sale.try_hold().expect(201);
    sandbox.postgres.restart().await.unwrap();
    sale.wait_for_sales("it goes on when Postgres is back");
    sale.reconcile(&sandbox.postgres).await;
}

#[tokio::test]
async fn a_sale_goes_on_after_postgres_hung() {
    let sandbox = sandbox().await;
    let sale = Sale::start(|keys| settings(&sandbox, keys));
    sale.wait_for_sales("the sale runs");
    sandbox.postgres.pause().unwrap();
    let (until, sold) = (Instant::now() + PAUSE, sale.sold());
    sale.try_hold().expect(201);
    tokio::time::sleep_until(until.into()).await;
    // What was durable just before may still have been on its way to its fan.
    let more = sale.sold() - sold;
    assert!(more <= SHOPPERS, "{more} confirmed by a Postgres that hung");
    sandbox.postgres.resume().unwrap();
    sale.wait_for_sales("it goes on when Postgres answers");
    sale.reconcile(&sandbox.postgres).await;
}
