//! Every shape that goes over the wire, in one place: paths, bodies and frames
//! as usher's public contract spells them. Replies are read leniently (unknown
//! fields are ignored, most are optional), because a rehearsal must be able to
//! report what an odd server says instead of falling over it.

use serde::{Deserialize, Serialize};

/// The WebSocket subprotocol of the queue stream; the queue token follows it.
pub const STREAM_PROTOCOL: &str = "usher.v1";
/// The error of a 429 that is no rate limit: booking asked with a queue token.
pub const IN_QUEUE: &str = "in_queue";
/// Phases in which nobody further back will ever be served.
const OVER: [&str; 2] = ["sold_out", "closed"];
/// Phases in which numbers are final.
const SERVING: [&str; 2] = ["open", "paused"];

pub const EVENTS_PATH: &str = "/api/v1/events";

pub fn event_path(event: &str) -> String {
    format!("/api/v1/events/{event}")
}
pub fn queue_path(event: &str) -> String {
    format!("/api/v1/events/{event}/queue")
}
pub fn stream_path(event: &str) -> String {
    format!("/api/v1/events/{event}/queue/stream")
}
pub fn claim_path(event: &str) -> String {
    format!("/api/v1/events/{event}/queue/claim")
}
pub fn session_path(event: &str) -> String {
    format!("/api/v1/events/{event}/session")
}
pub fn seatmap_path(event: &str) -> String {
    format!("/api/v1/events/{event}/seatmap")
}
pub fn reservations_path(event: &str) -> String {
    format!("/api/v1/events/{event}/reservations")
}
pub fn reservation_path(reservation: &str) -> String {
    format!("/api/v1/reservations/{reservation}")
}
pub fn commit_path(reservation: &str) -> String {
    format!("/api/v1/reservations/{reservation}/commit")
}
pub fn order_path(order_number: &str) -> String {
    format!("/api/v1/orders/{order_number}")
}
pub fn status_path(event: &str) -> String {
    format!("/api/v1/admin/events/{event}/status")
}

pub fn is_over(phase: &str) -> bool {
    OVER.contains(&phase)
}
pub fn is_serving(phase: &str) -> bool {
    SERVING.contains(&phase)
}

#[derive(Debug, Serialize)]
pub struct JoinBody<'a> {
    pub client_join_id: &'a str,
}

/// `{"low", "high"}` in seconds: the P50 and the P90 of the wait.
#[derive(Debug, Clone, Copy, Deserialize, PartialEq)]
pub struct WaitShown {
    #[serde(default)]
    pub soonest: f64,
    pub low: f64,
    pub high: f64,
}

/// How the fan stands, as a join and the polling call tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    Waiting,
    Admitted,
    Inside,
    /// Not in this line, or no longer.
    Absent,
    /// A standing of a later version of the contract.
    #[serde(other)]
    Unknown,
}

/// A place in line: the answer to join and to the polling call, and the body
/// of a `place` frame.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Place {
    pub queue_token: Option<String>,
    pub fan_id: Option<String>,
    pub lane: Option<String>,
    pub number: Option<u64>,
    pub ahead: Option<u64>,
    pub phase: Option<String>,
    pub standing: Option<Standing>,
    pub estimated_wait_seconds: Option<WaitShown>,
    pub rate_per_minute: Option<f64>,
    /// Why the wait became longer, or why none is shown.
    pub reason: Option<String>,
    /// What is said to everybody in line at this moment.
    pub message: Option<String>,
    pub poll_after_ms: Option<u64>,
    pub claim_by: Option<String>,
    pub at: Option<String>,
}

impl Place {
    /// A polling fan learns of the admission from the place itself.
    pub fn is_admitted(&self) -> bool {
        let has_been = matches!(self.standing, Some(Standing::Admitted | Standing::Inside));
        self.claim_by.is_some() || has_been
    }
    pub fn is_absent(&self) -> bool {
        self.standing == Some(Standing::Absent)
    }
    pub fn is_over(&self) -> bool {
        self.phase.as_deref().is_some_and(is_over)
    }
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Frame {
    Place(Box<Place>),
    Admitted {
        at: Option<String>,
    },
    Phase {
        phase: String,
    },
    Reconnect {
        after_ms: u64,
    },
    /// A frame of a later version of the contract.
    #[serde(other)]
    Unknown,
}

#[derive(Debug, Deserialize)]
pub struct Claimed {
    pub access_token: String,
}

#[derive(Debug, Default, Deserialize)]
pub struct EventList {
    #[serde(default)]
    pub data: Vec<EventNamed>,
}

#[derive(Debug, Deserialize)]
pub struct EventNamed {
    pub id: String,
}

#[derive(Debug, Default, Deserialize)]
pub struct EventFacts {
    #[serde(default)]
    pub availability: Availability,
}

#[derive(Debug, Default, Deserialize)]
pub struct Availability {
    pub total_seats: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
pub struct SeatMap {
    #[serde(default)]
    pub sections: Vec<Section>,
    #[serde(default)]
    pub tiers: Vec<Tier>,
}

#[derive(Debug, Deserialize)]
pub struct Section {
    #[serde(default)]
    pub rows: Vec<Row>,
}

#[derive(Debug, Deserialize)]
pub struct Row {
    #[serde(default)]
    pub seats: Vec<Seat>,
}

#[derive(Debug, Deserialize)]
pub struct Seat {
    pub id: String,
    pub status: String,
}

#[derive(Debug, Deserialize)]
pub struct Tier {
    pub id: String,
    pub capacity: Option<u64>,
}

#[derive(Debug, Default, Serialize)]
pub struct HoldBody<'a> {
    pub client_reservation_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seat_ids: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub best_available: Option<BestAvailable>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tiers: Option<[TierCount<'a>; 1]>,
}

#[derive(Debug, Serialize)]
pub struct BestAvailable {
    pub count: u32,
}

#[derive(Debug, Serialize)]
pub struct TierCount<'a> {
    pub tier: &'a str,
    pub count: u32,
}

#[derive(Debug, Deserialize)]
pub struct Reservation {
    pub reservation_id: String,
    #[serde(default)]
    pub seats: Vec<HeldPlace>,
}

/// What is held: one seat, or some places of a standing tier.
#[derive(Debug, Clone, Deserialize)]
pub struct HeldPlace {
    pub seat_id: Option<String>,
    pub tier: Option<String>,
    pub label: String,
}

#[derive(Debug, Serialize)]
pub struct CommitBody<'a> {
    pub payment_method_id: &'a str,
    pub idempotency_key: &'a str,
    pub billing_details: BillingDetails<'a>,
}

