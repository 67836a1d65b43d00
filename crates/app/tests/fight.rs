//! 200 fans at once want 20 seats and 50 standing places, fifty times, over HTTP
//! against a running usher: nothing is sold twice, every loser is told what was
//! truly free, and Postgres's totals are what fans were told. Ten thousand holds take
//! it longer than other tests.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use common::http::Target;
use common::insiders::{Insider, Insiders, named};
use common::process::Usher;
use common::{settings, signing_keys, wait_for, wait_for_page};
use serde_json::{Value, json};
use sqlx::PgPool;
use usher_booking::pg::totals::{self, Totals};
use usher_sandbox::Sandbox;

const ROUNDS: u32 = 50;
const FANS: u32 = 200;
const PLACES: u64 = 50;

/// A section of 20 seats and a tier of 50 places for each round, so that one
/// event serves them all.
fn event_file() -> String {
    let mut text = String::from(
        r#"
slug = "fight"
title = "Fight"
category = "music"
venue = { name = "Club", city = "Ghent" }
start_time = "2027-05-01T19:00:00Z"
currency = "EUR"
prices = { all = 2500 }
"#,
    );
    for round in 0..ROUNDS {
        write!(
            text,
            "[[tiers]]\ncode = \"t{round}\"\nname = \"T\"\ncapacity = {PLACES}\nprice = 1500\n\
             [[layout.sections]]\nid = \"s{round}\"\nname = \"S\"\ncategory = \"all\"\n\
             [[layout.sections.rows]]\nrow = \"A-B\"\nseats = \"1-10\"\n"
        )
        .unwrap();
    }
    text
}

/// A third asks for certain seats, a third for the best, a third for standing.
fn wish(n: u32, round: u32) -> Value {
    let (count, turn) = (1 + n % 2, n / 3);
    match n % 3 {
        0 => {
            let row = if turn % 2 == 0 { 'A' } else { 'B' };
            let seat = |next| format!("s{round}-{row}-{}", (turn + next) % 10 + 1);
            json!({ "seat_ids": (0..count).map(seat).collect::<Vec<_>>() })
        }
        1 => json!({ "best_available": { "section": format!("s{round}"), "count": count } }),
        _ => json!({ "tiers": [{ "tier": format!("t{round}"), "count": count }] }),
    }
}

struct Winner {
    fan: Insider,
    held: Value,
    answered: Instant,
}

struct Loser {
    asked: Instant,
    seats: Vec<String>,
}

enum Outcome {
    Won(Winner),
    Lost(Loser),
}

fn fight(shop: &Target, fan: Insider, wish: &Value) -> Outcome {
    let (asked, answer) = fan.reserve(shop, wish);
    let answered = Instant::now();
    if answer.status == 201 {
        let held = answer.json();
        return Outcome::Won(Winner {
            fan,
            held,
            answered,
        });
    }
    let refusal = answer.expect(409);
    assert_eq!(refusal["error"], "seat_unavailable", "{refusal}");
    let seats = refusal["available_alternatives"].as_array().unwrap();
    let seats = seats.iter().map(|seat| seat.as_str().unwrap().to_owned());
    Outcome::Lost(Loser {
        asked,
        seats: seats.collect(),
    })
}

fn seats_of(held: &Value) -> impl Iterator<Item = String> {
    let places = held["seats"].as_array().unwrap().iter();
    places.filter_map(|place| Some(place["seat_id"].as_str()?.to_owned()))
}

fn standing_of(held: &Value) -> u64 {
    let places = held["seats"].as_array().unwrap().iter();
    let standing = places.filter(|place| place["tier"].is_string());
    standing.map(|place| place["count"].as_u64().unwrap()).sum()
}

/// Nothing is freed during a round: a seat that was held before a loser asked
/// was not free when it was offered.
fn check_alternatives(winners: &[Winner], losers: &[Loser]) -> BTreeSet<String> {
    let mut held_at = BTreeMap::new();
    for winner in winners {
        for seat in seats_of(&winner.held) {
            let before = held_at.insert(seat.clone(), winner.answered);
            assert!(before.is_none(), "{seat} is held twice");
        }
    }
    let mut left = BTreeSet::new();
    for loser in losers {
        let offered: BTreeSet<_> = loser.seats.iter().collect();
        assert_eq!(offered.len(), loser.seats.len(), "{:?}", loser.seats);
        for seat in offered {
            match held_at.get(seat) {
                Some(at) => assert!(*at > loser.asked, "{seat} was not free when offered"),
                None => _ = left.insert(seat.clone()),
            }
        }
    }
    left
}

struct Told {
    orders: u64,
    tickets: u64,
    amount: i64,
}

