//! Ceilings below HTTP: the hold script called bare over the client that usher
//! uses, and rows written in batches by a transaction that does nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use usher_base::{EventId, FanId, ReservationId};
use usher_booking::holds::{HoldRequest, HoldRules, HoldTag, Holds};
use usher_booking::inventory::{SeatIndex, Selection};
use uuid::Uuid;

use crate::pg;
use crate::stack::Stack;

const CALLERS: u32 = 256;
/// As many rows as a full batch of orders writes.
const ROWS_PER_BATCH: usize = 256;
const WRITERS: u32 = 2;

/// Holds a second: the script alone, each call a seat of its own.
pub async fn hold_script(stack: &Stack, event: EventId, seats: u32) -> anyhow::Result<f64> {
    let holds = Holds::new(stack.client().await?);
    let next = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (holds, next) = (holds.clone(), Arc::clone(&next));
        callers.spawn(async move {
            let mut done = 0_u64;
            loop {
                let seat = u32::try_from(next.fetch_add(1, Ordering::Relaxed))?;
                if seat >= seats {
                    return anyhow::Ok(done);
                }
                holds
                    .hold(event, &request(seat)?, &HoldRules::default())
                    .await?;
                done += 1;
            }
        });
    }
    let mut done = 0;
    while let Some(caller) = callers.join_next().await {
        done += caller??;
    }
    Ok(done as f64 / began.elapsed().as_secs_f64())
}

fn request(seat: u32) -> anyhow::Result<HoldRequest> {
    Ok(HoldRequest {
        id: ReservationId::from_uuid(Uuid::new_v4()),
        fan: FanId::random(&mut rand::rng()),
        selection: Selection::new(vec![SeatIndex(seat)], [])?,
        ttl: Duration::from_secs(600),
        tag: HoldTag::of(&seat.to_be_bytes()),
    })
}

/// Rows a second, durable, in batches, as many writers as usher's own.
pub async fn batch_insert(stack: &Stack, duration: Duration) -> anyhow::Result<f64> {
    pg::create_bare_rows(&stack.pool).await?;
    let end = Instant::now() + duration;
    let began = Instant::now();
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let pool = stack.pool.clone();
        writers.spawn(async move {
            let mut rows = 0;
            while Instant::now() < end {
                let ids: Vec<Uuid> = (0..ROWS_PER_BATCH).map(|_| Uuid::new_v4()).collect();
                pg::insert_bare_rows(&pool, &ids).await?;
                rows += ROWS_PER_BATCH;
            }
            anyhow::Ok(rows)
        });
    }
    let mut rows = 0;
    while let Some(writer) = writers.join_next().await {
        rows += writer??;
    }
    Ok(rows as f64 / began.elapsed().as_secs_f64())
}
