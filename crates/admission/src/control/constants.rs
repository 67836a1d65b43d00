//! What of the law an admin may set for one event: what a fan asks before it is measured, what counts as trouble at
//! that backend, how late its signals come. The rest of `Tuning` is the law's own shape, found by simulation: no
//! backend asks for another, and a wrong value lets the law swing.

use serde::{Deserialize, Serialize};

use super::tuning::{Bounded, Tuning};

/// What is set for an event; what is not, is as usual. Ranges: `Tuning::bounded`; meaning: `Constants::in_force`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Constants {
    pub requests_per_inside_prior: Option<f64>,
    pub requests_per_session_prior: Option<f64>,
    pub claims_delay_s: Option<f64>,
    pub claims_share: Option<f64>,
    pub brake_p99: Option<f64>,
    pub brake_refused_share: Option<f64>,
    pub brake_redis_ms: Option<f64>,
    pub brake_postgres_ms: Option<f64>,
    pub brake_pool_wait_ms: Option<f64>,
    pub lost_after_s: Option<f64>,
    pub blind_end_s: Option<f64>,
    pub release_max_per_s: Option<u32>,
}

/// What a constant is to whoever sets it.
#[derive(Debug, Clone, Copy)]
pub struct Meaning {
    /// As `Constants` and `Tuning::bounded` call it.
    pub name: &'static str,
    /// In one line, with its unit.
    pub what: &'static str,
    /// When one would change it.
    pub when: &'static str,
}

const fn meaning(name: &'static str, what: &'static str, when: &'static str) -> Meaning {
    Meaning { name, what, when }
}

/// In the order in which a sale meets them.
const MEANINGS: [Meaning; 12] = [
    meaning(
        "requests_per_inside_prior",
        "requests a second of one fan inside, before it is measured",
        "your shop asks much more or less often: a page with polls, or a single form",
    ),
    meaning(
        "requests_per_session_prior",
        "requests of one fan in a whole session, before it is measured",
        "your shop's way to an order is much longer or shorter",
    ),
    meaning(
        "claims_delay_s",
        "seconds that fans take to come in when they are called, before it is measured",
        "they are called by mail or message instead of in an open page",
    ),
    meaning(
        "claims_share",
        "share of those called who come in, before it is measured",
        "you know the no-shows of an earlier sale: this is 1 minus their share",
    ),
    meaning(
        "brake_p99",
        "p99 of one second, as a multiple of its target, above which nobody is let in for a second",
        "the slowest answers scatter much without load (raise it), or no spike may happen (lower it)",
    ),
    meaning(
        "brake_refused_share",
        "share refused or failed in one second above which nobody is let in for a second",
        "bursts of refusals are usual (raise it); report no refusals that never end, such as bots'",
    ),
    meaning(
        "brake_redis_ms",
        "answer time of Redis in ms above which nobody is let in for a second",
        "Redis is far away and slow without load (raise it)",
    ),
    meaning(
        "brake_postgres_ms",
        "answer time of Postgres in ms above which nobody is let in for a second",
        "Postgres is far away and slow without load (raise it)",
    ),
    meaning(
        "brake_pool_wait_ms",
        "wait for a database connection in ms above which nobody is let in for a second",
        "your backend's pool is small and a short wait is usual (raise it)",
    ),
    meaning(
        "lost_after_s",
        "seconds without signals after which they count as lost",
        "your telemetry is rarer than once a second: twice its interval (the law moves only when it comes)",
    ),
    meaning(
        "blind_end_s",
        "seconds without signals after which nobody is let in, lost_after_s at least",
        "telemetry often fails while the backend is well (raise it), or never does (lower it)",
    ),
    meaning(
        "release_max_per_s",
        "people let in within one second at most, in every mode",
        "something before your shop (a login, a gateway) bears only so many newcomers at once",
    ),
];

/// A constant as it is for an event.
#[derive(Debug, Clone, Copy)]
pub struct InForce {
    /// What it is.
    pub meaning: Meaning,
    /// Its value and what it could be set to.
    pub bounded: Bounded,
    /// What it is where nothing is set.
    pub default: f64,
}

/// Why constants cannot be taken.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{name} is {value}: set it to a number from {low} to {high} ({default} by default).",
    name = .bounded.name, value = .bounded.value, low = .bounded.low, high = .bounded.high)]
pub struct ConstantsError {
    bounded: Bounded,
    default: f64,
}