/// Everybody pays at once; what they are told adds up to this.
fn pay(shop: &Target, winners: &[Winner]) -> Told {
    let answers: Vec<Value> = std::thread::scope(|scope| {
        let paying = winners
            .iter()
            .map(|winner| scope.spawn(|| winner.fan.commit(shop, &winner.held).expect(200)));
        let paying: Vec<_> = paying.collect();
        paying.into_iter().map(|fan| fan.join().unwrap()).collect()
    });
    let mut told = Told {
        orders: 0,
        tickets: 0,
        amount: 0,
    };
    for order in answers {
        assert_eq!(order["status"], "confirmed", "{order}");
        told.orders += 1;
        told.tickets += order["tickets"].as_array().unwrap().len() as u64;
        told.amount += order["payment"]["amount"].as_i64().unwrap();
    }
    told
}

fn play_round(shop: &Target, insiders: &Insiders, round: u32) -> Told {
    let start = Barrier::new(FANS as usize);
    let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
        let fans = (0..FANS).map(|n| {
            let (fan, wish, start) = (
                insiders.fan(round * FANS + n),
                named(wish(n, round)),
                &start,
            );
            scope.spawn(move || {
                start.wait();
                fight(shop, fan, &wish)
            })
        });
        let fans: Vec<_> = fans.collect();
        fans.into_iter().map(|fan| fan.join().unwrap()).collect()
    });
    let (mut winners, mut losers) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        match outcome {
            Outcome::Won(winner) => winners.push(winner),
            Outcome::Lost(loser) => losers.push(loser),
        }
    }
    let standing: u64 = winners.iter().map(|won| standing_of(&won.held)).sum();
    assert!(standing == PLACES || standing == PLACES - 1, "{standing}");
    // What was offered and nobody took can be had.
    if let Some(seat) = check_alternatives(&winners, &losers).pop_first() {
        let late = insiders.fan(ROUNDS * FANS + round);
        let (_, held) = late.reserve(shop, &named(json!({ "seat_ids": [seat] })));
        late.release(shop, &held.expect(201));
    }
    pay(shop, &winners)
}

async fn check_books(pool: &PgPool, insiders: &Insiders, told: &[Told]) {
    let booked = totals::read(pool, insiders.event).await.unwrap();
    let expected = Totals {
        orders: told.iter().map(|told| told.orders).sum(),
        tickets: told.iter().map(|told| told.tickets).sum(),
    };
    assert_eq!(booked, expected);
    let amount: i64 = sqlx::query_scalar("SELECT sum(price)::bigint FROM order_items WHERE live")
        .fetch_one(pool)
        .await
        .unwrap();
    assert_eq!(amount, told.iter().map(|told| told.amount).sum::<i64>());
    let oversold: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM (
           SELECT 1 FROM order_items WHERE live AND seat_index IS NOT NULL
           GROUP BY seat_index HAVING count(*) > 1
           UNION ALL
           SELECT 1 FROM order_items WHERE live AND tier_index IS NOT NULL
           GROUP BY tier_index HAVING count(*) > $1) AS x",
    )
    .bind(i64::try_from(PLACES).unwrap())
    .fetch_one(pool)
    .await
    .unwrap();
    assert_eq!(oversold, 0);
}

#[tokio::test]
async fn two_hundred_fans_fight_for_the_same_places() {
    let sandbox = Sandbox::start().await.unwrap();
    let keys = signing_keys();
    let settings = settings(&sandbox, &keys)
        // All fans come from this one machine.
        .with("REQUESTS_PER_ADDRESS_PER_MINUTE", "1000000")
        // However slow it is, the shop does not take in fewer of them at once.
        .with("BOOKING_SERVICE_MS", "60000");
    let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    std::fs::write(file.path(), event_file()).unwrap();
    let path = file.path().to_str().unwrap();
    let made = common::process::run(&["event", "import", path, "--open"], &settings);
    assert!(made.is_success(), "{made:?}");
    let event = made.stdout.trim().to_owned();
    let usher = Usher::serve("all", &settings);
    wait_for_page(&usher, &event);
    let (shop, insiders) = (usher.target(), Insiders::new(&keys, &event));
    wait_for(Duration::from_secs(10), "the shop knows the event", || {
        let answer = shop.get(&format!("/api/v1/events/{event}/seatmap"), None);
        (answer.ok()?.status == 200).then_some(())
    });
    let told: Vec<Told> = (0..ROUNDS)
        .map(|round| play_round(&shop, &insiders, round))
        .collect();
    let pool = PgPool::connect(&sandbox.postgres.url()).await.unwrap();
    check_books(&pool, &insiders, &told).await;
}
