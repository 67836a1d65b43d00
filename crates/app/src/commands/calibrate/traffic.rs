//! What is asked while calibrating: of our own booking nodes what a fan inside asks
//! (look, hold, see the hold, give it back), with access tokens signed here, for
//! nobody stands in line; of another backend one path, again and again.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};
use usher_base::{Clock as _, EventId, FanId, Lane, Number, SystemClock};
use usher_queue::{AccessClaims, SessionId, Tokens};
use usher_rehearsal::http::request::Request;
use usher_rehearsal::load::Traffic;
use uuid::Uuid;

/// How long the tokens are good.
const TOKEN_SECONDS: u64 = 300;
/// Requests of a session: one takes seats, one looks after them, one gives them
/// back, the others look around.
const SESSION: u64 = 12;
/// Holds that wait to be given back; what is beyond expires by itself.
const MAX_HELD: usize = 10_000;

/// One path of any backend.
pub struct Path {
    pub path: String,
    pub host: String,
}

impl Traffic for Path {
    fn request(&self, sequence: u64, out: &mut Vec<u8>) -> bool {
        let from = address_of(sequence);
        Request {
            method: "GET",
            path: &self.path,
            host: &self.host,
            from: Some(&from),
            ..Request::default()
        }
        .write(out);
        true
    }
}

struct Held {
    reservation: String,
    token: String,
}

/// Fans inside, each with a session of its own that no real fan has: their numbers
/// come down from the highest.
pub struct Sessions {
    pub event: EventId,
    pub tokens: Tokens,
    pub host: String,
    /// A tier to hold a place in; without one, the best seat that is free.
    pub tier: Option<String>,
    held: Mutex<VecDeque<Held>>,
    /// Tokens of holds that are on their way, by their request.
    asked: Mutex<VecDeque<(u64, String)>>,
    /// The token of the session that looks around now.
    current: Mutex<String>,
    next_number: AtomicU32,
}

impl Sessions {
    pub fn new(event: EventId, tokens: Tokens, host: String, tier: Option<String>) -> Self {
        Self {
            event,
            tokens,
            host,
            tier,
            held: Mutex::default(),
            asked: Mutex::default(),
            current: Mutex::default(),
            next_number: AtomicU32::new(u32::MAX),
        }
    }

    /// Requests are numbered from 0 again.
    pub fn begin_step(&self) {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.clear();
    }

    /// A fan who has just come in.
    fn new_token(&self) -> String {
        let number = Number(self.next_number.fetch_sub(1, Ordering::Relaxed));
        let lane = Lane::main();
        let claims = AccessClaims {
            sub: FanId::random(&mut rand::rng()),
            session: SessionId::of(self.event, &lane, number),
            lane,
            number,
        };
        let now = SystemClock.now();
        let ends_at = now.plus(std::time::Duration::from_secs(TOKEN_SECONDS));
        claims.issue(&self.tokens, self.event, now, ends_at, &mut rand::rng())
    }

    fn hold(&self, sequence: u64) -> (String, Option<String>, String) {
        let token = self.new_token();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.clone_from(&token);
        drop(current);
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.len() == MAX_HELD {
            asked.pop_front();
        }
        asked.push_back((sequence, token.clone()));
        let mut form = json!({ "client_reservation_id": Uuid::new_v4().to_string() });
        match &self.tier {
            Some(tier) => form["tiers"] = json!([{ "tier": tier, "count": 1 }]),
            None => form["best_available"] = json!({ "count": 1 }),
        }
        let path = format!("/api/v1/events/{}/reservations", self.event);
        (path, Some(form.to_string()), token)
    }

    /// The path and token of a hold, which stays unless it is to be given back.
    fn of_held(&self, gives_back: bool) -> Option<(String, String)> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let one = held.pop_front()?;
        let path = format!("/api/v1/reservations/{}", one.reservation);
        let token = one.token.clone();
        if !gives_back {
            held.push_back(one);
        }
        Some((path, token))
    }

    fn look(&self) -> (String, String) {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        (format!("/api/v1/events/{}", self.event), current.clone())
    }

    /// Gives one hold back that a step left, if there is one.
    pub fn give_back(&self) -> Option<Vec<u8>> {
        let (path, token) = self.of_held(true)?;
        let mut out = Vec::new();
        let from = address_of(rand::random());
        Request {
            method: "DELETE",
            path: &path,
            host: &self.host,
            bearer: Some(&token),
            from: Some(&from),
            json: None,
        }
        .write(&mut out);
        Some(out)
    }
}

impl Traffic for Sessions {
    fn request(&self, sequence: u64, out: &mut Vec<u8>) -> bool {
        let (method, path, body, token) = match sequence % SESSION {
            0 => {
                let (path, body, token) = self.hold(sequence);
                ("POST", path, body, token)
            }
            step @ (4 | 8) => {
                let gives_back = step == 8;
                let (path, token) = self.of_held(gives_back).unwrap_or_else(|| self.look());
                let is_hold = path.contains("/reservations/");
                let method = if gives_back && is_hold {
                    "DELETE"
                } else {
                    "GET"
                };
                (method, path, None, token)
            }
            _ => {
                let (path, token) = self.look();
                ("GET", path, None, token)
            }
        };
        let from = address_of(rand::random());
        Request {
            method,
            path: &path,
            host: &self.host,
            bearer: Some(&token),
            from: Some(&from),
            json: body.as_deref().map(str::as_bytes),
        }
        .write(out);
        true
    }

    fn reply(&self, sequence: u64, status: u16, body: &[u8]) {
        if !sequence.is_multiple_of(SESSION) {
            return;
        }
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(at) = asked.iter().position(|(of, _)| *of == sequence) else {
            return;
        };
        let Some((_, token)) = asked.remove(at) else {
            return;
        };
        let answer: Value = serde_json::from_slice(body).unwrap_or_default();
        if let (201, Some(reservation)) = (status, answer["reservation_id"].as_str()) {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            if held.len() < MAX_HELD {
                let reservation = reservation.to_owned();
                held.push_back(Held { reservation, token });
            }
        }
    }
}

/// Each session comes from an address of its own, where our word on that is believed.
fn address_of(sequence: u64) -> String {
    let [.., b, c, d] = sequence.to_be_bytes();
    format!("10.{b}.{c}.{d}")
}
