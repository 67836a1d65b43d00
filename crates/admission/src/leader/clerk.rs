//! What a term does with Postgres: settings, schedule, number blocks, ends of
//! sessions, checkpoints. It works beside the releases, so that they go on at
//! their pace while Postgres is slow or away.

use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use usher_queue::pg::{DrawProgress, LineRow, StoreError};
use usher_queue::{Ended, EventBoard, Phase};

use super::Leader;
use super::law::Kept;
use crate::Policies;
use crate::pg::checkpoints;
use crate::stock::StockReport;

/// One thing waits no longer than this for Postgres; the next second tries again.
const PATIENCE: Duration = Duration::from_secs(2);
/// Sorting and numbering a million fans takes seconds.
const DRAW_PATIENCE: Duration = Duration::from_secs(60);
/// The law's memory and the line's bitmaps are written down so often (seconds).
const CHECKPOINT_EVERY: u64 = 5;
/// Ended sessions that may wait for Postgres.
const MAX_UNWRITTEN_ENDS: usize = 20_000;
/// Ended sessions written at once.
const ENDS_PER_WRITE: usize = 1_000;

/// What the round saw in its last second.
pub(super) struct Seen {
    pub board: Arc<EventBoard>,
    pub stock: Option<StockReport>,
    pub kept: Kept,
}

/// The round's end of the desk: it puts things down and goes on.
pub(super) struct Desk {
    seen: watch::Sender<Option<Arc<Seen>>>,
    ended: mpsc::Sender<Ended>,
}

/// The clerk's end of it.
pub(super) struct Post {
    seen: watch::Receiver<Option<Arc<Seen>>>,
    ended: mpsc::Receiver<Ended>,
}

pub(super) fn desk() -> (Desk, Post) {
    let (put_seen, seen) = watch::channel(None);
    let (put_ended, ended) = mpsc::channel(MAX_UNWRITTEN_ENDS);
    let desk = Desk {
        seen: put_seen,
        ended: put_ended,
    };
    (desk, Post { seen, ended })
}

impl Desk {
    pub fn put(&self, seen: Seen) {
        self.seen.send_replace(Some(Arc::new(seen)));
    }

    pub fn put_ended(&self, ended: Vec<Ended>) {
        for end in ended {
            if self.ended.try_send(end).is_err() {
                metrics::counter!("usher_ended_sessions_unwritten_total").increment(1);
            }
        }
    }
}

pub(super) struct Clerk<'l> {
    leader: &'l Leader,
    policies: Policies,
    rows: watch::Receiver<LineRow>,
    post: Post,
    /// What Redis was told last.
    mirrored: Option<LineRow>,
    unwritten: Vec<Ended>,
    /// In this term nothing was left to sell. Only then is more stock a reason to
    /// open again: an operator's own "sold out" stays.
    saw_nothing_left: bool,
}

impl<'l> Clerk<'l> {
    pub fn new(leader: &'l Leader, mut rows: watch::Receiver<LineRow>, post: Post) -> Self {
        rows.mark_changed();
        Self {
            leader,
            policies: Policies::new(leader.pool.clone(), leader.line.clone()),
            rows,
            post,
            mirrored: None,
            unwritten: Vec::new(),
            saw_nothing_left: false,
        }
    }

    /// Until the event is closed. The rows come once a second, while Postgres does.
    pub async fn work(mut self) {
        let mut turn = 0_u64;
        loop {
            tokio::select! {
                changed = self.rows.changed() => {
                    let row = self.rows.borrow_and_update().clone();
                    if changed.is_err() {
                        return self.close(&row).await;
                    }
                    self.second(&row, turn).await;
                    turn += 1;
                }
                _ = self.post.ended.recv_many(&mut self.unwritten, ENDS_PER_WRITE),
                    if self.unwritten.is_empty() => {}
            }
            self.write_ended().await;
        }
    }

