//! Signals of a backend that is not usher's: what it may push, and what is made of
//! it. Nothing is believed that is not a bounded number.

use serde::Deserialize;
use usher_base::Timestamp;

use super::Report;
use crate::control::Signals;

/// Longer names of nodes are not taken.
pub const MAX_NODE_CHARS: usize = 64;
/// Highest rate (requests/s) or time (ms) that is taken.
const MAX_VALUE: f64 = 1e7;

/// The body of `POST .../signals`: one node's last second. Push it once a second
/// or more often; after 3 s of silence (`lost_after_s`) its signals count as lost.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PushedSignals {
    /// Which of the backend's nodes this is: letters, digits and `-_.:`.
    pub node: String,
    /// First attempts/s, without the repetitions of what was turned away. If you cannot
    /// tell, send `completed` plus `errors`: what is turned away comes again.
    pub requests: f64,
    /// Requests/s answered well.
    pub completed: f64,
    /// Requests/s turned away (429, 503).
    #[serde(default)]
    pub rejects: f64,
    /// Requests/s that failed or timed out.
    #[serde(default)]
    pub errors: f64,
    #[serde(default)]
    pub p50_ms: Option<f64>,
    #[serde(default)]
    pub p99_ms: Option<f64>,
    /// Longest wait for a database connection.
    #[serde(default)]
    pub pool_wait_ms: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    #[error("node must be 1 to {MAX_NODE_CHARS} letters, digits or any of -_.: and nothing else.")]
    Node,
    #[error("{0} must be a number from 0 to 10000000.")]
    OutOfRange(&'static str),
    #[error("p50_ms is above p99_ms: swap them or correct the measurement.")]
    Crossed,
}

impl PushedSignals {
    /// The node and its report, if every value can be believed.
    pub fn accept(&self, now: Timestamp) -> Result<(&str, Report), PushError> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
        if !(1..=MAX_NODE_CHARS).contains(&self.node.len()) || !self.node.chars().all(is_plain) {
            return Err(PushError::Node);
        }
        for (name, value) in [
            ("requests", Some(self.requests)),
            ("completed", Some(self.completed)),
            ("rejects", Some(self.rejects)),
            ("errors", Some(self.errors)),
            ("p50_ms", self.p50_ms),
            ("p99_ms", self.p99_ms),
            ("pool_wait_ms", self.pool_wait_ms),
        ] {
            if value.is_some_and(|value| !(0.0..=MAX_VALUE).contains(&value)) {
                return Err(PushError::OutOfRange(name));
            }
        }
        if self
            .p50_ms
            .zip(self.p99_ms)
            .is_some_and(|(p50, p99)| p50 > p99)
        {
            return Err(PushError::Crossed);
        }
        let signals = Signals {
            requests: self.requests,
            completed: self.completed,
            rejects: self.rejects,
            errors: self.errors,
            p50_ms: self.p50_ms,
            p99_ms: self.p99_ms,
            pool_wait_ms: self.pool_wait_ms,
            ..Signals::default()
        };
        Ok((&self.node, Report::new(now, signals)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parse(text: &str) -> PushedSignals {
        serde_json::from_str(text).unwrap()
    }

    fn refusal(text: &str) -> PushError {
        parse(text).accept(Timestamp::default()).unwrap_err()
    }

    #[test]
    fn a_good_push_becomes_a_report() {
        let push = parse(r#"{"node": "web-1", "requests": 90, "completed": 88.5, "p99_ms": 210}"#);
        let (node, report) = push.accept(Timestamp::from_millis(7)).unwrap();
        assert_eq!((node, report.signals.completed), ("web-1", 88.5));
        assert_eq!(report.signals.p99_ms, Some(210.0));
    }

    #[test]
    fn nonsense_is_refused_with_a_sentence() {
        for node in ["", "a b", "ä", &"n".repeat(65)] {
            let text = format!(r#"{{"node": "{node}", "requests": 1, "completed": 1}}"#);
            assert_eq!(refusal(&text), PushError::Node);
        }
        let negative = refusal(r#"{"node": "a", "requests": -1, "completed": 1}"#);
        assert_eq!(negative, PushError::OutOfRange("requests"));
        let huge = refusal(r#"{"node": "a", "requests": 1, "completed": 1, "p99_ms": 1e300}"#);
        assert_eq!(huge, PushError::OutOfRange("p99_ms"));
        let crossed = r#"{"node": "a", "requests": 1, "completed": 1, "p50_ms": 9, "p99_ms": 3}"#;
        assert_eq!(refusal(crossed), PushError::Crossed);
        let typo = r#"{"node": "a", "requests": 1, "completed": 1, "p99": 3}"#;
        assert!(serde_json::from_str::<PushedSignals>(typo).is_err());
    }
}
