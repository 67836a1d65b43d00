//! Holds a second and durable paid orders a second. Fans, seats and payments are
//! each used once, so only what was really sold counts; Postgres is asked after.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use usher_base::EventId;
use usher_queue::Room;
use usher_rehearsal::http::origin::Origin;

use super::{CONCURRENCY, Scale, all, all_over, empty_handler, put};
use crate::cost::{Meter, Spent};
use crate::fans::{Fans, Kept, Step};
use crate::stack::Stack;
use crate::table::Row;
use crate::{ceilings, pg};
use usher_rehearsal::load::{Measured, Pace};

const FANS: u32 = 40_000;
const SEATS: u32 = 60_000;
const LONGEST: Duration = Duration::from_secs(60);
/// Fans who pay at once. An order passes several durable steps, and each takes with
/// it whoever else is there: the more pay at once, the more share a step.
const PAYING: usize = 512;

/// What the fans of this benchmark carry.
#[derive(Default)]
struct Carried {
    queue: Arc<Kept>,
    access: Arc<Kept>,
    held: Arc<Kept>,
}

pub async fn run(scale: Scale) -> anyhow::Result<Vec<Row>> {
    let stack = Stack::start(1).await?;
    let event = stack.event("bench-sales", SEATS, Room::Off).await?;
    let bare = stack.event("bench-script", SEATS, Room::Off).await?;
    let origin = stack.origin().await?;
    let handler = empty_handler(scale.seconds(5), |origin| {
        Fans::new(Step::Join, event, origin, 0..u64::MAX)
    })
    .await?;
    let script = ceilings::hold_script(&stack, bare, scale.of(SEATS)).await?;
    let insert = ceilings::batch_insert(&stack, scale.seconds(5)).await?;
    let fans = u64::from(scale.of(FANS));
    let carried = Carried::default();
    admit(&origin, event, fans, &carried).await?;
    let meter = Meter::of(&stack);
    // Half of the fans at top speed, the other half at half of that.
    let half = fans / 2;
    let mut rows = vec![
        Row::new("hold script bare", script, "1/s").note("EVALSHA, the same client, no HTTP"),
        Row::new("batched rows bare", insert, "1/s").note("durable, 256 rows a transaction"),
    ];
    let (top, calm) = twice(
        &meter,
        &origin,
        CONCURRENCY,
        |who| {
            Fans::new(Step::Hold, event, &origin, who)
                .needing(&carried.access)
                .bringing(&carried.held)
                .with_access(&carried.access)
        },
        half,
    )
    .await?;
    rows.push(
        row("holds", &top, &calm)
            .under("empty handler", handler)
            .goal(0.25),
    );
    let (top, calm) = twice(
        &meter,
        &origin,
        PAYING,
        |who| {
            Fans::new(Step::Pay, event, &origin, who)
                .needing(&carried.held)
                .with_access(&carried.access)
        },
        half,
    )
    .await?;
    let told = top.measured.with_status(200..201) + calm.with_status(200..201);
    let paid = pg::paid_orders(&stack.pool, event).await?;
    let twice_sold = pg::seats_sold_twice(&stack.pool, event).await?;
    ensure!(twice_sold == 0, "{twice_sold} seats are sold twice");
    ensure!(
        u64::try_from(paid)? >= told,
        "{told} orders were told as confirmed and Postgres has {paid}"
    );
    rows.push(
        row("paid orders, durable", &top, &calm)
            .under("empty handler", handler)
            .goal(0.06)
            .note(&format!(
                "{}; told {told}, in Postgres {paid}, seats twice 0",
                both(&top, &calm)
            )),
    );
    Ok(rows)
}

/// Everybody joins and claims; the room is off, so nobody waits.
async fn admit(
    origin: &Origin,
    event: EventId,
    count: u64,
    carried: &Carried,
) -> anyhow::Result<()> {
    let join = Fans::new(Step::Join, event, origin, 0..count).bringing(&carried.queue);
    let joined = all(origin, join).await;
    let claim = Fans::new(Step::Claim, event, origin, 0..count)
        .needing(&carried.queue)
        .bringing(&carried.access);
    let claimed = all(origin, claim).await;
    ensure!(
        carried.access.count() as u64 == count,
        "of {count} fans {} were let in: joins {:?}, claims {:?}",
        carried.access.count(),
        joined.by_status,
        claimed.by_status
    );
    Ok(())
}

/// At top speed, and what that cost.
struct Top {
    measured: Measured,
    spent: Spent,
}

/// At top speed, then with other fans at half of it.
async fn twice(
    meter: &Meter,
    origin: &Origin,
    connections: usize,
    traffic: impl Fn(Range<u64>) -> Fans,
    each: u64,
) -> anyhow::Result<(Top, Measured)> {
    let loaded = all_over(origin, connections, traffic(0..each));
    let (measured, spent) = meter.during(Duration::ZERO, loaded).await?;
    let top = Top { measured, spent };
    let pace = Pace::Open {
        per_second: top.measured.good_per_second() / 2.0,
    };
    let calm = put(
        origin,
        connections,
        pace,
        Duration::ZERO,
        LONGEST,
        traffic(each..2 * each),
    )
    .await;
    Ok((top, calm))
}

fn row(name: &str, top: &Top, calm: &Measured) -> Row {
    Row::new(name, top.measured.good_per_second(), "1/s")
        .latency(&top.measured.latency)
        .note(&both(top, calm))
}

/// What else was answered at the top, because a node turns away what it cannot
/// bear, and how it went at half of that.
fn both(Top { measured, spent }: &Top, calm: &Measured) -> String {
    let good = measured.with_status(200..300);
    let others = measured.latency.count() - good + measured.failed;
    format!("{others} others; {}; {}", at_half(calm), spent.each(good))
}

fn at_half(calm: &Measured) -> String {
    let summary = calm.latency.summary();
    let others = calm.latency.count() - calm.with_status(200..300) + calm.failed;
    format!(
        "at half load p50 {:.1} ms, p99 {:.1} ms, {others} others",
        summary.p50_ms, summary.p99_ms
    )
}
