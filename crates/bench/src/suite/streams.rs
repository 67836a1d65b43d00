//! Open streams at several sizes: what each costs in memory and processor time,
//! how late pushes come, and what Redis is asked, which must not grow with them.

use std::ops::Range;
use std::time::Duration;

use usher_queue::Room;

use super::Scale;
use crate::processes::{Helper, resident_bytes, used};
use crate::redis_stats::RedisStats;
use crate::stack::Stack;
use crate::streamer::Report;
use crate::table::Row;

/// What one process may hold, of streams and of their fans alike.
pub const STREAMS_PER_PROCESS: u32 = 15_000;
const WATCH: Duration = Duration::from_secs(12);
const SETTLE: Duration = Duration::from_secs(3);
const SEATS: u32 = 5_000;
const SIZES: [u32; 3] = [1_000, 20_000, 100_000];

pub async fn run(scale: Scale) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for size in SIZES.map(|full| scale.of(full)) {
        eprintln!("    {size} streams");
        rows.extend(one_size(size).await?);
    }
    Ok(rows)
}

async fn one_size(size: u32) -> anyhow::Result<Vec<Row>> {
    // At least two edges, so that "the same at each size" compares like with like.
    let edges = size.div_ceil(STREAMS_PER_PROCESS).max(2);
    let stack = Stack::start(edges as usize).await?;
    let event = stack.event("bench-streams", SEATS, Room::On).await?;
    stack.set_rate(event, None).await?;
    let empty = memory(&stack)?;
    let mut fans = open_streams(&stack, &event.to_string(), 0..size).await?;
    tokio::time::sleep(SETTLE).await;
    let full = memory(&stack)?;
    reports(&mut fans).await?;
    let mut redis = RedisStats::open(&stack.redis_server.url()).await?;
    let cpu_before = cpu(&stack)?;
    tokio::time::sleep(WATCH).await;
    let calls = redis.since().await?;
    let cpu_used = cpu(&stack)? - cpu_before;
    let heard = reports(&mut fans).await?;
    for streamer in fans {
        streamer.stop().await;
    }
    let seconds = WATCH.as_secs_f64();
    let kilobytes = full.saturating_sub(empty) as f64 / f64::from(size) / 1000.0;
    let by_command: Vec<String> = calls
        .iter()
        .map(|(command, calls)| format!("{command} {:.1}", *calls as f64 / seconds))
        .collect();
    let calls: u64 = calls.values().sum();
    let name = |what: &str| format!("{size} streams: {what}");
    Ok(vec![
        Row::new(&name("memory each"), kilobytes, "kB").goal(6.0),
        Row::new(&name("push lag p99"), heard.lag.quantile_ms(0.99), "ms")
            .goal(1_500.0)
            .latency(&heard.lag)
            .note(&format!(
                "{} frames in {seconds} s, {} closed",
                heard.frames, heard.closed
            )),
        Row::new(
            &name("processor"),
            100.0 * cpu_used / seconds * 10_000.0 / f64::from(size),
            "% of a core per 10,000",
        ),
        Row::new(&name("Redis commands"), calls as f64 / seconds, "1/s")
            .note(&format!("{edges} processes; {}", by_command.join(", "))),
    ])
}

/// Fans in processes of their own, spread evenly over the edges, all open.
pub async fn open_streams(
    stack: &Stack,
    event: &str,
    who: Range<u32>,
) -> anyhow::Result<Vec<Helper>> {
    let parts = u32::try_from(stack.ushers.len())?;
    let each = (who.end - who.start).div_ceil(parts);
    let mut fans = Vec::new();
    for (part, usher) in (0..parts).zip(&stack.ushers) {
        let first = who.start + part * each;
        let count = each.min(who.end - first);
        let arguments = [
            "streams".to_owned(),
            format!("--target=http://{}", usher.address),
            format!("--event={event}"),
            format!("--first={first}"),
            format!("--count={count}"),
        ];
        fans.push(Helper::start(&arguments)?);
    }
    for streamer in &mut fans {
        while !streamer.line().await?.starts_with("open ") {}
    }
    Ok(fans)
}

/// What all streams heard since the last asking.
pub async fn reports(fans: &mut [Helper]) -> anyhow::Result<Report> {
    for streamer in fans.iter_mut() {
        streamer.tell("report").await?;
    }
    let mut sum = Report::default();
    for streamer in fans.iter_mut() {
        let line = loop {
            let line = streamer.line().await?;
            if line.starts_with('{') {
                break line;
            }
        };
        let part: Report = serde_json::from_str(&line)?;
        sum.lag.merge(&part.lag);
        sum.frames += part.frames;
        sum.closed += part.closed;
    }
    Ok(sum)
}

/// What all of usher's processes have resident, in bytes.
pub fn memory(stack: &Stack) -> anyhow::Result<u64> {
    let each = stack.ushers.iter().map(|usher| resident_bytes(usher.pid()));
    each.sum()
}

fn cpu(stack: &Stack) -> anyhow::Result<f64> {
    let each = stack.ushers.iter().map(|usher| used(usher.pid()));
    each.map(|used| Ok(used?.total())).sum()
}
