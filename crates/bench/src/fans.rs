//! What the fans of a load ask, step by step: join, ask for the place, claim,
//! hold a seat of their own, pay. A step keeps from its answers what the next
//! one needs, so that each step can be measured for itself.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use usher_base::EventId;
use usher_rehearsal::http::origin::Origin;
use usher_rehearsal::http::request::Request;
use usher_rehearsal::wire;
use uuid::Uuid;

use usher_rehearsal::load::Traffic;

/// What each fan of a load carries from a step to the next, by their number.
#[derive(Default)]
pub struct Kept(Mutex<Vec<Option<String>>>);

impl Kept {
    fn put(&self, fan: u64, text: &str) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fan = usize::try_from(fan).unwrap_or(usize::MAX);
        if kept.len() <= fan {
            kept.resize(fan + 1, None);
        }
        kept[fan] = Some(text.to_owned());
    }

    pub fn of(&self, fan: u64) -> Option<String> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(usize::try_from(fan).ok()?)?.clone()
    }

    pub fn count(&self) -> usize {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().flatten().count()
    }

    fn has(&self, fan: u64) -> bool {
        self.of(fan).is_some()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Join,
    /// Verifies the queue token and looks the place up in memory.
    Place,
    Claim,
    /// A seat that nobody else of this load wants.
    Hold,
    Pay,
}

/// Some fans, each taking one step once; `Place` goes round.
pub struct Fans {
    step: Step,
    event: EventId,
    host: String,
    who: Who,
    /// Queue tokens, access tokens or reservations: what this step needs.
    needs: Arc<Kept>,
    /// What this step brings for the next.
    brings: Arc<Kept>,
    /// Access tokens, for `Pay`, whose `needs` are reservations.
    access: Arc<Kept>,
}

enum Who {
    All(Range<u64>),
    /// Those whom an earlier step gave what this one needs.
    Able(Vec<u64>),
}

impl Fans {
    pub fn new(step: Step, event: EventId, origin: &Origin, who: Range<u64>) -> Self {
        Self {
            step,
            event,
            host: origin.authority(),
            who: Who::All(who),
            needs: Arc::default(),
            brings: Arc::default(),
            access: Arc::default(),
        }
    }

    /// Leaves out who lacks it: a request that cannot be made ends a load.
    #[must_use]
    pub fn needing(mut self, kept: &Arc<Kept>) -> Self {
        self.needs = Arc::clone(kept);
        if let Who::All(fans) = self.who {
            self.who = Who::Able(fans.filter(|fan| kept.has(*fan)).collect());
        }
        self
    }

    #[must_use]
    pub fn bringing(mut self, kept: &Arc<Kept>) -> Self {
        self.brings = Arc::clone(kept);
        self
    }

    #[must_use]
    pub fn with_access(mut self, kept: &Arc<Kept>) -> Self {
        self.access = Arc::clone(kept);
        self
    }

    fn fan(&self, sequence: u64) -> Option<u64> {
        match &self.who {
            Who::All(fans) => Some(fans.start + sequence).filter(|fan| fans.contains(fan)),
            Who::Able(fans) => {
                let sequence = match self.step {
                    Step::Place => sequence.checked_rem(fans.len() as u64)?,
                    _ => sequence,
                };
                fans.get(usize::try_from(sequence).ok()?).copied()
            }
        }
    }

