//! Every booking script on a real Redis against a small reference model:
//! random sequences of calls in moving time, shrunk when they disagree. A
//! script is one step in Redis, so sequences of calls are all the
//! interleavings that there are. The suite plays the same 1,500 each time; with
//! USHER_MODEL_CASES it plays as many others.
#![allow(clippy::unwrap_used)]

mod support;

#[path = "holds_model/compare.rs"]
mod compare;
#[path = "holds_model/model.rs"]
mod model;
#[path = "holds_model/steps.rs"]
mod steps;

use proptest::test_runner::{Config, RngSeed, TestRunner};
use support::{World, event};
use tokio::runtime::Runtime;
use usher_base::redis::{Script, TimeSource};
use usher_booking::SCRIPTS;

const CASES: u32 = 1_500;
/// The rarest of the planted mistakes shows within so many.
const CASES_OF_A_MISTAKE: u32 = 3_000;
const SEED: RngSeed = RngSeed::Fixed(20_261_121);

/// How many sequences are played on the scripts as they are, and which.
fn extent() -> (u32, RngSeed) {
    match std::env::var("USHER_MODEL_CASES") {
        Ok(cases) => (cases.parse().unwrap(), RngSeed::Random),
        Err(_) => (CASES, SEED),
    }
}

/// Plays random sequences until one disagrees, and says which.
fn disagreement(
    scripts: &[&'static Script],
    (cases, rng_seed): (u32, RngSeed),
    max_shrink_iters: u32,
) -> Option<String> {
    let runtime = Runtime::new().unwrap();
    let world = runtime.block_on(World::start_with(scripts, TimeSource::Test));
    let config = Config {
        cases,
        failure_persistence: None,
        rng_seed,
        max_shrink_iters,
        ..Config::default()
    };
    let next_event = std::cell::Cell::new(0);
    let outcome = TestRunner::new(config).run(&steps::sequences(), |sequence| {
        next_event.set(next_event.get() + 1);
        runtime.block_on(steps::play(&world, event(next_event.get()), &sequence))
    });
    outcome.err().map(|failure| failure.to_string())
}

#[test]
fn the_scripts_do_what_the_model_does() {
    assert_eq!(disagreement(SCRIPTS, extent(), 4000), None);
}

/// Mistakes that the sequences must notice: (script, right, wrong).
const MISTAKES: &[(&str, &str, &str)] = &[
    ("hold", "if #taken + #short > 0", "if #short > 0"),
    ("hold", "if #taken + #short > 0", "if #taken > 0"),
    ("hold", " or tonumber(seats[at]) >= beyond", ""),
    ("hold", "or known.request ~= request", ""),
    (
        "hold",
        "count(fan, seats, tiers, 1)",
        "count(fan, seats, {}, 1)",
    ),
    (
        "hold",
        "has + asked > tonumber",
        "has + asked - 1 > tonumber",
    ),
    (
        "extend",
        "if h.extended_by == ARGV[4] then",
        "if false then",
    ),
    (
        "extend",
        "h.deadline + tonumber(ARGV[3]), h.ends",
        "h.deadline + tonumber(ARGV[3])",
    ),
    ("free", "(ARGV[2] ~= '' and h.fan ~= ARGV[2])", "false"),
    (
        "free",
        "if h.deadline <= now then",
        "if h.deadline < now then",
    ),
    ("commit", "h.deadline <= now", "h.deadline < now"),
    (
        "commit",
        "redis.call('ZREM', DUE, id)\nredis.call('ZADD', C",
        "redis.call('ZADD', C",
    ),
    (
        "commit",
        "if redis.call('HEXISTS', SOLD, order) == 1",
        "if false",
    ),
    (
        "settle",
        "if sold and sold ~= 'f' then",
        "if sold == 'x' then",
    ),
    ("settle", "count(fan, seats, tiers, 1)", ""),
    ("settle", "redis.call('HDEL', OWNER, unpack(seats))", ""),
    ("settle", "h.order == order and (h", "(h"),
    ("unpin", "or h.order ~= order", ""),
    ("unpin", "if h.attempts < tonumber(ARGV[4])", "if true"),
    ("restock", "if sold == 'x' then", "if false then"),
    ("restock", "mark(seat_list(seats), 0)", ""),
    (
        "restock",
        "redis.call('HSET', SOLD, order, 'x')",
        "redis.call('HDEL', SOLD, order)",
    ),
    ("stock", "found == 0 and free", "found == 1 and free"),
    (
        "expire",
        "= reclaim(now, limit)",
        "= reclaim(now - 1, limit)",
    ),
    ("stock", "tier[1] .. ':cap'", "tier[1]"),
    ("rebuild_inventory", "CLOSED, SOLD)", "CLOSED)"),
    (
        "rebuild_inventory",
        "'UNLINK', SEATS, OWNER,",
        "'UNLINK', SEATS,",
    ),
    (
        "rebuild_inventory",
        "PERFAN, TIERS, COMMITTING, C",
        "TIERS, COMMITTING, C",
    ),
    (
        "rebuild_inventory",
        "TIERS, COMMITTING, CLOSED",
        "TIERS, CLOSED",
    ),
    ("rebuild_inventory", "'SET', SEATS, ARGV[2]", "'GET', SEATS"),
    (
        "rebuild_inventory",
        "'HSET', TIERS, tier[1], ",
        "'HSET', TIERS, 'x', ",
    ),
    ("rebuild_fill", "~= ARGV[1] then", "== 'none' then"),
    ("rebuild_fill", "sold = SOLD", "sold = TIERS"),
    ("rebuild_fill", "owner = OWNER", "owner = TIERS"),
    ("rebuild_fill", "perfan = PERFAN", "perfan = TIERS"),
    (
        "rebuild_fill",
        "redis.call('ZADD', COMMITTING, unpack(ARGV, 3))",
        "",
    ),
];

/// The scripts, one of them with a mistake in it.
fn with_mistake((name, right, wrong): &(&str, &str, &str)) -> Vec<&'static Script> {
    let change = |script: &&'static Script| -> &'static Script {
        if script.name != *name {
            return script;
        }
        let body = script.body.replacen(right, wrong, 1);
        assert_ne!(body, script.body, "{name} has no {right:?} any more");
        let body = Box::leak(body.into_boxed_str());
        Box::leak(Box::new(Script::new(script.name, body)))
    };
    SCRIPTS.iter().map(change).collect()
}

#[test]
fn every_planted_mistake_is_noticed() {
    let broken: Vec<_> = MISTAKES.iter().map(with_mistake).collect();
    let cases = (CASES_OF_A_MISTAKE, SEED);
    let noticed = |scripts: &Vec<_>| disagreement(scripts, cases, 0).is_some();
    let noticed: Vec<_> = broken.iter().map(noticed).collect();
    let missed: Vec<_> = MISTAKES.iter().zip(noticed).filter(|m| !m.1).collect();
    assert!(missed.is_empty(), "unnoticed: {missed:#?}");
}
