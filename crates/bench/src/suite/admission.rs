//! Many let in at once among open streams: how soon each of them knows, and
//! what Redis was asked meanwhile, beside the same with few streams open.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use futures::future::join_all;
use tokio::time::{Instant, timeout};
use usher_base::EventId;
use usher_queue::Room;

use super::{Scale, streams};
use crate::processes::Helper;
use crate::redis_stats::RedisStats;
use crate::stack::Stack;
use crate::table::Row;

const LET_IN: u32 = 1_000;
/// So fast that all are let in by a few releases.
const PER_MINUTE: u32 = 120_000;
const PATIENCE: Duration = Duration::from_secs(60);
/// Presence is told every two seconds and may be three seconds old.
const SEEN_AFTER: Duration = Duration::from_secs(6);
const STATUS_AFTER: Duration = Duration::from_secs(2);
const SIZES: [u32; 2] = [2_000, 20_000];

pub async fn run(scale: Scale) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for size in SIZES.map(|full| scale.of(full)) {
        rows.extend(one_size(size, scale.of(LET_IN)).await?);
    }
    Ok(rows)
}

async fn one_size(size: u32, let_in: u32) -> anyhow::Result<Vec<Row>> {
    let stack = Stack::start(2).await?;
    let event = stack.event("bench-admission", size, Room::On).await?;
    stack.set_rate(event, None).await?;
    let mut fans = streams::open_streams(&stack, &event.to_string(), 0..size).await?;
    tokio::time::sleep(SEEN_AFTER).await;
    streams::reports(&mut fans).await?;
    let mut redis = RedisStats::open(&stack.redis_server.url()).await?;
    let began = Instant::now();
    stack.set_rate(event, Some(PER_MINUTE)).await?;
    // All parts listen at once; together they hear of so many.
    let each = u64::from(let_in) / fans.len() as u64;
    let heard = join_all(fans.iter_mut().map(|part| hear(part, each))).await;
    let took = began.elapsed();
    let calls = redis.since().await?;
    stack.set_rate(event, None).await?;
    for part in heard {
        part?;
    }
    // The leader's status of the second after the pause counts all of them.
    tokio::time::sleep(STATUS_AFTER).await;
    let released = released(&stack, event).await?;
    let frames = streams::reports(&mut fans).await?;
    ensure!(frames.closed == 0, "{} streams broke", frames.closed);
    for streamer in fans {
        streamer.stop().await;
    }
    let total: u64 = calls.values().sum();
    Ok(vec![
        Row::new(
            &format!("{let_in} let in among {size}: until they know"),
            took.as_secs_f64() * 1000.0,
            "ms",
        )
        .goal(1_000.0)
        .latency(&frames.lag)
        .note(&format!(
            "from the operator's call; {released} were let in until the pause; p50 and p99 are of pushes"
        )),
        Row::new(
            &format!("{let_in} let in among {size}: Redis commands"),
            total as f64,
            "calls",
        )
        .note(&listed(&calls)),
    ])
}

/// Until this part's fans were told `count` times that it is their turn.
async fn hear(part: &mut Helper, count: u64) -> anyhow::Result<()> {
    let listening = async {
        let mut heard = 0;
        while heard < count {
            heard += u64::from(part.line().await?.starts_with("admitted "));
        }
        anyhow::Ok(())
    };
    let heard = timeout(PATIENCE, listening).await;
    heard.context("not everybody heard of their turn")?
}

async fn released(stack: &Stack, event: EventId) -> anyhow::Result<u64> {
    let status = stack.status(event).await?;
    Ok(status["released_total"].as_u64().unwrap_or_default())
}

fn listed(calls: &BTreeMap<String, u64>) -> String {
    let listed: Vec<String> = calls
        .iter()
        .map(|(command, calls)| format!("{command} {calls}"))
        .collect();
    listed.join(", ")
}
