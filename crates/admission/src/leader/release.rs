//! Carrying a decision out: the second's people in even slices, over the lanes by
//! weight, each batch written down before it happens.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use usher_base::redis::{Hint, HintKind};
use usher_base::{EventId, Lane, Number, Timestamp};
use usher_queue::pg::{PlannedRelease, Recorder};
use usher_queue::{
    Bitmap, EventBoard, MAX_NUMBERS_PER_RELEASE, ReleaseError, ReleaseOrder, ReleasedFan, Snapshot,
};

use super::Leader;
use super::lanes::{Share, Shares};
use super::lease::Lease;
use super::sequence::Sequence;
use crate::control::slice_of;

/// A refused release is taken off the record within this, or stays.
const STRIKE_WITHIN: Duration = Duration::from_secs(5);

/// What is to be carried out in one second.
pub(super) struct Plan {
    /// People, in the whole second.
    pub release: u32,
    pub reason: serde_json::Value,
    pub board: Arc<EventBoard>,
    /// Who is present; those released go out of it.
    pub present: Snapshot,
}

/// Fans who were called by one batch, ascending by number.
pub(super) struct Called {
    pub lane: Lane,
    pub fans: Vec<ReleasedFan>,
}

pub(super) struct Releaser<'l> {
    leader: &'l Leader,
    lease: &'l Lease,
    event: EventId,
    sequence: Option<Sequence>,
    shares: Shares,
    log: WriteAhead,
}

impl<'l> Releaser<'l> {
    pub fn new(leader: &'l Leader, lease: &'l Lease, event: EventId) -> Self {
        Self {
            leader,
            lease,
            event,
            sequence: None,
            shares: Shares::default(),
            log: WriteAhead::new(Arc::clone(&leader.recorder)),
        }
    }

    /// One slice's part of the plan; `weights` are those of the board's lanes.
    pub async fn slice(
        &mut self,
        plan: &mut Plan,
        weights: &[u32],
        slice: u32,
        slices: u32,
    ) -> Vec<Called> {
        let count = slice_of(plan.release, slice, slices);
        let mut called = Vec::new();
        if count == 0 {
            return called;
        }
        let lanes = plan.board.lanes.iter().zip(&plan.present.lanes);
        let next: Vec<Vec<Number>> = lanes
            .map(|(lane, here)| lane.board.releasable(here, count as usize))
            .collect();
        let shares: Vec<Share> = next
            .iter()
            .zip(weights)
            .map(|(numbers, weight)| Share {
                weight: *weight,
                releasable: u32::try_from(numbers.len()).unwrap_or(u32::MAX),
            })
            .collect();
        let given = self.shares.split(count, &shares);
        for (index, share) in given.into_iter().enumerate() {
            for batch in next[index][..share as usize].chunks(MAX_NUMBERS_PER_RELEASE) {
                if self.lease.is_held() {
                    called.extend(self.batch(plan, index, batch).await);
                }
            }
        }
        called
    }

    async fn batch(&mut self, plan: &mut Plan, index: usize, numbers: &[Number]) -> Option<Called> {
        let event = self.event;
        let lane = plan.board.lanes[index].lane.clone();
        let fans = match self.leader.line.who(event, &lane, numbers).await {
            Ok(fans) => fans,
            Err(error) => {
                tracing::debug!(%error, %event, "nobody is released this time");
                return None;
            }
        };
        // Whatever becomes of them, this second does not call these numbers again.
        let taken: Bitmap = numbers.iter().copied().collect();
        plan.present.lanes[index].subtract(&taken);
        if fans.is_empty() {
            return None;
        }
        let sequence = self
            .sequence
            .get_or_insert_with(|| {
                Sequence::begin(plan.board.at, plan.board.state.release_sequence)
            })
            .next();
        self.log
            .write(self.planned(plan, &lane, sequence, fans.clone()))
            .await;
        // Written down late, perhaps after the lease.
        if !self.lease.is_held() {
            return None;
        }
        self.call(&lane, sequence, plan.present.taken_at, &fans)
            .await
    }

    fn planned(
        &self,
        plan: &Plan,
        lane: &Lane,
        sequence: u64,
        fans: Vec<ReleasedFan>,
    ) -> PlannedRelease {
        PlannedRelease {
            event: self.event,
            sequence,
            lane: lane.clone(),
            at: self.leader.clock.now(),
            leader: self.lease.token().clone(),
            reason: plan.reason.clone(),
            fans,
        }
    }

    async fn call(
        &mut self,
        lane: &Lane,
        sequence: u64,
        snapshot_at: Timestamp,
        fans: &[ReleasedFan],
    ) -> Option<Called> {
        let event = self.event;
        let numbers: Vec<Number> = fans.iter().map(|fan| fan.number).collect();
        let order = ReleaseOrder {
            event,
            lane,
            lease: self.lease.token(),
            sequence,
            snapshot_at,
            numbers: &numbers,
        };
        match self.leader.line.release(&order).await {
            Ok(released) => {
                let fans = released.fans;
                metrics::counter!("usher_released_total", "event" => event.to_string())
                    .increment(fans.len() as u64);
                let kind = HintKind::Released;
                // A lost hint costs the fans at most a tick.
                let _ = self.leader.redis.hint(Hint { event, kind }).await;
                let lane = lane.clone();
                return Some(Called { lane, fans });
            }
            // It may have happened: then the next look counts it, and its row is right.
            Err(ReleaseError::Call(error)) => {
                tracing::debug!(%error, %event, "a release has an unknown outcome");
            }
            Err(refusal) => self.was_refused(sequence, &refusal),
        }
        None
    }

    fn was_refused(&mut self, sequence: u64, refusal: &ReleaseError) {
        let event = self.event;
        tracing::info!(%refusal, %event, sequence, "nobody is released this time");
        metrics::counter!("usher_releases_refused_total", "event" => event.to_string())
            .increment(1);
        match refusal {
            ReleaseError::NotLeader => self.lease.lose(),
            ReleaseError::OldSequence => self.sequence = None,
            _ => {}
        }
        let store = self.leader.store.clone();
        tokio::spawn(async move {
            let strike = store.strike_release(event, sequence);
            if !matches!(
                tokio::time::timeout(STRIKE_WITHIN, strike).await,
                Ok(Ok(()))
            ) {
                tracing::warn!(%event, sequence, "a refused release stays on record");
            }
        });
    }
}

/// Writes batches down before they happen. Once Postgres did not keep up, the
/// next batches do not wait for it (their rows queue up) until it does again:
/// else each would cost its patience and the rate would sink.
struct WriteAhead {
    recorder: Arc<Recorder>,
    keeps_up: Arc<AtomicBool>,
}

impl WriteAhead {
    fn new(recorder: Arc<Recorder>) -> Self {
        Self {
            recorder,
            keeps_up: Arc::new(AtomicBool::new(true)),
        }
    }

    async fn write(&self, planned: PlannedRelease) {
        let kept_up = self.keeps_up.load(Ordering::Relaxed);
        let (recorder, keeps_up) = (Arc::clone(&self.recorder), Arc::clone(&self.keeps_up));
        // The recorder is patient for half a second, so these tasks stay few.
        let writing = tokio::spawn(async move {
            let durable = recorder.record(planned).await;
            keeps_up.store(durable, Ordering::Relaxed);
        });
        if kept_up && let Err(error) = writing.await {
            tracing::error!(%error, "a release was not written down");
        }
    }
}
