//! Redis forgets everything in the middle of a running sale: holds are refused
//! with 503 and Retry-After until it is rebuilt by itself, nobody who was told
//! "confirmed" loses an order, and no seat is sold twice.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::fan::{payment, text};
use common::http::Target;
use common::insiders::{Insiders, named};
use common::process::Usher;
use common::{import_event, settings, signing_keys, wait_for, wait_for_page};
use serde_json::json;
use sqlx::PgPool;
use usher_sandbox::Sandbox;

const SHOPPERS: usize = 4;
const SOLD_BETWEEN: usize = 15;
const WITHIN: Duration = Duration::from_secs(30);

struct Sale {
    shop: Target,
    insiders: Insiders,
    over: AtomicBool,
    next_fan: AtomicU32,
    refused: AtomicU32,
    /// Orders that fans were told are confirmed.
    confirmed: Mutex<BTreeSet<String>>,
}

impl Sale {
    fn sold(&self) -> usize {
        self.confirmed.lock().unwrap().len()
    }

    /// One fan after the other, until the sale is over.
    fn run(&self) {
        while !self.over.load(Ordering::Relaxed) {
            let fan = self
                .insiders
                .fan(self.next_fan.fetch_add(1, Ordering::Relaxed));
            let wish = named(json!({ "best_available": { "count": 1 } }));
            let answer = fan.try_reserve(&self.shop, &wish).unwrap();
            if answer.status == 503 {
                assert!(answer.head.contains("retry-after: "), "{}", answer.head);
                self.refused.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(20));
                continue;
            }
            let held = answer.expect(201);
            let paid = fan.try_commit(&self.shop, &held, &payment()).unwrap();
            if paid.status == 200 {
                let order = text(&paid.json(), "order_id");
                assert!(self.confirmed.lock().unwrap().insert(order));
            }
        }
    }

    fn wait_for_sales(&self, what: &str) {
        let before = self.sold();
        wait_for(WITHIN, what, || {
            (self.sold() >= before + SOLD_BETWEEN).then_some(())
        });
    }
}

async fn check_books(pool: &PgPool, told: &BTreeSet<String>) {
    let count = async |query: &'static str| -> i64 {
        sqlx::query_scalar(query).fetch_one(pool).await.unwrap()
    };
    for _ in 0..600 {
        if count("SELECT count(*) FROM orders WHERE look_at IS NOT NULL").await == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let unfinished = count("SELECT count(*) FROM orders WHERE look_at IS NOT NULL").await;
    assert_eq!(unfinished, 0, "an order was left unfinished");
    let paid: Vec<String> = sqlx::query_scalar("SELECT id::text FROM orders WHERE state = 'paid'")
        .fetch_all(pool)
        .await
        .unwrap();
    let paid = paid.into_iter().collect::<BTreeSet<_>>();
    let lost: Vec<_> = told.difference(&paid).collect();
    assert!(lost.is_empty(), "told confirmed, but not paid: {lost:?}");
    let twice = count(
        "SELECT count(*) FROM (SELECT FROM order_items WHERE live
         GROUP BY event_id, seat_index HAVING count(*) > 1) AS x",
    );
    assert_eq!(twice.await, 0, "a seat was sold twice");
    let unbalanced = count(
        "SELECT count(*) FROM test_payments t FULL JOIN
           (SELECT * FROM orders WHERE state = 'paid') o ON o.id = t.order_id
         WHERE (o.id IS NOT NULL) <> (coalesce(t.state, '') = 'captured')",
    );
    assert_eq!(unbalanced.await, 0, "money without an order, or no money");
}

#[tokio::test]
async fn a_sale_goes_on_after_redis_forgot_everything() {
    let sandbox = Sandbox::start().await.unwrap();
    let keys = signing_keys();
    let settings = settings(&sandbox, &keys).with("REQUESTS_PER_ADDRESS_PER_MINUTE", "1000000");
    let event = import_event(&settings);
    let usher = Usher::serve("all", &settings);
    wait_for_page(&usher, &event);
    let sale = Arc::new(Sale {
        shop: usher.target(),
        insiders: Insiders::new(&keys, &event),
        over: AtomicBool::new(false),
        next_fan: AtomicU32::new(0),
        refused: AtomicU32::new(0),
        confirmed: Mutex::default(),
    });
    let shoppers: Vec<_> = (0..SHOPPERS)
        .map(|_| {
            let sale = Arc::clone(&sale);
            std::thread::spawn(move || sale.run())
        })
        .collect();
    sale.wait_for_sales("the sale runs");
    sandbox.redis.kill_9().await.unwrap();
    sandbox.redis.restart().await.unwrap();
    sale.wait_for_sales("it goes on after kill -9");
    let refused = sale.refused.swap(0, Ordering::Relaxed);
    assert!(refused > 0, "nobody met the dead Redis");
    let client = redis::Client::open(sandbox.redis.url()).unwrap();
    let mut connection = client.get_connection().unwrap();
    redis::cmd("FLUSHALL").exec(&mut connection).unwrap();
    sale.wait_for_sales("it goes on after FLUSHALL");
    assert!(
        sale.refused.load(Ordering::Relaxed) > 0,
        "nothing was missed"
    );
    sale.over.store(true, Ordering::Relaxed);
    for shopper in shoppers {
        shopper.join().unwrap();
    }
    let pool = PgPool::connect(&sandbox.postgres.url()).await.unwrap();
    let told = sale.confirmed.lock().unwrap().clone();
    check_books(&pool, &told).await;
}
