//! What a backend tells of one second, and how several nodes' tellings become one.
//! The same type serves usher's own booking nodes, the push API and a Prometheus query.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// No measurement is believed above this; it keeps nonsense from a push API finite.
const VALUE_MAX: f64 = 1e9;
/// Nodes remembered at once; further ones are ignored.
const NODES_MAX: usize = 256;
/// A node's last report stands in for a late one for so many ms.
const STAND_IN_MS: u64 = 3_000;
/// Without any report younger than this, there is no signal.
const FRESH_MS: u64 = 1_500;
/// A node's p99 counts when it answered at least this share of all requests.
const P99_SHARE: f64 = 0.05;

/// One second's measurements of the backend. Counts are per second; a missing latency means "nothing measured".
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Signals {
    /// First attempts/s, without the repetitions of refused ones; sources that cannot tell count what is answered or
    /// fails.
    pub requests: f64,
    /// Goodput: requests/s answered well.
    pub completed: f64,
    /// Requests/s turned away by the backend's own limit (503, 429).
    pub rejects: f64,
    /// Requests/s that failed or timed out.
    pub errors: f64,
    /// Median latency of what was answered, in ms.
    pub p50_ms: Option<f64>,
    /// 99th percentile of the same.
    pub p99_ms: Option<f64>,
    /// Round trip to Redis in ms.
    pub redis_probe_ms: Option<f64>,
    /// Round trip to Postgres in ms.
    pub postgres_probe_ms: Option<f64>,
    /// Longest wait for a pooled database connection in ms.
    pub pool_wait_ms: Option<f64>,
    /// Postgres does not answer at all, which is something else than slowly.
    pub postgres_away: bool,
}

impl Signals {
    /// The same with every value finite, not negative and bounded: whoever pushes signals may push anything.
    #[must_use]
    pub fn sane(&self) -> Self {
        let latency = |ms: Option<f64>| ms.filter(|v| v.is_finite()).map(sane);
        Self {
            requests: sane(self.requests),
            completed: sane(self.completed),
            rejects: sane(self.rejects),
            errors: sane(self.errors),
            p50_ms: latency(self.p50_ms),
            p99_ms: latency(self.p99_ms),
            redis_probe_ms: latency(self.redis_probe_ms),
            postgres_probe_ms: latency(self.postgres_probe_ms),
            pool_wait_ms: latency(self.pool_wait_ms),
            postgres_away: self.postgres_away,
        }
    }

    /// Requests/s that came, the repetitions of refused ones with them.
    pub fn attempts(&self) -> f64 {
        self.completed + self.rejects + self.errors
    }

    /// Share of the second's attempts that was rejected or failed.
    pub fn refused_share(&self) -> f64 {
        share(self.rejects + self.errors, self.attempts())
    }

    /// One second of a whole backend from its nodes'. Rates add up; p50 is the mean weighted by goodput; p99 and
    /// the probes are the worst of them (of nodes that carry weight), because the slowest node's fans suffer.
    pub fn merge<'a>(nodes: impl IntoIterator<Item = &'a Signals>) -> Self {
        let nodes: Vec<Signals> = nodes.into_iter().map(Signals::sane).collect();
        let mut all = Signals::default();
        for node in &nodes {
            all.requests += node.requests;
            all.completed += node.completed;
            all.rejects += node.rejects;
            all.errors += node.errors;
            all.redis_probe_ms = worse(all.redis_probe_ms, node.redis_probe_ms);
            all.postgres_probe_ms = worse(all.postgres_probe_ms, node.postgres_probe_ms);
            all.pool_wait_ms = worse(all.pool_wait_ms, node.pool_wait_ms);
            all.postgres_away |= node.postgres_away;
        }
        // Who reaches it knows that it is there.
        all.postgres_away &= all.postgres_probe_ms.is_none();
        let (mut weighted, mut weight) = (0.0, 0.0);
        for node in &nodes {
            if let Some(p50) = node.p50_ms {
                weighted += p50 * node.completed;
                weight += node.completed;
            }
            if node.completed >= P99_SHARE * all.completed {
                all.p99_ms = worse(all.p99_ms, node.p99_ms);
            }
        }
        all.p50_ms = (weight > 0.0).then(|| weighted / weight);
        all.sane()
    }
}

