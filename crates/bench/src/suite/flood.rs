//! A flood of joins while others wait: how much later their pushes come meanwhile.

use std::time::Duration;

use usher_queue::Room;

use super::{Scale, closed, streams};
use crate::fans::{Fans, Step};
use crate::stack::Stack;
use crate::table::Row;

const WAITING: u32 = 1_000;
const WATCH: Duration = Duration::from_secs(12);
/// The flood's fans come after those who wait, and their ids with them.
const FIRST_OF_FLOOD: u64 = 100_000;
const PLENTY: u64 = 10_000_000;
const SEATS: u32 = 100;

pub async fn run(scale: Scale) -> anyhow::Result<Vec<Row>> {
    let waiting = scale.of(WAITING);
    let stack = Stack::start(1).await?;
    let event = stack.event("bench-flood", SEATS, Room::On).await?;
    stack.set_rate(event, None).await?;
    let mut fans = streams::open_streams(&stack, &event.to_string(), 0..waiting).await?;
    streams::reports(&mut fans).await?;
    tokio::time::sleep(WATCH).await;
    let calm = streams::reports(&mut fans).await?;
    let origin = stack.origin().await?;
    let joins = Fans::new(Step::Join, event, &origin, FIRST_OF_FLOOD..PLENTY);
    let flood = closed(&origin, WATCH, joins).await;
    let flooded = streams::reports(&mut fans).await?;
    for streamer in fans {
        streamer.stop().await;
    }
    let row = |what: &str, heard: &crate::streamer::Report| {
        let name = format!("{waiting} waiting: push lag p99, {what}");
        Row::new(&name, heard.lag.quantile_ms(0.99), "ms")
            .goal(1_500.0)
            .latency(&heard.lag)
            .note(&format!("{} frames, {} closed", heard.frames, heard.closed))
    };
    let slower = flooded.lag.quantile_ms(0.99) / calm.lag.quantile_ms(0.99).max(f64::EPSILON);
    let note = format!("{:.0} joins a second meanwhile", flood.good_per_second());
    Ok(vec![
        row("calm", &calm),
        row("in a flood of joins", &flooded),
        Row::new("push lag p99 in the flood", 100.0 * slower, "% of calm").note(&note),
    ])
}