#[derive(Debug, Serialize)]
pub struct BillingDetails<'a> {
    pub name: &'a str,
    pub email: &'a str,
}

/// The answer to a commit, and an order as `GET /orders/{number}` shows it.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Order {
    pub order_number: Option<String>,
    pub order_token: Option<String>,
    pub status: Option<String>,
    pub poll_after_ms: Option<u64>,
    #[serde(default)]
    pub tickets: Vec<Ticket>,
}

impl Order {
    pub fn is_confirmed(&self) -> bool {
        matches!(self.status.as_deref(), Some("confirmed" | "paid"))
    }
    pub fn is_dead(&self) -> bool {
        matches!(
            self.status.as_deref(),
            Some("failed" | "cancelled" | "refunded")
        )
    }
}

/// A ticket names its place as people read it; the hold tells which one that is.
#[derive(Debug, Clone, Deserialize)]
pub struct Ticket {
    pub label: String,
}

/// What an error says beyond its code.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Refusal {
    #[serde(default)]
    pub error: String,
    #[serde(default)]
    pub available_alternatives: Vec<String>,
}

/// The operators' status; what is absent was not told.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
pub struct Status {
    pub phase: Option<String>,
    pub waiting: Option<u64>,
    pub present: Option<u64>,
    pub inside: Option<u64>,
    pub released_total: Option<u64>,
    pub claimed_total: Option<u64>,
    pub orders_total: Option<u64>,
    pub seats_left: Option<i64>,
    pub rate_per_minute: Option<f64>,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn frames_of_the_contract_are_understood() {
        let place: Frame = serde_json::from_str(
            r#"{"type":"place","phase":"open","number":7,"ahead":3,"waiting":9,
                "estimated_wait_seconds":{"low":4,"high":9.5},"rate_per_minute":60,"message":null}"#,
        )
        .unwrap();
        let Frame::Place(place) = place else {
            panic!("not a place")
        };
        assert_eq!(place.number, Some(7));
        assert_eq!(place.estimated_wait_seconds.unwrap().high, 9.5);
        assert!(!place.is_admitted());
        let admitted = r#"{"type":"admitted","claim_by":"2030-01-01T00:00:00Z"}"#;
        assert!(matches!(
            serde_json::from_str(admitted).unwrap(),
            Frame::Admitted { .. }
        ));
        let unknown = r#"{"type":"confetti","colour":"red"}"#;
        assert!(matches!(
            serde_json::from_str(unknown).unwrap(),
            Frame::Unknown
        ));
    }

    const PLACE: &str =
        r#"{"type":"place","phase":"open","number":7,"ahead":3,"rate_per_minute":60.5}"#;

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in ".{0,200}") {
            let _ = serde_json::from_str::<Frame>(&text);
            let _ = serde_json::from_str::<Place>(&text);
        }

        #[test]
        fn a_frame_with_a_changed_character_is_read_or_refused(
            at in 0..PLACE.len(),
            with in "[ -~]",
        ) {
            let mut text = PLACE.to_owned();
            text.replace_range(at..=at, &with);
            if let Ok(Frame::Place(place)) = serde_json::from_str(&text) {
                let _ = (place.is_admitted(), place.is_absent(), place.is_over());
            }
        }
    }

    #[test]
    fn the_polling_answer_tells_whose_turn_it_is() {
        let of = |standing: &str| -> Place {
            serde_json::from_str(&format!(r#"{{"standing":"{standing}"}}"#)).unwrap()
        };
        assert!(of("admitted").is_admitted() && of("inside").is_admitted());
        assert!(!of("waiting").is_admitted() && !of("waiting").is_absent());
        assert!(of("absent").is_absent());
        assert!(!of("levitating").is_admitted());
    }
}
