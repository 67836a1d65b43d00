//! Fans who are inside already, for tests of the shop alone: their access tokens
//! are signed with the deployment's own keys, without a walk through the line.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use usher_base::signing::SigningKeys;
use usher_base::{Clock as _, EventId, FanId, Lane, Number, SystemClock};
use usher_queue::{AccessClaims, SessionId, Tokens};
use uuid::Uuid;

use super::fan::{payment, text};
use super::http::{Answer, Target};
use super::wait_for;

/// `public_url` as it is by default: who signs.
const ISSUER: &str = "http://127.0.0.1:8080";
const PATIENCE: Duration = Duration::from_secs(20);
const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_millis(400);
const INSIDE_FOR: Duration = Duration::from_secs(3_600);

pub struct Insiders {
    tokens: Tokens,
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
            tokens: Tokens::new(Arc::new(SigningKeys::from_jwk_set(keys, ISSUER).unwrap())),
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
            token: claims.issue(&self.tokens, self.event, now, until, &mut rand::rng()),
            event: self.event,
        }
    }
}

impl Insider {
    /// Asks for a hold, once; `wish` says of what.
    pub fn try_reserve(&self, shop: &Target, wish: &Value) -> io::Result<Answer> {
        let path = format!("/api/v1/events/{}/reservations", self.event);
        shop.call("POST", &path, Some(&self.token), Some(wish))
    }

    /// Asks again while the shop has too much to do; also says when it asked last.
    pub fn reserve(&self, shop: &Target, wish: &Value) -> (Instant, Answer) {
        until_decided(|| self.try_reserve(shop, wish).unwrap())
    }

    pub fn release(&self, shop: &Target, held: &Value) {
        let path = format!("/api/v1/reservations/{}", text(held, "reservation_id"));
        let released = || {
            let answer = shop.call("DELETE", &path, Some(&self.token), None);
            (answer.unwrap().status == 200).then_some(())
        };
        wait_for(PATIENCE, "the hold is given back", released);
    }

    /// Pays, once.
    pub fn try_commit(&self, shop: &Target, held: &Value, payment: &Value) -> io::Result<Answer> {
        let id = text(held, "reservation_id");
        let path = format!("/api/v1/reservations/{id}/commit");
        shop.call("POST", &path, Some(&self.token), Some(payment))
    }

    /// Pays, and asks again while the shop has too much to do.
    pub fn commit(&self, shop: &Target, held: &Value) -> Answer {
        let payment = payment();
        let (_, answer) = until_decided(|| self.try_commit(shop, held, &payment).unwrap());
        answer
    }
}

/// Asks, and asks again while it is turned away, ever more seldom: a crowd that came
/// back at once would keep the shop busy with turning it away. Also when it asked last.
fn until_decided(ask: impl Fn() -> Answer) -> (Instant, Answer) {
    let deadline = Instant::now() + PATIENCE;
    let mut pause = FIRST_PAUSE;
    loop {
        let asked = Instant::now();
        let answer = ask();
        if answer.status != 503 {
            return (asked, answer);
        }
        assert!(
            asked < deadline,
            "turned away for {PATIENCE:?}: {}",
            answer.body
        );
        std::thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// A wish under a name of its own, so that it can be repeated.
pub fn named(mut wish: Value) -> Value {
    wish["client_reservation_id"] = json!(Uuid::new_v4().to_string());
    wish
}
