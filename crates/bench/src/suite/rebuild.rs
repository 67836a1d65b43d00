//! A Redis that forgot everything: how long until a hall of 60,000 seats takes
//! holds again, from the moment the empty server is back.

use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use tokio::time::Instant;
use usher_queue::Room;

use super::{Scale, all};
use crate::fans::{Fans, Kept, Step};
use crate::pg;
use crate::stack::{Stack, call};
use crate::table::Row;

const SEATS: u32 = 60_000;
const SOLD: u32 = 10_000;
const LOOK_EVERY: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(60);

pub async fn run(scale: Scale) -> anyhow::Result<Vec<Row>> {
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
    stack.redis_server.kill_9().await?;
    let restarting = Instant::now();
    stack.redis_server.restart().await?;
    let back = Instant::now();
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
    Ok(vec![
        Row::new(
            "60,000 seats: until holds again",
            back.elapsed().as_secs_f64() * 1000.0,
            "ms",
        )
        .goal(1_000.0)
        .note(&format!(
            "{paid} orders sold; Redis itself took {} ms to start",
            back.duration_since(restarting).as_millis()
        )),
    ])
}

/// A hold of a seat that is sold: 409 says that the memory is whole, 503 that it
/// is being rebuilt.
async fn takes_holds(
    stack: &Stack,
    access: &Kept,
    event: usher_base::EventId,
) -> anyhow::Result<bool> {
    let token = access.of(0).unwrap_or_default();
    let id = uuid::Uuid::new_v4();
    let body = serde_json::json!({ "client_reservation_id": id, "seat_ids": ["s0-1-1"] });
    let path = usher_rehearsal::wire::reservations_path(&event.to_string());
    let answer = call(stack.address(), "POST", &path, &token, Some(&body)).await?;
    Ok(matches!(answer.status, 201 | 409))
}