impl Constants {
    /// The usual law with what is set here.
    #[must_use]
    pub fn over(&self, mut law: Tuning) -> Tuning {
        let places = [
            (
                self.requests_per_inside_prior,
                &mut law.requests_per_inside_prior,
            ),
            (
                self.requests_per_session_prior,
                &mut law.requests_per_session_prior,
            ),
            (self.claims_delay_s, &mut law.claims.delay_s),
            (self.claims_share, &mut law.claims.share),
            (self.brake_p99, &mut law.brake_p99),
            (self.brake_refused_share, &mut law.brake_refused_share),
            (self.brake_redis_ms, &mut law.brake_redis_ms),
            (self.brake_postgres_ms, &mut law.brake_postgres_ms),
            (self.brake_pool_wait_ms, &mut law.brake_pool_wait_ms),
            (self.lost_after_s, &mut law.lost_after_s),
            (self.blind_end_s, &mut law.blind_end_s),
        ];
        for (set, place) in places {
            *place = set.unwrap_or(*place);
        }
        law.release_max_per_s = self.release_max_per_s.unwrap_or(law.release_max_per_s);
        law
    }

    /// Checks what came from outside before it is stored: the ranges are the law's own.
    pub fn validate(&self) -> Result<(), ConstantsError> {
        let checked = self.over(Tuning::default()).validate();
        checked.map_err(|illegal| ConstantsError {
            bounded: illegal.0,
            default: bounded(&Tuning::default(), illegal.0.name).value,
        })
    }

    /// Whether it is one of them in this version.
    pub fn has(name: &str) -> bool {
        MEANINGS.iter().any(|one| one.name == name)
    }

    /// All of them, set or not.
    pub fn in_force(&self) -> [InForce; MEANINGS.len()] {
        let (law, usual) = (self.over(Tuning::default()), Tuning::default());
        MEANINGS.map(|meaning| InForce {
            meaning,
            bounded: bounded(&law, meaning.name),
            default: bounded(&usual, meaning.name).value,
        })
    }
}

