//! A node's own writer: one group-commit queue for each step of a commit that
//! has to be durable.

use std::time::Duration;

use sqlx::PgPool;
use usher_base::OrderId;

use super::decide::{self, Decided};
use super::paid::{self, Captured, MadePaid};
use super::record::{self, Recorded};
use super::sync::{self, Told};
use super::{GroupCommit, NotDone};
use crate::orders::NewOrder;

/// One for each queue, those of the test bank's book with them, and two for who looks
/// something up in that book.
pub const WRITER_CONNECTIONS: u32 = 8;

/// Notes are in no hurry: while these wait, more come along for the next batch.
const NOTE_PAUSE: Duration = Duration::from_millis(20);

pub struct Writer {
    record: GroupCommit<NewOrder, Recorded>,
    decide: GroupCommit<OrderId, Decided>,
    pay: GroupCommit<Captured, MadePaid>,
    note: GroupCommit<Told, ()>,
}

impl Writer {
    /// `pool` should be the writer's own, of `WRITER_CONNECTIONS`, so that no
    /// reader keeps an order waiting.
    pub fn start(pool: &PgPool) -> Self {
        let for_each = || pool.clone();
        let (a, b, c, d) = (for_each(), for_each(), for_each(), for_each());
        Self {
            record: GroupCommit::start("record", move |orders: Vec<NewOrder>| {
                let pool = a.clone();
                async move { record::record(&pool, &orders).await }
            }),
            decide: GroupCommit::start("decide", move |orders: Vec<OrderId>| {
                let pool = b.clone();
                async move { decide::capture(&pool, &orders).await }
            }),
            pay: GroupCommit::start("pay", move |captured: Vec<Captured>| {
                let pool = c.clone();
                async move { paid::pay(&pool, &captured).await }
            }),
            note: GroupCommit::start("note", move |told: Vec<Told>| {
                let pool = d.clone();
                async move {
                    tokio::time::sleep(NOTE_PAUSE).await;
                    if let Err(error) = sync::note(&pool, &told).await {
                        // Whoever is not noted is told again by the reconciler.
                        tracing::warn!(%error, "told orders could not be noted");
                    }
                    vec![(); told.len()]
                }
            }),
        }
    }

    /// Step 2: durable, before any money moves.
    pub async fn record(&self, order: NewOrder) -> Result<Recorded, NotDone> {
        self.record.submit(order).await
    }

    /// Step 3: decide to take the money.
    pub async fn decide_capture(&self, order: OrderId) -> Decided {
        // Not taken by a full queue is not decided either: the reconciler will.
        let decided = self.decide.submit(order).await;
        decided.unwrap_or(Decided::Unknown)
    }

    /// Step 4: paid, with tickets.
    pub async fn pay(&self, captured: Captured) -> MadePaid {
        let made = self.pay.submit(captured).await;
        made.unwrap_or(MadePaid::Unknown)
    }

    /// Step 5: Redis was told. Nobody waits for the note: without it the
    /// reconciler tells Redis again.
    pub fn note(&self, told: Told) {
        let _ = self.note.post(told);
    }
}
