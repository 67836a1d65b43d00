//! A fan without a browser: joins, waits by asking, claims, holds, pays.

use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use super::http::Target;
use super::wait_for;

const PATIENCE: Duration = Duration::from_secs(20);

pub struct Fan {
    event: String,
    pub queue_token: String,
    pub access_token: String,
    /// Cookies that browsers would have been given along the way.
    pub cookies: Vec<String>,
}

impl Fan {
    /// As soon as the edge takes joins.
    pub fn join(edge: &Target, event: &str) -> Self {
        let path = format!("/api/v1/events/{event}/queue");
        let body = json!({ "client_join_id": Uuid::new_v4().to_string() });
        let joined = wait_for(PATIENCE, "a join is taken", || {
            let answer = edge.call("POST", &path, None, Some(&body)).ok()?;
            (answer.status == 201).then_some(answer)
        });
        Self {
            event: event.to_owned(),
            queue_token: text(&joined.json(), "queue_token"),
            access_token: String::new(),
            cookies: joined.cookies(),
        }
    }

    /// Somebody who joined already.
    pub fn joined(event: &str, queue_token: String) -> Self {
        Self {
            event: event.to_owned(),
            queue_token,
            access_token: String::new(),
            cookies: Vec::new(),
        }
    }

    /// The place, if the edge knows it at the moment.
    pub fn place(&self, edge: &Target) -> Option<Value> {
        let path = format!("/api/v1/events/{}/queue", self.event);
        let answer = edge.get(&path, Some(&self.queue_token)).ok()?;
        (answer.status == 200).then(|| answer.json())
    }

    /// Asks for its place, which shows that it is there, until it is its turn.
    pub fn wait_for_turn(&self, edge: &Target) {
        self.wait_for_turn_within(PATIENCE, edge);
    }

    pub fn wait_for_turn_within(&self, bound: Duration, edge: &Target) {
        wait_for(bound, "the fan's turn", || {
            let place = self.place(edge)?;
            assert_ne!(place["standing"], "absent", "the place is lost: {place}");
            (place["standing"] == "admitted").then_some(())
        });
    }

    pub fn claim(&mut self, edge: &Target) {
        let path = format!("/api/v1/events/{}/queue/claim", self.event);
        let answer = edge.call("POST", &path, Some(&self.queue_token), None);
        let answer = answer.unwrap();
        self.access_token = text(&answer.expect(200), "access_token");
        self.cookies.extend(answer.cookies());
    }

    /// Holds standing places; returns the reservation.
    pub fn hold(&mut self, booking: &Target) -> Value {
        let path = format!("/api/v1/events/{}/reservations", self.event);
        let form = json!({
            "client_reservation_id": Uuid::new_v4().to_string(),
            "tiers": [{ "tier": "standing", "count": 2 }],
        });
        // Until the booking role has seen the event and its memory is whole.
        let answer = wait_for(PATIENCE, "a hold is taken", || {
            let answer = booking.call("POST", &path, Some(&self.access_token), Some(&form));
            let answer = answer.ok()?;
            let passing = matches!(answer.status, 404 | 503);
            assert!(passing || answer.status == 201, "{}", answer.body);
            (answer.status == 201).then_some(answer)
        });
        self.cookies.extend(answer.cookies());
        let held = answer.json();
        if let Some(token) = held["access_token"].as_str() {
            self.access_token = token.to_owned();
        }
        held
    }

    /// Pays; returns the order.
    pub fn commit(&mut self, booking: &Target, held: &Value, payment: &Value) -> Value {
        let id = text(held, "reservation_id");
        let path = format!("/api/v1/reservations/{id}/commit");
        let answer = booking.call("POST", &path, Some(&self.access_token), Some(payment));
        let answer = answer.unwrap();
        self.cookies.extend(answer.cookies());
        answer.expect(200)
    }
}

/// A payment that succeeds.
pub fn payment() -> Value {
    json!({
        "payment_method_id": "pm_test_success",
        "idempotency_key": Uuid::new_v4().to_string(),
        "billing_details": { "name": "Ada Fan", "email": "ada.fan@example.org" },
    })
}

#[track_caller]
pub fn text(answer: &Value, field: &str) -> String {
    let value = answer[field].as_str();
    value
        .unwrap_or_else(|| panic!("no {field} in {answer}"))
        .to_owned()
}
