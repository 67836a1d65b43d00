//! Joins a second into a line that is already long. Nobody is let in meanwhile.

use usher_base::EventId;
use usher_queue::Room;
use usher_rehearsal::http::origin::Origin;

use super::{Scale, WARM_UP, all, closed, empty_handler};
use crate::cost::Meter;
use crate::fans::{Fans, Step};
use crate::stack::Stack;
use crate::table::Row;

/// More than a load can join in its time.
const PLENTY: u64 = 10_000_000;
const SEATS: u32 = 100;

pub async fn run(scale: Scale) -> anyhow::Result<Vec<Row>> {
    let duration = scale.seconds(5);
    let nowhere = EventId::from_uuid(uuid::Uuid::nil());
    let ceiling = empty_handler(duration, |origin| {
        Fans::new(Step::Join, nowhere, origin, 0..PLENTY)
    })
    .await?;
    let stack = Stack::start(1).await?;
    let event = stack.event("bench-joins", SEATS, Room::On).await?;
    stack.set_rate(event, None).await?;
    let origin = stack.origin().await?;
    let meter = Meter::of(&stack);
    let mut rows = vec![Row::new("empty handler", ceiling, "1/s").note("the ceiling of HTTP")];
    let mut first = 0;
    let mut shortest_line = None;
    for waiting in [10_000, 100_000, 1_000_000].map(|full| u64::from(scale.of(full))) {
        first = fill(&origin, event, first, waiting).await;
        let fans = Fans::new(Step::Join, event, &origin, first..PLENTY);
        let loaded = closed(&origin, duration, fans);
        let (measured, spent) = meter.during(WARM_UP, loaded).await?;
        let joined = measured.with_status(200..300);
        let others = measured.latency.count() + measured.failed - joined;
        let per_second = measured.good_per_second();
        let base = *shortest_line.get_or_insert(per_second);
        // Fans of the warm-up are in line too; leave room for them.
        first += joined * 2;
        let note = format!(
            "{:.2} x that of the shortest line; {others} others; {}",
            per_second / base,
            spent.each(joined)
        );
        rows.push(
            Row::new(&format!("joins, {waiting} waiting"), per_second, "1/s")
                .under("empty handler", ceiling)
                .goal(0.35)
                .latency(&measured.latency)
                .note(&note),
        );
    }
    Ok(rows)
}

/// Brings the line to `waiting`; returns the number of the next fan.
async fn fill(origin: &Origin, event: EventId, first: u64, waiting: u64) -> u64 {
    let next = first.max(waiting);
    let fans = Fans::new(Step::Join, event, origin, first..next);
    all(origin, fans).await;
    next
}