/// `part / whole`, 0 when there is nothing.
pub(crate) fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// Finite, not negative, at most `VALUE_MAX`; what is not a number is 0.
pub(crate) fn sane(value: f64) -> f64 {
    if value.is_nan() {
        0.0
    } else {
        value.clamp(0.0, VALUE_MAX)
    }
}

fn worse(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (a, b) => a.or(b),
    }
}

/// The latest report of each node, so that one late node does not look like a backend that does less.
#[derive(Debug, Clone, Default)]
pub struct NodeBoard {
    latest: BTreeMap<String, (u64, Signals)>,
}

impl NodeBoard {
    /// Takes a node's report. False when there are too many nodes already.
    pub fn put(&mut self, node: &str, now_ms: u64, signals: Signals) -> bool {
        if self.latest.len() >= NODES_MAX && !self.latest.contains_key(node) {
            return false;
        }
        self.latest.insert(node.to_owned(), (now_ms, signals));
        true
    }

    /// All nodes as one, `None` when nothing fresh came: the controller then sees its signal lost.
    pub fn merged(&mut self, now_ms: u64) -> Option<Signals> {
        self.latest
            .retain(|_, (at, _)| now_ms.saturating_sub(*at) <= STAND_IN_MS);
        let newest = self.latest.values().map(|(at, _)| *at).max()?;
        if now_ms.saturating_sub(newest) > FRESH_MS {
            return None;
        }
        Some(Signals::merge(
            self.latest.values().map(|(_, signals)| signals),
        ))
    }

    /// Nodes heard of lately.
    pub fn nodes(&self) -> usize {
        self.latest.len()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn node(completed: f64, p50: f64, p99: f64) -> Signals {
        Signals {
            requests: completed,
            completed,
            p50_ms: Some(p50),
            p99_ms: Some(p99),
            ..Signals::default()
        }
    }

    #[test]
    fn merging_adds_rates_and_keeps_the_worst_latency_of_nodes_that_carry_weight() {
        let all = Signals::merge([&node(90.0, 100.0, 300.0), &node(30.0, 200.0, 500.0)]);
        assert_eq!(
            (all.completed, all.p50_ms, all.p99_ms),
            (120.0, Some(125.0), Some(500.0))
        );
        let idle_node = node(1.0, 900.0, 9_000.0);
        assert_eq!(
            Signals::merge([&node(90.0, 100.0, 300.0), &idle_node]).p99_ms,
            Some(300.0)
        );
    }

    #[test]
    fn postgres_is_away_when_nobody_reaches_it() {
        let away = Signals {
            postgres_away: true,
            ..Signals::default()
        };
        let there = Signals {
            postgres_probe_ms: Some(3.0),
            ..Signals::default()
        };
        assert!(Signals::merge([&away, &Signals::default()]).postgres_away);
        assert!(!Signals::merge([&away, &there]).postgres_away);
    }

    #[test]
    fn a_late_node_is_stood_in_for_and_then_forgotten() {
        let mut board = NodeBoard::default();
        board.put("a", 0, node(50.0, 100.0, 200.0));
        board.put("b", 2_000, node(50.0, 100.0, 200.0));
        assert_eq!(board.merged(2_500).unwrap().completed, 100.0);
        board.put("b", 3_500, node(50.0, 100.0, 200.0));
        assert_eq!(board.merged(3_500).unwrap().completed, 50.0);
        assert_eq!(board.merged(5_100), None);
    }

    #[test]
    fn the_board_is_bounded() {
        let mut board = NodeBoard::default();
        for n in 0..NODES_MAX {
            assert!(board.put(&n.to_string(), 0, Signals::default()));
        }
        assert!(!board.put("one more", 0, Signals::default()));
        assert!(board.put("0", 1, Signals::default()));
    }

    #[test]
    fn nonsense_becomes_numbers() {
        let odd = Signals {
            requests: f64::NAN,
            completed: -3.0,
            rejects: f64::INFINITY,
            p99_ms: Some(f64::NAN),
            ..Signals::default()
        };
        let sane = odd.sane();
        assert_eq!(
            (sane.requests, sane.completed, sane.rejects),
            (0.0, 0.0, VALUE_MAX)
        );
        assert_eq!(sane.p99_ms, None);
    }
}
