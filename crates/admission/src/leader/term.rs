//! One process's part in leading one event: stand by, take the lease, lead until
//! it is lost, stand by again.

use std::sync::Arc;
use std::time::Duration;

use rand::Rng as _;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use usher_base::redis::CallError;
use usher_queue::pg::LineRow;
use usher_queue::{LeaseToken, Phase};

use super::Leader;
use super::round::Term;

/// A lease ends this long after its last renewal.
const LEASE: Duration = Duration::from_secs(2);
/// Between two looks at the lease: renewals, and attempts of who stands by.
const RENEW_EVERY: Duration = Duration::from_millis(500);
/// A tick is released in so many equal parts, so that people come evenly.
const SLICES_PER_SECOND: u32 = 4;

/// Until the event ends or `stop`.
pub(super) async fn serve(leader: Arc<Leader>, row: LineRow, stop: CancellationToken) {
    let event = row.event;
    let token = LeaseToken(format!("{:016x}", rand::rng().next_u64()));
    let mut interval = tokio::time::interval(RENEW_EVERY);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = interval.tick() => {}
            () = stop.cancelled() => return,
        }
        match leader.line.lead(event, &token, LEASE).await {
            Ok(true) => {
                tracing::info!(%event, "leading");
                let ended = lead(&leader, row.clone(), &token, &stop).await;
                tracing::info!(%event, ended = ?ended, "no longer leading");
                if ended == TermEnd::EventEnded {
                    return;
                }
            }
            Ok(false) => {}
            // Redis is away, or being rebuilt: the next attempt may succeed.
            Err(error) => tracing::debug!(%event, %error, "the lease cannot be taken"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TermEnd {
    Deposed,
    Stopped,
    EventEnded,
}

async fn lead(
    leader: &Leader,
    row: LineRow,
    token: &LeaseToken,
    stop: &CancellationToken,
) -> TermEnd {
    let mut term = Term::begin(leader, row, token.clone()).await;
    let mut slices = tokio::time::interval(Duration::from_secs(1) / SLICES_PER_SECOND);
    slices.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut held_until = Instant::now() + LEASE;
    let mut slice = 0;
    loop {
        tokio::select! {
            _ = slices.tick() => {}
            () = stop.cancelled() => {
                // The next leader need not wait for the lease to end.
                let _ = leader.line.resign(term.event(), token).await;
                return TermEnd::Stopped;
            }
        }
        if slice % 2 == 0 {
            let asked = Instant::now();
            match leader.line.lead(term.event(), token, LEASE).await {
                Ok(true) => held_until = asked + LEASE,
                Ok(false) | Err(CallError::Stale) => return TermEnd::Deposed,
                Err(_) if Instant::now() < held_until => {}
                Err(_) => return TermEnd::Deposed,
            }
        }
        if slice == 0 {
            term.second().await;
        }
        term.release_slice(slice, SLICES_PER_SECOND).await;
        slice = (slice + 1) % SLICES_PER_SECOND;
        if term.phase() == Phase::Closed {
            let _ = leader.line.resign(term.event(), token).await;
            return TermEnd::EventEnded;
        }
    }
}