fn bounded(law: &Tuning, name: &str) -> Bounded {
    let mut all = law.bounded().into_iter();
    all.find(|one| one.name == name)
        .expect("each meaning is that of a constant of the law")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::control::{AgeCount, Clause, Controller, Decision, Mode, Policy, Room, Signals};

    fn set(text: &str) -> Constants {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn each_has_a_meaning_and_is_one_of_the_laws() {
        let named = serde_json::to_value(Constants::default()).unwrap();
        let mut named: Vec<_> = named.as_object().unwrap().keys().cloned().collect();
        let mut listed = MEANINGS.map(|one| one.name);
        named.sort();
        listed.sort_unstable();
        assert_eq!(named, listed);
        for one in Constants::default().in_force() {
            assert_eq!(one.bounded.value, one.default, "{}", one.meaning.name);
            let other = if one.bounded.low < one.default {
                one.bounded.low
            } else {
                one.bounded.high
            };
            let text = format!(r#"{{"{}": {other}}}"#, one.meaning.name);
            let changed = set(&text);
            assert_eq!(changed.validate(), Ok(()), "{text}");
            let law = changed.over(Tuning::default());
            assert_eq!(bounded(&law, one.meaning.name).value, other, "{text}");
        }
    }

    #[test]
    fn the_documents_table_is_this_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/admission.md");
        let document = std::fs::read_to_string(path).unwrap();
        for one in Constants::default().in_force() {
            let Bounded { low, high, .. } = one.bounded;
            let (name, default) = (one.meaning.name, one.default);
            let Meaning { what, when, .. } = one.meaning;
            let row = format!("| `{name}` | {what} | {default} | {low} to {high} | {when} |");
            assert!(document.contains(&row), "docs/admission.md lacks: {row}");
        }
    }

    #[test]
    fn nonsense_is_refused_with_what_would_be_right() {
        let told = |text| set(text).validate().unwrap_err().to_string();
        assert_eq!(
            told(r#"{"brake_p99": 0.5}"#),
            "brake_p99 is 0.5: set it to a number from 1 to 10 (1.2 by default)."
        );
        assert_eq!(
            told(r#"{"lost_after_s": 45}"#),
            "blind_end_s is 30: set it to a number from 45 to 600 (30 by default)."
        );
        assert!(told(r#"{"claims_share": 0.05}"#).starts_with("claims_share is 0.05"));
        assert!(serde_json::from_str::<Constants>(r#"{"cut_to": 0.5}"#).is_err());
    }

    fn second(law: &mut Controller, s: u64) -> Clause {
        decide(law, s, &Policy::default()).clause
    }

    fn decide(law: &mut Controller, s: u64, policy: &Policy) -> Decision {
        let signals = Signals {
            requests: 120.0,
            completed: 120.0,
            p50_ms: Some(90.0),
            p99_ms: Some(300.0),
            redis_probe_ms: Some(20.0),
            ..Signals::default()
        };
        let claims = AgeCount { age_s: 4, count: 9 };
        let room = Room {
            waiting: 100_000,
            inside: 2_000,
            ends: 9,
            released: 10,
            claims: vec![claims],
            stock: None,
        };
        law.tick(s * 1_000, Some(&signals), &room, policy)
    }

    fn learned() -> Controller {
        let mut law = Controller::new(Tuning::default()).unwrap();
        for s in 1..=300 {
            second(&mut law, s);
        }
        law
    }

    fn memory(law: &Controller) -> serde_json::Value {
        let mut memory = serde_json::to_value(law).unwrap();
        memory.as_object_mut().unwrap().remove("tuning");
        memory
    }

    #[test]
    fn what_was_learned_stays_when_limits_change() {
        let mut law = learned();
        let before = memory(&law);
        let changed = set(r#"{"brake_redis_ms": 10, "blind_end_s": 60, "release_max_per_s": 50}"#);
        law.retune(&changed.over(Tuning::default())).unwrap();
        assert_eq!(law.tuning().brake_redis_ms, 10.0);
        assert_eq!(memory(&law), before);
        assert_eq!(second(&mut law, 301), Clause::BrakeRedis);
        law.retune(&Tuning::default()).unwrap();
        assert_ne!(second(&mut law, 302), Clause::BrakeRedis);
    }

    #[test]
    fn no_more_are_promised_than_may_come_in_a_second() {
        let mut law = learned();
        let narrow = set(r#"{"release_max_per_s": 2}"#);
        law.retune(&narrow.over(Tuning::default())).unwrap();
        let manual = Policy {
            mode: Mode::Manual,
            rate_per_minute: Some(600.0),
            ..Policy::default()
        };
        for (s, policy) in (301..).zip([Policy::default(), manual]) {
            let told = decide(&mut law, s, &policy);
            assert!(told.auto.rate_per_s > 2.0, "{told:?}");
            assert_eq!((told.release, told.rate_per_s), (2, 2.0));
            assert_eq!(told.clause, Clause::MaxRate);
        }
        let waiting = Room {
            waiting: 100_000,
            inside: 2_000,
            ..Room::default()
        };
        let unseen = law.tick(306_000, None, &waiting, &Policy::default());
        assert_eq!(unseen.clause, Clause::SignalLost);
        assert!(unseen.rate_per_s <= 1.0, "half of what it was: {unseen:?}");
    }

    #[test]
    fn what_is_assumed_weighs_little_once_it_was_measured() {
        let mut law = learned();
        let [before, after] = [Tuning::default(), {
            let text = r#"{"claims_share": 0.2, "claims_delay_s": 60,
                "requests_per_inside_prior": 1, "requests_per_session_prior": 100}"#;
            let mut tuning = set(text).over(Tuning::default());
            tuning.claims.window_s = 62;
            tuning
        }]
        .map(|tuning| {
            law.retune(&tuning).unwrap();
            let signals = Signals {
                requests: 120.0,
                completed: 120.0,
                ..Signals::default()
            };
            let room = Room {
                inside: 2_000,
                ..Room::default()
            };
            let mut law = law.clone();
            law.tick(301_000, Some(&signals), &room, &Policy::default())
                .state
        });
        let near = |a: f64, b: f64, share: f64| (a - b).abs() <= share * b;
        assert!(near(after.no_show, before.no_show, 0.5), "{after:?}");
        assert!(near(after.pickup_s, before.pickup_s, 0.5), "{after:?}");
        assert!(after.requests_per_inside < 0.1, "{after:?}");
        assert_eq!(after.wanted_requests_per_s, before.wanted_requests_per_s);
        assert!(
            near(after.wanted_inside, before.wanted_inside, 0.4),
            "{after:?}"
        );
    }

    #[test]
    fn before_anything_was_measured_it_is_as_if_begun_so() {
        let tuning = set(r#"{"requests_per_inside_prior": 0.5, "claims_share": 0.4}"#);
        let tuning = Tuning {
            start_requests_per_s: 300.0,
            ..tuning.over(Tuning::default())
        };
        let mut law = Controller::new(Tuning::default()).unwrap();
        law.retune(&tuning).unwrap();
        assert_eq!(law, Controller::new(tuning).unwrap());
    }

    #[test]
    fn an_illegal_law_is_refused_and_the_present_one_goes_on() {
        let mut law = learned();
        let before = law.clone();
        let illegal = Tuning {
            brake_p99: 0.0,
            ..Tuning::default()
        };
        assert!(law.retune(&illegal).is_err());
        assert_eq!(law, before);
    }
}
