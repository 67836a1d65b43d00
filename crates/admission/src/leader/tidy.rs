//! What is over, is taken away each second: missed claims go back to their
//! number, sessions end, places of those who stayed away too long are given up.

use usher_base::{EventId, Lane};
use usher_queue::{Ended, EventBoard, LeaseToken, MAX_NUMBERS_PER_RELEASE, Phase, Snapshot};

use super::Leader;
use super::lane_states::{LaneState, is_empty};

/// Sweeps in one second, when one did not take all that was due: 2,000 ends.
const MAX_SWEEPS: usize = 20;
/// Places given up after a long absence, in one second and lane.
const MAX_FORGOTTEN: usize = MAX_NUMBERS_PER_RELEASE;

/// Returns what ended for good, to be made durable.
pub(super) async fn sweep(leader: &Leader, event: EventId, lanes: &[Lane]) -> Vec<Ended> {
    let mut ended = Vec::new();
    for _ in 0..MAX_SWEEPS {
        match leader.line.sweep(event, lanes).await {
            Ok(swept) => {
                let is_full = swept.is_full();
                ended.extend(swept.ended);
                if !is_full {
                    break;
                }
            }
            Err(error) => {
                tracing::debug!(%error, %event, "the sweep failed");
                break;
            }
        }
    }
    ended
}

pub(super) async fn forget_absent(
    leader: &Leader,
    event: EventId,
    token: &LeaseToken,
    (board, snapshot): (&EventBoard, &Snapshot),
    lanes: &[LaneState],
) {
    // Only an open line moves, so only there does an absent fan keep others waiting.
    // Where nobody at all is seen, it may be the edges who are away.
    if board.state.phase != Phase::Open || is_empty(snapshot) {
        return;
    }
    let grace = board.state.grace;
    for (of, lane) in lanes.iter().zip(&board.lanes) {
        let alive = lane.board.alive();
        let absent = of.presence.absent(alive, grace, board.at, MAX_FORGOTTEN);
        if absent.is_empty() {
            continue;
        }
        match leader.line.forget(event, &of.lane, token, &absent).await {
            Ok(fans) => {
                tracing::info!(%event, count = fans.len(), "given up after a long absence");
            }
            Err(error) => tracing::debug!(%error, %event, "the absent stay for now"),
        }
    }
}
