//! What a leader says of its second: the status for operators and edges, the
//! metrics, and the decision in the flight recorder.

use usher_base::EventId;
use usher_queue::{EventBoard, Mode, Phase, Room as LineRoom, Snapshot};

use super::Leader;
use crate::control::Clause;
use crate::decisions;
use crate::status::Status;
use crate::stock::StockReport;

/// Why nobody can be let in whatever the law wants, in one sentence for operators.
pub(super) fn shut(board: &EventBoard) -> Option<&'static str> {
    match board.state.phase {
        Phase::Open if is_settling(board) => {
            Some("Restored a moment ago: giving fans time to reconnect before anybody is let in.")
        }
        Phase::Open if board.state.room == LineRoom::Off => {
            Some("There is no waiting room: everybody is let in at once.")
        }
        Phase::Open => None,
        Phase::Paused => Some("The event is paused."),
        Phase::SoldOut => Some("Nothing is left to sell."),
        Phase::Closed => Some("The event is closed."),
        _ => Some("The event is not open yet."),
    }
}

fn is_settling(board: &EventBoard) -> bool {
    board.state.settle_until.is_some_and(|end| board.at < end)
}

/// Whether everybody is let in at once. Who waits nevertheless came during a
/// pause, or missed a claim.
pub(super) fn lets_everybody_in(board: &EventBoard) -> bool {
    board.state.room == LineRoom::Off
        && board.state.phase == Phase::Open
        && board.state.mode != Mode::Paused
        && !is_settling(board)
}

/// Fans who wait and are connected.
pub(super) fn present(board: &EventBoard, snapshot: &Snapshot) -> u64 {
    let lanes = board.lanes.iter().zip(&snapshot.lanes);
    lanes
        .map(|(lane, here)| u64::from(lane.board.alive().common_len(here)))
        .sum()
}

/// Everybody with a place.
pub(super) fn waiting(board: &EventBoard) -> u64 {
    let lanes = board.lanes.iter();
    lanes
        .map(|lane| u64::from(lane.board.waiting()).max(lane.gathering))
        .sum()
}

pub(super) async fn announce(leader: &Leader, event: EventId, status: &Status) {
    let published = status.publish(&leader.redis, event);
    let logged = decisions::record(&leader.redis, event, &status.decision);
    let (published, logged) = tokio::join!(published, logged);
    if let Err(error) = published.and(logged) {
        tracing::debug!(%error, %event, "this second is not announced");
    }
}

pub(super) fn measure(event: EventId, status: &Status, stock: Option<&StockReport>) {
    let label = event.to_string();
    let gauge = |name: &'static str, value: f64| {
        metrics::gauge!(name, "event" => label.clone()).set(value);
    };
    gauge("usher_waiting", status.waiting as f64);
    gauge("usher_present", status.present as f64);
    gauge("usher_admitted", status.admitted as f64);
    gauge("usher_inside", status.inside as f64);
    gauge("usher_rate_per_minute", status.rate_per_minute);
    let law = &status.decision.state;
    gauge(
        "usher_auto_rate_per_minute",
        status.decision.auto.rate_per_s * 60.0,
    );
    gauge(
        "usher_wanted_requests_per_second",
        law.wanted_requests_per_s,
    );
    gauge("usher_wanted_inside", law.wanted_inside);
    gauge("usher_expected_inside", law.expected_inside);
    gauge("usher_no_show_ratio", law.no_show);
    gauge("usher_backend_goodput_per_second", law.goodput_per_s);
    gauge("usher_backend_p99_seconds", law.p99_ms / 1_000.0);
    gauge("usher_backend_refused_ratio", law.refused_share);
    gauge("usher_law_alarm", f64::from(u8::from(law.alarm)));
    metrics::counter!("usher_release_decisions_total",
        "event" => label.clone(), "clause" => word(status.clause))
    .increment(1);
    if let Some(stock) = stock {
        for (state, count) in [
            ("free", stock.free),
            ("held", stock.held),
            ("sold", stock.sold),
        ] {
            metrics::gauge!("usher_seats", "event" => label.clone(), "state" => state)
                .set(count as f64);
        }
        gauge("usher_orders", stock.orders_total as f64);
    }
}

/// The clause as the API spells it.
fn word(clause: Clause) -> String {
    match serde_json::to_value(clause) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::from("unknown"),
    }
}
