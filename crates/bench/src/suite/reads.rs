//! Reads: the own place (a token verified each time), the catalog, the seat map.

use std::sync::Arc;

use usher_queue::Room;
use usher_rehearsal::wire;

use super::{Scale, all, closed, empty_handler, open};
use crate::fans::{Fans, Kept, Reads, Step};
use crate::stack::Stack;
use crate::table::Row;

const SEATS: u32 = 5_000;

pub async fn run(scale: Scale) -> anyhow::Result<Vec<Row>> {
    let duration = scale.seconds(5);
    let stack = Stack::start(1).await?;
    let event = stack.event("bench-reads", SEATS, Room::On).await?;
    stack.set_rate(event, None).await?;
    let origin = stack.origin().await?;
    let count = u64::from(scale.of(20_000));
    let ceiling = empty_handler(duration, |origin| {
        Fans::new(Step::Join, event, origin, 0..u64::MAX)
    })
    .await?;
    let tokens = Arc::<Kept>::default();
    let join = Fans::new(Step::Join, event, &origin, 0..count).bringing(&tokens);
    all(&origin, join).await;
    let places = || Fans::new(Step::Place, event, &origin, 0..count).needing(&tokens);
    let measured = closed(&origin, duration, places()).await;
    let top = measured.good_per_second();
    let mut rows = vec![
        Row::new("verified reads (own place)", top, "1/s")
            .under("empty handler", ceiling)
            .goal(0.60)
            .latency(&measured.latency),
    ];
    let half = open(&origin, top / 2.0, duration, places()).await;
    rows.push(
        Row::new("verified reads at half load", half.good_per_second(), "1/s")
            .latency(&half.latency),
    );
    let paths = [
        ("catalog", wire::EVENTS_PATH.to_owned()),
        ("one event", wire::event_path(&event.to_string())),
        (
            "seat map, 5,000 seats",
            wire::seatmap_path(&event.to_string()),
        ),
    ];
    for (name, path) in paths {
        let reads = || Reads {
            path: path.clone(),
            host: origin.authority(),
        };
        let measured = closed(&origin, duration, reads()).await;
        let top = measured.good_per_second();
        let half = open(&origin, top / 2.0, duration, reads()).await;
        let note = format!(
            "at half load p50 {:.1} ms, p95 {:.1} ms (goals 20, 100)",
            half.latency.summary().p50_ms,
            half.latency.summary().p95_ms
        );
        rows.push(
            Row::new(name, top, "1/s")
                .under("empty handler", ceiling)
                .latency(&measured.latency)
                .note(&note),
        );
    }
    Ok(rows)
}
