//! A leader that is killed while it gives out the numbers of a draw: the next one
//! finishes the same draw. With a million fans it also says how long the draw took and
//! how long its scripts held Redis, and fails if Redis worked too long on one; for that Redis
//! has to run before everything else on the machine, which needs root:
//! `cargo test --profile demo -p usher-app --test draw_takeover -- --ignored --nocapture`
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use common::lottery::{OnSale, decide, lottery, rule_of_today, verdict};
use common::process::Usher;
use common::stalls::{Seen, Watch};
use common::{set_rate, settings, signing_keys, wait_for_page};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use redis::{Cmd, FromRedisValue, cmd};
use serde_json::json;
use usher_base::redis::{Redis, TimeSource, keys};
use usher_base::{EventId, FanId, Lane};
use usher_queue::{JoinOrder, Line, Phase};
use usher_sandbox::Sandbox;

const JOINS_IN_FLIGHT: usize = 256;
const NUMBERS_PER_READ: usize = 10_000;
/// DESIGN's bound on a script; the slow log keeps what comes near it.
const BOUND: Duration = Duration::from_micros(2_500);
const LOGGED_FROM: Duration = Duration::from_micros(500);
/// Of a step of the draw, with a million fans and other work on the machine.
const STEP_WITHIN: Duration = Duration::from_secs(180);

