//! Fans who hold a seat and pay for it, one after the other, as long as the sale
//! runs; and what each of them was told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::PgPool;
use usher_sandbox::Postgres;

use crate::books;
use crate::common::fan::{payment, text};
use crate::common::http::{Answer, Target};
use crate::common::insiders::{Insider, Insiders, named};
use crate::common::process::{Settings, Usher, run};
use crate::common::{signing_keys, wait_for, wait_for_page};

/// Each has one order on its way at most.
pub const SHOPPERS: usize = 4;
/// Sold orders that show that a sale runs.
const SOME: usize = 15;
/// Longer than any outage that these tests make, and what comes after it.
pub const WITHIN: Duration = Duration::from_secs(60);
/// Between two tries of a fan whom the shop had to turn away.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(20);

/// More seats than the fastest sale sells.
const EVENT: &str = r#"
slug = "storm"
title = "Storm"
category = "music"
venue = { name = "Hall", city = "Ghent" }
start_time = "2027-05-01T19:00:00Z"
currency = "EUR"
prices = { all = 2500 }
[[layout.sections]]
id = "s"
name = "S"
category = "all"
[[layout.sections.rows]]
row = "1-100"
seats = "1-80"
"#;

/// A payment of which the fan does not know yet what became of it.
struct Unanswered {
    fan: Insider,
    held: Value,
    payment: Value,
}

#[derive(Default)]
struct Told {
    /// Order by order: the seats that are the fan's.
    confirmed: BTreeMap<String, Vec<String>>,
    /// The reasons why fans were told that nothing was bought.
    refused: Vec<String>,
    unanswered: Vec<Unanswered>,
}

/// What the shoppers share.
struct Crowd {
    shop: Target,
    insiders: Insiders,
    is_over: AtomicBool,
    next_fan: AtomicU32,
    /// Holds that were answered 503.
    turned_away: AtomicU32,
    told: Mutex<Told>,
}

/// A sale that goes on until it is ended.
pub struct Sale {
    crowd: Arc<Crowd>,
    shoppers: Vec<JoinHandle<()>>,
    /// Ends when dropped.
    _usher: Usher,
}

/// What became of a sale, as fans see it.
pub struct Outcome {
    pub confirmed: BTreeSet<String>,
    pub seats: Vec<String>,
    pub refused: Vec<String>,
}

impl Sale {
    pub fn start(settings: impl FnOnce(&str) -> Settings) -> Self {
        let keys = signing_keys();
        // All fans come from this one machine.
        let settings = settings(&keys).with("REQUESTS_PER_ADDRESS_PER_MINUTE", "1000000");
        let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
        std::fs::write(file.path(), EVENT).unwrap();
        let path = file.path().to_str().unwrap();
        let made = run(&["event", "import", path, "--open"], &settings);
        assert!(made.is_success(), "{made:?}");
        let event = made.stdout.trim().to_owned();
        let usher = Usher::serve("all", &settings);
        wait_for_page(&usher, &event);
        let crowd = Arc::new(Crowd {
            shop: usher.target(),
            insiders: Insiders::new(&keys, &event),
            is_over: AtomicBool::new(false),
            next_fan: AtomicU32::new(0),
            turned_away: AtomicU32::new(0),
            told: Mutex::default(),
        });
        let shoppers = (0..SHOPPERS).map(|_| {
            let crowd = Arc::clone(&crowd);
            std::thread::spawn(move || crowd.shop_until_it_is_over())
        });
        Self {
            shoppers: shoppers.collect(),
            crowd,
            _usher: usher,
        }
    }

    /// Until some more orders were confirmed.
    #[track_caller]
    pub fn wait_for_sales(&self, what: &str) {
        let before = self.sold();
        wait_for(WITHIN, what, || {
            (self.sold() >= before + SOME).then_some(())
        });
    }

    /// Orders of which fans were told that they are confirmed.
    pub fn sold(&self) -> usize {
        self.crowd.told.lock().unwrap().confirmed.len()
    }

    /// Holds that were refused with 503 since it was asked last.
    pub fn turned_away(&self) -> u32 {
        self.crowd.turned_away.swap(0, Ordering::Relaxed)
    }

    /// A hold by a fan who comes along.
    pub fn try_hold(&self) -> Answer {
        let (_, answer) = self.crowd.try_hold();
        answer
    }

    /// Ends it and compares what fans were told with the books, once they are
    /// quiet and who did not know asked again.
    pub async fn reconcile(self, postgres: &Postgres) -> Outcome {
        self.crowd.is_over.store(true, Ordering::Relaxed);
        for shopper in self.shoppers {
            shopper.join().unwrap();
        }
        let pool = PgPool::connect(&postgres.url()).await.unwrap();
        books::wait_until_quiet(&pool).await;
        self.crowd.ask_again();
        books::wait_until_quiet(&pool).await;
        let told = std::mem::take(&mut *self.crowd.told.lock().unwrap());
        let outcome = Outcome {
            confirmed: told.confirmed.keys().cloned().collect(),
            seats: told.confirmed.into_values().flatten().collect(),
            refused: told.refused,
        };
        let event = self.crowd.insiders.event;
        books::check(&pool, &outcome).await;
        books::check_seat_map(&self.crowd.shop, event, &outcome);
        outcome
    }
}

impl Crowd {
    fn shop_until_it_is_over(&self) {
        while !self.is_over.load(Ordering::Relaxed) {
            let (fan, answer) = self.try_hold();
            if answer.status == 503 {
                assert!(answer.head.contains("retry-after: "), "{}", answer.head);
                self.turned_away.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(ASK_AGAIN_AFTER);
                continue;
            }
            let held = answer.expect(201);
            self.pay(Unanswered {
                fan,
                held,
                payment: payment(),
            });
        }
    }

    fn try_hold(&self) -> (Insider, Answer) {
        let number = self.next_fan.fetch_add(1, Ordering::Relaxed);
        let fan = self.insiders.fan(number);
        let wish = named(json!({ "best_available": { "count": 1 } }));
        let answer = fan.try_reserve(&self.shop, &wish).unwrap();
        (fan, answer)
    }

    /// Once; who gets no answer that holds for good is remembered.
    fn pay(&self, unanswered: Unanswered) {
        let Unanswered { fan, held, payment } = &unanswered;
        let answer = fan.try_commit(&self.shop, held, payment).unwrap();
        let mut told = self.told.lock().unwrap();
        match answer.status {
            200 => {
                let order = answer.json();
                assert_eq!(order["status"], "confirmed", "{order}");
                let seats = held["seats"].as_array().unwrap().iter();
                let seats = seats.map(|seat| text(seat, "seat_id")).collect();
                let before = told.confirmed.insert(text(&order, "order_id"), seats);
                assert!(before.is_none(), "two fans with one order: {order}");
            }
            202 | 503 => told.unanswered.push(unanswered),
            402 | 404 | 409 | 410 => told.refused.push(answer.body),
            other => panic!("{other} to a payment: {}", answer.body),
        }
    }

    /// The same requests, now that every order is decided.
    fn ask_again(&self) {
        let unanswered = std::mem::take(&mut self.told.lock().unwrap().unanswered);
        let (sold, left) = (self.told.lock().unwrap().confirmed.len(), unanswered.len());
        println!("{sold} orders confirmed, {left} payments to be asked about again");
        for one in unanswered {
            self.pay(one);
        }
        let left = self.told.lock().unwrap().unanswered.len();
        assert_eq!(left, 0, "fans who still do not know what became of them");
    }
}
