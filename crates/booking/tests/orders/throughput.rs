//! How many orders a second the writer makes durable, fsync on. A measurement
//! to be run by hand, with the optimised build where figures are to be quoted:
//! `cargo nextest run -p usher-booking --run-ignored only throughput --no-capture`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use usher_base::{Clock, Epoch, EventId, FanId, ReservationId, SystemClock};
use usher_booking::orders::{NewOrder, order_id};
use usher_booking::payments::Money;
use usher_booking::pg::decide::Decided;
use usher_booking::pg::paid::{Captured, MadePaid};
use usher_booking::pg::{Recorded, WRITER_CONNECTIONS, Writer};
use usher_booking::tickets::TicketNumber;
use usher_sandbox::{Postgres, PostgresOptions};
use uuid::Uuid;

use crate::shop::{pool_of, price, select};

const ORDERS: u32 = 20_000;
const BUYERS: u32 = 800;

fn order(event: EventId, n: u32) -> NewOrder {
    let fan = FanId::from_bytes(u128::from(n).to_be_bytes());
    let priced = price(&select(&[2 * n, 2 * n + 1], 0)).unwrap();
    NewOrder {
        id: order_id(event, fan, "key"),
        request_hash: [0; 32],
        event,
        fan,
        reservation: ReservationId::from_uuid(Uuid::new_v4()),
        money: Money {
            amount: 10_000,
            currency: priced.currency,
        },
        items: priced.items,
        provider: "test",
        method: "pm_test_success".into(),
        billing: serde_json::json!({ "name": "A Fan" }),
        limits: priced.limits,
        epoch: Epoch(1),
        pay_by: SystemClock.now().plus(Duration::from_secs(900)),
    }
}

async fn buy(writer: &Writer, event: EventId, n: u32) -> Duration {
    let order = order(event, n);
    let id = order.id;
    let asked = Instant::now();
    assert_eq!(writer.record(order).await.unwrap(), Recorded::New);
    assert_eq!(writer.decide_capture(id).await, Decided::Won);
    let tickets = (0..2).map(|_| TicketNumber::random(&mut rand::rng()));
    let captured = Captured {
        order: id,
        reference: None,
        tickets: tickets.collect(),
    };
    assert_eq!(writer.pay(captured).await, MadePaid::Now);
    asked.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn durable_orders_a_second() {
    let postgres = Postgres::start(PostgresOptions { durable: true })
        .await
        .unwrap();
    let writer = Arc::new(Writer::start(
        &pool_of(&postgres.url(), WRITER_CONNECTIONS).await,
    ));
    let event = EventId::new(SystemClock.now());
    let started = Instant::now();
    let buyers = (0..BUYERS).map(|buyer| {
        let writer = Arc::clone(&writer);
        tokio::spawn(async move {
            let mut waits = Vec::new();
            for n in (buyer..ORDERS).step_by(BUYERS as usize) {
                waits.push(buy(&writer, event, n).await);
            }
            waits
        })
    });
    let waits = futures::future::join_all(buyers.collect::<Vec<_>>()).await;
    let elapsed = started.elapsed();
    let mut waits: Vec<Duration> = waits.into_iter().flat_map(Result::unwrap).collect();
    waits.sort_unstable();
    assert_eq!(waits.len(), ORDERS as usize);
    println!(
        "{:.0} orders/s recorded, decided and paid; p50 {:?}, p99 {:?}",
        f64::from(ORDERS) / elapsed.as_secs_f64(),
        waits[waits.len() / 2],
        waits[waits.len() * 99 / 100],
    );
}