    /// Method, path, bearer and body of a fan's request.
    fn call(&self, fan: u64) -> Option<(&'static str, String, Option<String>, Option<String>)> {
        let event = self.event.to_string();
        let call = match self.step {
            Step::Join => {
                let id = self.id(fan, "join");
                let body = format!(r#"{{"client_join_id":"{id}"}}"#);
                ("POST", wire::queue_path(&event), None, Some(body))
            }
            Step::Place => (
                "GET",
                wire::queue_path(&event),
                Some(self.needs.of(fan)?),
                None,
            ),
            Step::Claim => (
                "POST",
                wire::claim_path(&event),
                Some(self.needs.of(fan)?),
                None,
            ),
            Step::Hold => {
                let (id, seat) = (self.id(fan, "hold"), seat_id(fan));
                let body = format!(r#"{{"client_reservation_id":"{id}","seat_ids":["{seat}"]}}"#);
                (
                    "POST",
                    wire::reservations_path(&event),
                    Some(self.needs.of(fan)?),
                    Some(body),
                )
            }
            Step::Pay => {
                let key = self.id(fan, "pay");
                let body = format!(
                    r#"{{"payment_method_id":"pm_test_success","idempotency_key":"{key}","billing_details":{{"name":"Ada Fan","email":"ada.fan@example.org"}}}}"#
                );
                (
                    "POST",
                    wire::commit_path(&self.needs.of(fan)?),
                    Some(self.access.of(fan)?),
                    Some(body),
                )
            }
        };
        Some(call)
    }

    /// The same fan of the same event names the same thing alike in each run.
    fn id(&self, fan: u64, what: &str) -> Uuid {
        let event = u128::from_be_bytes(*self.event.uuid().as_bytes());
        let what: u128 = what
            .bytes()
            .fold(0, |sum, byte| sum * 31 + u128::from(byte));
        uuid::Builder::from_random_bytes((event ^ (what << 64) ^ u128::from(fan)).to_be_bytes())
            .into_uuid()
    }
}

impl Traffic for Fans {
    fn request(&self, sequence: u64, out: &mut Vec<u8>) -> bool {
        let Some(fan) = self.fan(sequence) else {
            return false;
        };
        let Some((method, path, bearer, body)) = self.call(fan) else {
            return false;
        };
        let [.., b, c, d] = fan.to_be_bytes();
        let from = format!("10.{b}.{c}.{d}");
        Request {
            method,
            path: &path,
            host: &self.host,
            bearer: bearer.as_deref(),
            from: Some(&from),
            json: body.as_deref().map(str::as_bytes),
        }
        .write(out);
        true
    }

    fn reply(&self, sequence: u64, status: u16, body: &[u8]) {
        let field = match self.step {
            Step::Join => "queue_token",
            Step::Claim => "access_token",
            Step::Hold => "reservation_id",
            Step::Place | Step::Pay => return,
        };
        if !(200..300).contains(&status) {
            return;
        }
        let answer: Value = serde_json::from_slice(body).unwrap_or_default();
        if let (Some(fan), Some(text)) = (self.fan(sequence), answer[field].as_str()) {
            self.brings.put(fan, text);
        }
        // A hold prolongs the session with a token that replaces the first.
        if let (Step::Hold, Some(fan), Some(token)) = (
            self.step,
            self.fan(sequence),
            answer["access_token"].as_str(),
        ) {
            self.access.put(fan, token);
        }
    }
}

/// The seat of a fan in the hall that `Stack::event` builds: sections of a
/// hundred rows of a hundred.
fn seat_id(fan: u64) -> String {
    let (section, within) = (fan / 10_000, fan % 10_000);
    format!("s{section}-{}-{}", within / 100 + 1, within % 100 + 1)
}

/// Plain reads of one path.
pub struct Reads {
    pub path: String,
    pub host: String,
}

impl Traffic for Reads {
    fn request(&self, sequence: u64, out: &mut Vec<u8>) -> bool {
        let [.., b, c, d] = sequence.to_be_bytes();
        let from = format!("10.{b}.{c}.{d}");
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn who_was_turned_away_before_is_left_out_and_ends_nothing() {
        let origin = Origin {
            host: "localhost".to_owned(),
            port: 80,
            address: "127.0.0.1:80".parse().unwrap(),
        };
        let event = EventId::from_uuid(Uuid::nil());
        let held = Arc::<Kept>::default();
        held.put(3, "reservation");
        held.put(7, "reservation");
        let fans = Fans::new(Step::Pay, event, &origin, 0..5).needing(&held);
        assert_eq!([0, 1].map(|sequence| fans.fan(sequence)), [Some(3), None]);
        let round = Fans::new(Step::Place, event, &origin, 0..9).needing(&held);
        assert_eq!(
            [2, 3].map(|sequence| round.fan(sequence)),
            [Some(3), Some(7)]
        );
    }

    #[test]
    fn each_fan_has_a_seat_of_the_hall() {
        assert_eq!(seat_id(0), "s0-1-1");
        assert_eq!(seat_id(9_999), "s0-100-100");
        assert_eq!(seat_id(10_100), "s1-2-1");
    }
}
