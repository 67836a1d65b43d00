//! A million people in one line, and open streams behind them: what each costs, whether
//! each place that fans hear is the true one, and what Redis is asked, which must not
//! grow with the streams.

use std::time::{Duration, Instant};

use anyhow::ensure;
use futures::stream::{self, StreamExt as _};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use redis::cmd;
use usher_base::redis::Redis;
use usher_base::{EventId, FanId, Lane};
use usher_queue::{JoinError, JoinOrder, Line, Room};

use super::Scale;
use super::streams::{self, open_streams};
use crate::keys;
use crate::processes::Helper;
use crate::redis_stats::RedisStats;
use crate::stack::Stack;
use crate::streamer::HeardPlace;
use crate::table::Row;

const WAITING: u32 = 1_000_000;
const JOINS_IN_FLIGHT: usize = 256;
/// Numbers are leased in blocks, and a fast load may be ahead of the next one.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(100);
const TRIES: u32 = 300;
const STREAMS: [u32; 2] = [1_000, 20_000];
const SAMPLE: usize = 1_000;
const SEATS: u32 = 5_000;
/// Everybody hears at least every ten seconds.
const WATCH: Duration = Duration::from_secs(12);

pub async fn run(scale: Scale) -> anyhow::Result<Vec<Row>> {
    let stack = Stack::start(2).await?;
    let event = stack.event("bench-line", SEATS, Room::On).await?;
    stack.set_rate(event, None).await?;
    let waiting = scale.of(WAITING);
    let line = Line::new(stack.client().await?);
    let mut rows = fill(&stack, &line, event, waiting).await?;
    let mut redis = RedisStats::open(&stack.redis_server.url()).await?;
    let mut fans = Vec::new();
    let mut opened = 0;
    for size in STREAMS.map(|full| scale.of(full)) {
        let before = streams::memory(&stack)?;
        fans.extend(open_streams(&stack, &event.to_string(), opened..size).await?);
        tokio::time::sleep(WATCH).await;
        let used = streams::memory(&stack)?.saturating_sub(before);
        let each = used as f64 / f64::from(size - opened) / 1_000.0;
        opened = size;
        redis.since().await?;
        tokio::time::sleep(WATCH).await;
        let calls: u64 = redis.since().await?.values().sum();
        let name = |what: &str| format!("{size} streams behind {waiting}: {what}");
        rows.push(Row::new(&name("memory each"), each, "kB").goal(6.0));
        let per_second = calls as f64 / WATCH.as_secs_f64();
        rows.push(Row::new(&name("Redis commands"), per_second, "1/s"));
    }
    rows.push(sample(&mut fans, line.redis(), event).await?);
    for streamer in fans {
        streamer.stop().await;
    }
    Ok(rows)
}

/// What so many in line cost.
async fn fill(
    stack: &Stack,
    line: &Line,
    event: EventId,
    waiting: u32,
) -> anyhow::Result<Vec<Row>> {
    let held = used_memory(line.redis()).await?;
    let resident = streams::memory(stack)?;
    let took = join_all(line, event, waiting).await?;
    // The edges have read the longer line by then.
    tokio::time::sleep(WATCH).await;
    let each = |bytes: u64| bytes as f64 / f64::from(waiting);
    let held = used_memory(line.redis()).await?.saturating_sub(held);
    let resident = streams::memory(stack)?.saturating_sub(resident);
    let name = |what: &str| format!("{waiting} waiting: {what}");
    Ok(vec![
        Row::new(
            &name("joins by the script"),
            f64::from(waiting) / took,
            "1/s",
        )
        .note(&format!("{took:.1} s in all")),
        Row::new(&name("Redis's memory a fan"), each(held), "bytes"),
        Row::new(&name("usher's memory a fan"), each(resident), "bytes")
            .note("two processes together, the second an edge"),
    ])
}

/// So many join by the script itself, over usher's own client; how many seconds it took.
pub async fn join_all(line: &Line, event: EventId, waiting: u32) -> anyhow::Result<f64> {
    let began = Instant::now();
    let joins = stream::iter(0..waiting).map(|who| join(line.clone(), event, who));
    let mut joins = joins.buffer_unordered(JOINS_IN_FLIGHT);
    while let Some(joined) = joins.next().await {
        joined?;
    }
    Ok(began.elapsed().as_secs_f64())
}

async fn join(line: Line, event: EventId, who: u32) -> anyhow::Result<()> {
    let lane = Lane::main();
    let order = JoinOrder {
        event,
        lane: &lane,
        other_lanes: &[],
        fan: FanId::random(&mut StdRng::seed_from_u64(u64::from(who))),
        generation: 0,
        old_place: None,
        again: false,
    };
    let mut refused = None;
    for _ in 0..TRIES {
        match line.join(&order).await {
            Ok(_) => return Ok(()),
            Err(error @ (JoinError::Full | JoinError::Call(_))) => refused = Some(error),
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(TRY_AGAIN_AFTER).await;
    }
    anyhow::bail!("fan {who} could not join: {refused:?}")
}

/// What some fans heard last, against the sorted set.
async fn sample(fans: &mut [Helper], redis: &Redis, event: EventId) -> anyhow::Result<Row> {
    let each = SAMPLE / fans.len();
    let key = keys::line(event);
    let (mut asked, mut exact) = (0_u32, 0_u32);
    for streamer in fans {
        for heard in places(streamer, each).await? {
            let fan: FanId = heard.fan.parse()?;
            let number: u64 = redis
                .command(cmd("ZSCORE").arg(&key).arg(&fan.bytes()[..]).clone())
                .await?;
            let before = format!("({number}");
            let ahead: u64 = redis
                .command(cmd("ZCOUNT").arg(&key).arg("-inf").arg(before).clone())
                .await?;
            asked += 1;
            exact += u32::from(heard.number == number && heard.ahead == ahead);
        }
    }
    ensure!(
        exact == asked,
        "{} of {asked} heard another place",
        asked - exact
    );
    let name = format!("places heard by a sample of {asked}: exact");
    Ok(Row::new(&name, f64::from(exact), "fans").note("against ZSCORE and ZCOUNT"))
}

async fn places(streamer: &mut Helper, count: usize) -> anyhow::Result<Vec<HeardPlace>> {
    streamer.tell(&format!("places {count}")).await?;
    loop {
        let line = streamer.line().await?;
        if line.starts_with('[') {
            return Ok(serde_json::from_str(&line)?);
        }
    }
}

async fn used_memory(redis: &Redis) -> anyhow::Result<u64> {
    let info: String = redis.command(cmd("INFO").arg("memory").clone()).await?;
    let used = info
        .lines()
        .find_map(|line| line.strip_prefix("used_memory:"));
    Ok(used.unwrap_or_default().trim().parse()?)
}
