//! A Redis that forgot everything: how long, from the moment the empty server is back,
//! until a hall of 60,000 seats takes holds again, and until a fan behind a million
//! stands at the same number with the same people ahead.

use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use serde_json::{Value, json};
use tokio::time::Instant;
use usher_base::EventId;
use usher_queue::{Line, Room};
use usher_rehearsal::wire;

use super::line::join_all;
use super::{Scale, all};
use crate::fans::{Fans, Kept, Step};
use crate::pg;
use crate::stack::{Stack, call};
use crate::table::Row;

const SEATS: u32 = 60_000;
const SOLD: u32 = 10_000;
const WAITING: u32 = 1_000_000;
/// The line is written down every five seconds.
const WRITTEN_DOWN: Duration = Duration::from_secs(12);
const LOOK_EVERY: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(60);

pub async fn run(scale: Scale) -> anyhow::Result<Vec<Row>> {
    Ok(vec![hall(scale).await?, line(scale).await?])
}

async fn hall(scale: Scale) -> anyhow::Result<Row> {
    let stack = Stack::start(1).await?;
    let event = stack.event("bench-rebuild", SEATS, Room::Off).await?;
    let origin = stack.origin().await?;
    let sold = u64::from(scale.of(SOLD));
    let [queue, access, held] = [(); 3].map(|()| Arc::<Kept>::default());
    let fans = |step| Fans::new(step, event, &origin, 0..sold).with_access(&access);
    all(&origin, fans(Step::Join).bringing(&queue)).await;
    all(&origin, fans(Step::Claim).needing(&queue).bringing(&access)).await;
    all(&origin, fans(Step::Hold).needing(&access).bringing(&held)).await;
    all(&origin, fans(Step::Pay).needing(&held)).await;
    let paid = pg::paid_orders(&stack.pool, event).await?;
    ensure!(paid > 0, "nothing was sold before the loss");
    let (back, starting) = lose_redis(&stack).await?;
    let path = format!("/api/v1/events/{event}/availability/s5-100-100");
    loop {
        let answer = call(stack.address(), "GET", &path, "", None).await?;
        let is_free = String::from_utf8_lossy(&answer.body).contains("available");
        if answer.status == 200 && is_free && takes_holds(&stack, &access, event).await? {
            break;
        }
        ensure!(back.elapsed() < PATIENCE, "it is not whole again in time");
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let note = format!("{paid} orders sold; {starting}");
    Ok(until("60,000 seats: until holds again", back, &note).goal(1_000.0))
}

async fn line(scale: Scale) -> anyhow::Result<Row> {
    let stack = Stack::start(1).await?;
    let event = stack.event("bench-line-lost", 5_000, Room::On).await?;
    stack.set_rate(event, None).await?;
    let waiting = scale.of(WAITING);
    join_all(&Line::new(stack.client().await?), event, waiting).await?;
    let origin = stack.origin().await?;
    let queue = Arc::<Kept>::default();
    let last = Fans::new(Step::Join, event, &origin, 0..1).bringing(&queue);
    all(&origin, last).await;
    let token = queue.of(0).unwrap_or_default();
    tokio::time::sleep(WRITTEN_DOWN).await;
    let stood = place(&stack, event, &token).await?;
    ensure!(
        stood.is_some_and(|(_, ahead)| ahead == u64::from(waiting)),
        "the last of {waiting} hears {stood:?}"
    );
    let (back, starting) = lose_redis(&stack).await?;
    while place(&stack, event, &token).await? != stood {
        ensure!(back.elapsed() < PATIENCE, "the place is not back in time");
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let name = format!("a line of {waiting}: until the last one's place is told again");
    let note = format!("the same number, the same people ahead; {starting}");
    Ok(until(&name, back, &note))
}

fn until(name: &str, back: Instant, note: &str) -> Row {
    Row::new(name, back.elapsed().as_secs_f64() * 1000.0, "ms").note(note)
}

/// When the empty server was back, and how long itself took.
async fn lose_redis(stack: &Stack) -> anyhow::Result<(Instant, String)> {
    stack.redis_server.kill_9().await?;
    let restarting = Instant::now();
    stack.redis_server.restart().await?;
    let back = Instant::now();
    let took = back.duration_since(restarting).as_millis();
    Ok((back, format!("Redis itself took {took} ms to start")))
}

/// A hold of a seat that is sold: 409 says that the memory is whole, 503 that it
/// is being rebuilt.
async fn takes_holds(stack: &Stack, access: &Kept, event: EventId) -> anyhow::Result<bool> {
    let token = access.of(0).unwrap_or_default();
    let id = uuid::Uuid::new_v4();
    let body = json!({ "client_reservation_id": id, "seat_ids": ["s0-1-1"] });
    let path = wire::reservations_path(&event.to_string());
    let answer = call(stack.address(), "POST", &path, &token, Some(&body)).await?;
    Ok(matches!(answer.status, 201 | 409))
}

/// Number and people ahead of a fan who comes back, while the line is whole.
async fn place(stack: &Stack, event: EventId, token: &str) -> anyhow::Result<Option<(u64, u64)>> {
    let path = wire::queue_path(&event.to_string());
    let answer = call(stack.address(), "POST", &path, token, Some(&json!({}))).await?;
    let told: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    Ok(told["number"].as_u64().zip(told["ahead"].as_u64()))
}
