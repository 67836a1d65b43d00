//! Fans who are inside already, for tests of the shop alone: their access tokens
//! are signed with the deployment's own keys, without a walk through the line.

use std::time::Duration;

use serde_json::{Value, json};
use usher_base::signing::SigningKeys;
use usher_base::{Clock as _, EventId, FanId, Lane, Number, SystemClock};
use usher_queue::{AccessClaims, SessionId};
use uuid::Uuid;

use super::fan::{payment, text};
use super::http::{Answer, Target};

/// `public_url` as it is by default: who signs.
const ISSUER: &str = "http://127.0.0.1:8080";
const INSIDE_FOR: Duration = Duration::from_secs(3_600);

pub struct Insiders {
    keys: SigningKeys,
    pub event: EventId,
}

/// One of them, who asks for something once.
pub struct Insider {
    token: String,
    event: EventId,
}

impl Insiders {
    pub fn new(keys: &str, event: &str) -> Self {
        Self {
            keys: SigningKeys::from_jwk_set(keys, ISSUER).unwrap(),
            event: event.parse().unwrap(),
        }
    }

    /// Another fan for each number.
    pub fn fan(&self, number: u32) -> Insider {
        let lane = Lane::main();
        let mut id = [7; 16];
        id[..4].copy_from_slice(&number.to_be_bytes());
        let claims = AccessClaims {
            sub: FanId::from_bytes(id),
            session: SessionId::of(self.event, &lane, Number(number)),
            lane,
            number: Number(number),
        };
        let now = SystemClock.now();
        let until = now.plus(INSIDE_FOR);
        Insider {
            token: claims.issue(&self.keys, self.event, now, until, &mut rand::rng()),
            event: self.event,
        }
    }
}

impl Insider {
    /// Asks for a hold; `wish` says of what.
    pub fn reserve(&self, shop: &Target, wish: &Value) -> std::io::Result<Answer> {
        let path = format!("/api/v1/events/{}/reservations", self.event);
        let mut form = wish.clone();
        form["client_reservation_id"] = json!(Uuid::new_v4().to_string());
        shop.call("POST", &path, Some(&self.token), Some(&form))
    }

    pub fn release(&self, shop: &Target, held: &Value) {
        let path = format!("/api/v1/reservations/{}", text(held, "reservation_id"));
        let answer = shop.call("DELETE", &path, Some(&self.token), None);
        answer.unwrap().expect(200);
    }

    pub fn commit(&self, shop: &Target, held: &Value) -> std::io::Result<Answer> {
        let id = text(held, "reservation_id");
        let path = format!("/api/v1/reservations/{id}/commit");
        shop.call("POST", &path, Some(&self.token), Some(&payment()))
    }
}