    async fn second(&mut self, row: &LineRow, turn: u64) {
        let (leader, event) = (self.leader, row.event);
        patiently("restore the policy", self.policies.restore(event)).await;
        if self.mirrored.as_ref() != Some(row) {
            let told = patiently("mirror the line", leader.store.mirror(&leader.line, row)).await;
            self.mirrored = told.map(|()| row.clone());
        }
        let now = leader.clock.now();
        let follow = leader.store.follow_schedule(&leader.line, row, now);
        patiently("follow the schedule", follow).await;
        if row.phase == Phase::Drawing {
            self.advance_draw(row).await;
        }
        let Some(seen) = self.post.seen.borrow().clone() else {
            return;
        };
        for lane in &seen.board.lanes {
            let renew = leader.store.renew_block(&leader.line, event, lane);
            patiently("lease numbers", renew).await;
        }
        self.follow_stock(row, seen.stock.as_ref()).await;
        if turn.is_multiple_of(CHECKPOINT_EVERY) {
            patiently("write a checkpoint", self.checkpoint(row, &seen.kept)).await;
        }
    }

    /// A draw goes as far as it can; once everybody has a number, the event opens.
    async fn advance_draw(&self, row: &LineRow) {
        let (leader, event) = (self.leader, row.event);
        let Some(keys) = &leader.keys else { return };
        let now = leader.clock.now();
        let draw = leader.store.advance_draw(&leader.line, keys, row, now);
        // Each step is on record, so the next second, or leader, goes on from there.
        match tokio::time::timeout(DRAW_PATIENCE, Box::pin(draw)).await {
            Ok(Ok(DrawProgress::Finished)) => {
                let open = leader.store.change_phase(&leader.line, event, Phase::Open);
                patiently("open after the draw", open).await;
            }
            Ok(Ok(DrawProgress::WaitsFor(lanes))) => {
                tracing::debug!(%event, ?lanes, "the draw waits for its entropy");
            }
            Ok(Err(error)) => tracing::warn!(%error, %event, "the draw has to wait"),
            Err(_) => tracing::warn!(%event, "the draw goes on in the next second"),
        }
        let announce = leader.store.announce_draws(&leader.line, row);
        patiently("announce the draw", announce).await;
    }

    /// Sold out closes, and what comes back opens again.
    async fn follow_stock(&mut self, row: &LineRow, stock: Option<&StockReport>) {
        let Some(stock) = stock else { return };
        self.saw_nothing_left |= stock.free == 0;
        let to = match row.phase {
            Phase::Open if stock.is_sold_out() => Phase::SoldOut,
            Phase::SoldOut if self.saw_nothing_left && stock.free > 0 => Phase::Open,
            _ => return,
        };
        let (leader, event) = (self.leader, row.event);
        let change = leader.store.change_phase(&leader.line, event, to);
        patiently("change the phase", change).await;
    }

    async fn checkpoint(&self, row: &LineRow, kept: &Kept) -> Result<(), StoreError> {
        let (leader, lanes) = (self.leader, row.lane_names());
        let now = leader.clock.now();
        leader
            .store
            .checkpoint(&leader.line, row.event, &lanes, now)
            .await?;
        checkpoints::write(&leader.pool, row.event, kept).await?;
        Ok(())
    }

    async fn write_ended(&mut self) {
        if self.unwritten.is_empty() {
            return;
        }
        let (leader, event) = (self.leader, self.rows.borrow().event);
        let now = leader.clock.now();
        let write = leader.store.write_ended(event, &self.unwritten, now);
        if patiently("write ended sessions", write).await.is_some() {
            self.unwritten.clear();
        }
    }

    /// Whoever closed the event may not have told Redis.
    async fn close(&self, row: &LineRow) {
        let leader = self.leader;
        let told = async {
            let row = leader.store.line(row.event).await?;
            leader.store.mirror(&leader.line, &row).await
        };
        patiently("close the line", told).await;
    }
}

/// The result, if it came in time; else it is logged and tried again later.
async fn patiently<T, E: Display>(
    what: &'static str,
    work: impl Future<Output = Result<T, E>>,
) -> Option<T> {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(Ok(done)) => Some(done),
        Ok(Err(error)) => {
            tracing::warn!(%error, what, "this has to wait");
            None
        }
        Err(_) => {
            tracing::warn!(what, "this has to wait: no answer in time");
            None
        }
    }
}
