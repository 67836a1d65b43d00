//! One process's part in leading one event: stand by, take the lease, lead until
//! it is lost, stand by again.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use usher_queue::pg::LineRow;

use super::Leader;
use super::clerk::{self, Clerk};
use super::lease::{Lease, new_token};
use super::round::Round;

/// Between two attempts of who stands by: with the lease's 2 s, nobody is without
/// a leader for 3 s.
const STAND_BY_EVERY: Duration = Duration::from_millis(250);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TermEnd {
    Deposed,
    Stopped,
    EventClosed,
}

/// Until the event is closed (its `rows` end) or `stop`.
pub(super) async fn serve(
    leader: Arc<Leader>,
    rows: watch::Receiver<LineRow>,
    stop: CancellationToken,
) {
    let event = rows.borrow().event;
    let mut token = new_token(&leader.line);
    let mut interval = tokio::time::interval(STAND_BY_EVERY);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = interval.tick() => {}
            () = stop.cancelled() => return,
        }
        if rows.has_changed().is_err() {
            return;
        }
        let lease = match Lease::take(&leader.line, event, &token).await {
            Ok(Some(lease)) => lease,
            Ok(None) => continue,
            Err(error) => {
                // Redis is away, or being rebuilt: the next attempt may succeed.
                tracing::debug!(%event, %error, "the lease cannot be taken");
                continue;
            }
        };
        tracing::info!(%event, "leading");
        let ended = lead(&leader, rows.clone(), &lease, &stop).await;
        lease.resign(&leader.line).await;
        tracing::info!(%event, ?ended, "no longer leading");
        token = new_token(&leader.line);
    }
}

/// Lease, Postgres and releases go side by side: none waits for another.
async fn lead(
    leader: &Leader,
    rows: watch::Receiver<LineRow>,
    lease: &Lease,
    stop: &CancellationToken,
) -> TermEnd {
    let event = rows.borrow().event;
    let label = event.to_string();
    let leading = metrics::gauge!("usher_leading", "event" => label);
    leading.set(1.0);
    let (desk, post) = clerk::desk();
    let clerk = Clerk::new(leader, rows.clone(), post);
    let releases = async {
        Box::pin(Round::begin(leader, rows, lease, desk))
            .await
            .run()
            .await
    };
    let ended = tokio::select! {
        () = lease.keep(&leader.line) => TermEnd::Deposed,
        () = clerk.work() => TermEnd::EventClosed,
        () = stop.cancelled() => TermEnd::Stopped,
        never = releases => match never {},
    };
    leading.set(0.0);
    ended
}