#[tokio::test(flavor = "multi_thread")]
async fn the_next_leader_finishes_the_same_draw() {
    let sandbox = Sandbox::start().await.unwrap();
    let seen = kill_the_leader_in_a_draw_of(20_000, &sandbox).await;
    assert!(seen.scripts > 0, "nothing was watched");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, with optimised code"]
async fn the_next_leader_finishes_the_same_draw_of_a_million() {
    let sandbox = Sandbox::start().await.unwrap();
    let goes_first = sandbox.redis.run_first();
    println!("Redis goes first: {goes_first}");
    let seen = kill_the_leader_in_a_draw_of(1_000_000, &sandbox).await;
    seen.tell(BOUND);
    // Else the looks come late too, with much between two of them.
    if goes_first {
        assert!(seen.longest_worked() <= BOUND, "a script was too much work");
    }
}

async fn kill_the_leader_in_a_draw_of(fans: u32, sandbox: &Sandbox) -> Seen {
    let settings = settings(sandbox, &signing_keys());
    let event = lottery(sandbox, &settings).await;
    let [booking, edge] = ["booking", "edge"].map(|role| Usher::serve(role, &settings));
    let mut leader = Usher::serve("admission", &settings);
    wait_for_page(&edge, &event);
    let sale = OnSale {
        event: event.clone(),
        edge: edge.target(),
        booking: booking.target(),
    };
    set_rate(&sale.booking, &event, None);
    assert_eq!(sale.admin("PUT", "draw/main/rule", &rule_of_today()).0, 200);
    sale.phase(Phase::Scheduled);
    sale.phase(Phase::Gathering);
    sale.draw("the commitment", |draw| draw["commitment"].is_string());
    let memory = Memory::open(sandbox, &event).await;
    memory.gather(fans).await;
    let watch = Watch::begin(&sandbox.redis, LOGGED_FROM);

    let began = Instant::now();
    sale.phase(Phase::Drawing);
    let frozen = sale.draw_within(STEP_WITHIN, "the root", |draw| draw["root"].is_object());
    println!("{fans} fans: root after {:.1?}", began.elapsed());
    assert_eq!(frozen["root"]["fans"], fans);
    let value = json!({ "source": "public_value", "value": "3 11 19 24 40 47" });
    decide(sandbox, &event, "3 11 19 24 40 47").await;
    let decided = Instant::now();
    while memory.numbered().await == 0 {
        assert!(decided.elapsed() < STEP_WITHIN, "no number is given");
    }
    leader.stop();
    let given = memory.numbers().await;
    assert!(
        !given.is_empty() && given.len() < fans as usize,
        "{} of {fans} numbers were given: nothing was interrupted",
        given.len()
    );
    let _next = Usher::serve("admission", &settings);
    let finished = sale.draw_within(STEP_WITHIN, "the record's address", |draw| {
        draw["record_url"].is_string()
    });
    println!(
        "killed at {} numbers; all of them {:.1?} after the entropy",
        given.len(),
        decided.elapsed()
    );
    let seen = watch.end();

    for field in ["commitment", "root"] {
        assert_eq!(finished[field], frozen[field], "another draw");
    }
    assert_eq!(finished["entropy"], value);
    let numbers = memory.numbers().await;
    for (fan, number) in &given {
        assert_eq!(numbers.get(fan), Some(number), "a number was changed");
    }
    is_what_was_published(&sale, &numbers);
    seen
}

#[track_caller]
fn is_what_was_published(sale: &OnSale, numbers: &BTreeMap<FanId, u32>) {
    let record = sale.booking.get(&sale.record_path(), None).unwrap().body;
    let published: BTreeMap<FanId, u32> = record.lines().skip(1).map(line_of).collect();
    assert!(
        *numbers == published,
        "the line is not what was published: {} and {} fans",
        numbers.len(),
        published.len()
    );
    let address = format!("http://{}{}", sale.booking.0, sale.record_path());
    assert!(verdict(&address));
}

/// "number fan" of a record.
fn line_of(line: &str) -> (FanId, u32) {
    let (number, fan) = line.split_once(' ').unwrap();
    (fan.parse().unwrap(), number.parse().unwrap())
}

/// What Redis holds of the event, and what it says of its scripts.
struct Memory {
    line: Line,
    event: EventId,
}

impl Memory {
    async fn open(sandbox: &Sandbox, event: &str) -> Self {
        let pool = sqlx::PgPool::connect(&sandbox.postgres.url()).await;
        let epoch = usher_booking::pg::epoch::read(&pool.unwrap()).await;
        let url = sandbox.redis.url();
        let redis = Redis::new(&url, usher_queue::SCRIPTS, TimeSource::Server).unwrap();
        redis.load_scripts(epoch.unwrap()).await.unwrap();
        Self {
            line: Line::new(redis),
            event: event.parse().unwrap(),
        }
    }

    /// So many fans come, by the script that every join takes.
    async fn gather(&self, fans: u32) {
        let join = |who| {
            let (line, event) = (self.line.clone(), self.event);
            async move {
                let order = JoinOrder {
                    event,
                    lane: &Lane::main(),
                    other_lanes: &[],
                    fan: FanId::random(&mut StdRng::seed_from_u64(u64::from(who))),
                    generation: 0,
                    old_place: None,
                    again: false,
                };
                line.join(&order).await.map(drop)
            }
        };
        let mut joins = stream::iter(0..fans)
            .map(join)
            .buffer_unordered(JOINS_IN_FLIGHT);
        while joins.try_next().await.unwrap().is_some() {}
    }

    fn key(&self) -> String {
        keys::of_event(self.event, "line:main")
    }

    async fn numbered(&self) -> u32 {
        self.ask(cmd("ZCARD").arg(self.key())).await
    }

    /// Those given so far, in pieces: nobody else waits long, nor does this.
    async fn numbers(&self) -> BTreeMap<FanId, u32> {
        let mut numbers = BTreeMap::new();
        for first in (0..).step_by(NUMBERS_PER_READ) {
            let mut range = cmd("ZRANGE");
            range
                .arg(self.key())
                .arg(first)
                .arg(first + NUMBERS_PER_READ - 1);
            let piece: Vec<(Vec<u8>, u32)> = self.ask(range.arg("WITHSCORES")).await;
            if piece.is_empty() {
                break;
            }
            numbers.extend(
                piece
                    .into_iter()
                    .map(|(fan, number)| (FanId::from_bytes(fan.try_into().unwrap()), number)),
            );
        }
        numbers
    }

    async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> T {
        self.line.redis().command(command.clone()).await.unwrap()
    }
}
