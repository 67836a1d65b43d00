//! Many let in by one release among open streams: how soon all of them know, and
//! what Redis was asked meanwhile, beside the same with few streams open.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use futures::future::select_all;
use tokio::time::{Instant, timeout};
use usher_base::EventId;
use usher_queue::Room;

use super::{Scale, streams};
use crate::processes::Helper;
use crate::redis_stats::RedisStats;
use crate::stack::Stack;
use crate::table::Row;

const LET_IN: u32 = 1_000;
/// So fast that one release takes all of them, and no pacing is measured: the leader
/// releases four times a second, and plans a quarter of a second's people for the first
/// second after an operator's word.
const TIMES_PER_MINUTE: u32 = 60 * 4 * 4;
const PATIENCE: Duration = Duration::from_secs(60);
/// Presence is told every two seconds and may be three seconds old.
const SEEN_AFTER: Duration = Duration::from_secs(6);
const STATUS_AFTER: Duration = Duration::from_secs(2);
/// More than those let in buy: with few seats the leader lets in what they suffice for.
const SEATS: u32 = 20_000;
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
    let event = stack.event("bench-admission", SEATS, Room::On).await?;
    stack.set_rate(event, None).await?;
    let mut fans = streams::open_streams(&stack, &event.to_string(), 0..size).await?;
    tokio::time::sleep(SEEN_AFTER).await;
    streams::reports(&mut fans).await?;
    let mut redis = RedisStats::open(&stack.redis_server.url()).await?;
    let began = Instant::now();
    stack
        .set_rate(event, Some(let_in * TIMES_PER_MINUTE))
        .await?;
    let turns = hear(&mut fans, let_in as usize).await?;
    let took = began.elapsed();
    let calls = redis.since().await?;
    stack.set_rate(event, None).await?;
    // The leader's status of the second after the pause counts all of them.
    tokio::time::sleep(STATUS_AFTER).await;
    let released = released(&stack, event).await?;
    let frames = streams::reports(&mut fans).await?;
    ensure!(frames.closed == 0, "{} streams broke", frames.closed);
    for streamer in fans {
        streamer.stop().await;
    }
    let total: u64 = calls.values().sum();
    let first_to_last = turns.last().zip(turns.first());
    let first_to_last = first_to_last.map_or(0, |(last, first)| last - first);
    Ok(vec![
        Row::new(
            &format!("{let_in} let in among {size}: until they know"),
            took.as_secs_f64() * 1000.0,
            "ms",
        )
        .goal(1_000.0)
        .latency(&frames.lag)
        .note(&format!(
            "from the operator's call; {first_to_last} ms from the first who knew to the last; {released} were let in until the pause; p50 and p99 are of pushes"
        )),
        Row::new(
            &format!("{let_in} let in among {size}: Redis commands"),
            total as f64,
            "calls",
        )
        .note(&listed(&calls)),
    ])
}

/// Until so many fans, wherever they are, were told that it is their turn: when each
/// of them heard it, in ms, ascending.
async fn hear(parts: &mut [Helper], count: usize) -> anyhow::Result<Vec<u64>> {
    let turns = Mutex::new(Vec::new());
    let listening = parts.iter_mut().map(|part| {
        Box::pin(async {
            loop {
                let line = part.line().await?;
                let Some(at) = line.strip_prefix("admitted ") else {
                    continue;
                };
                let mut turns = turns.lock().unwrap_or_else(PoisonError::into_inner);
                turns.push(at.parse()?);
                if turns.len() >= count {
                    return anyhow::Ok(());
                }
            }
        })
    });
    let (heard, ..) = timeout(PATIENCE, select_all(listening))
        .await
        .context("not everybody heard of their turn")?;
    heard?;
    let mut turns = turns.into_inner().unwrap_or_else(PoisonError::into_inner);
    turns.sort_unstable();
    Ok(turns)
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
