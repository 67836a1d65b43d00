//! The last thirty seconds of the backend, and what the law asks of them.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::signals::{Signals, share};
use super::tuning::Tuning;

/// Seconds remembered.
const SECONDS: usize = 30;

/// What is kept of one second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Second {
    /// Requests/s answered well.
    pub completed: f64,
    /// Requests/s rejected by the backend's own limit.
    pub rejects: f64,
    /// Requests/s that failed.
    pub errors: f64,
    /// p99 in ms, 0 when nothing was answered.
    pub p99_ms: f64,
    /// Most of it failed, or Postgres was away: an outage, which says nothing about load, so the second is neither
    /// slow nor refusing.
    pub failing: bool,
    /// p99 was above the target.
    pub slow: bool,
    /// Too many were refused.
    pub refusing: bool,
}

/// Bounded: `SECONDS` entries, the newest last.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Window {
    seconds: VecDeque<Second>,
}

impl Window {
    /// Takes one second's signals, judged against the target.
    pub fn push(&mut self, signals: &Signals, target_p99_ms: f64, tuning: &Tuning) {
        if self.seconds.len() == SECONDS {
            self.seconds.pop_front();
        }
        let p99_ms = signals.p99_ms.unwrap_or(0.0);
        let failing = signals.postgres_away
            || share(signals.errors, signals.attempts()) > tuning.outage_error_share;
        self.seconds.push_back(Second {
            completed: signals.completed,
            rejects: signals.rejects,
            errors: signals.errors,
            p99_ms,
            failing,
            slow: !failing && p99_ms > target_p99_ms,
            refusing: !failing && signals.refused_share() > tuning.bad_refused_share,
        });
    }

    fn last(&self, seconds: usize) -> impl Iterator<Item = &Second> {
        self.seconds.iter().rev().take(seconds)
    }

    /// Bad seconds among the last so many.
    pub fn bad(&self, seconds: usize) -> u32 {
        count(self.last(seconds).filter(|s| s.slow || s.refusing))
    }

    /// Seconds with p99 above the target among the last so many.
    pub fn slow(&self, seconds: usize) -> u32 {
        count(self.last(seconds).filter(|s| s.slow))
    }

    /// Mean goodput over the last so many seconds.
    pub fn goodput(&self, seconds: usize) -> f64 {
        let sum: f64 = self.last(seconds).map(|s| s.completed).sum();
        share(sum, f64::from(count(self.last(seconds))))
    }

    /// 70th percentile of the 1 s goodput over 10 s: what the backend does when it does its best.
    pub fn good_goodput(&self) -> f64 {
        let mut values: Vec<f64> = self.last(10).map(|s| s.completed).collect();
        values.sort_by(f64::total_cmp);
        let rank = (values.len() * 7).div_ceil(10);
        rank.checked_sub(1).map_or(0.0, |index| values[index])
    }

    /// Highest 10 s mean of goodput within the window: what the backend did before trouble began.
    pub fn best_goodput(&self) -> f64 {
        let completed: Vec<f64> = self.seconds.iter().map(|s| s.completed).collect();
        let best = completed
            .windows(10)
            .map(|ten| ten.iter().sum::<f64>() / 10.0)
            .fold(0.0, f64::max);
        best.max(self.goodput(10))
    }

    /// Mean of the 1 s p99 over the last so many seconds, in ms.
    pub fn p99_ms(&self, seconds: usize) -> f64 {
        let sum: f64 = self.last(seconds).map(|s| s.p99_ms).sum();
        share(sum, f64::from(count(self.last(seconds))))
    }

    /// Share rejected by the backend's own limit over the last so many seconds: too much load, by its own word.
    pub fn reject_share(&self, seconds: usize) -> f64 {
        self.share_of(seconds, |s| s.rejects)
    }

    /// Whether the backend failed altogether within the last so many seconds.
    pub fn failing(&self, seconds: usize) -> bool {
        self.last(seconds).any(|s| s.failing)
    }

    fn share_of(&self, seconds: usize, what: impl Fn(&Second) -> f64) -> f64 {
        let part: f64 = self.last(seconds).map(what).sum();
        let whole: f64 = self
            .last(seconds)
            .map(|s| s.completed + s.rejects + s.errors)
            .sum();
        share(part, whole)
    }
}

fn count<'a>(seconds: impl Iterator<Item = &'a Second>) -> u32 {
    seconds.fold(0, |n, _| n + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_70th_percentile_ignores_the_few_worst_and_best_seconds() {
        let mut window = Window::default();
        for completed in [
            10.0, 200.0, 100.0, 100.0, 100.0, 100.0, 100.0, 100.0, 0.0, 300.0,
        ] {
            let signals = Signals {
                completed,
                ..Signals::default()
            };
            window.push(&signals, 600.0, &Tuning::default());
        }
        assert_eq!(window.good_goodput(), 100.0);
    }

    #[test]
    fn rejects_count_even_when_what_was_answered_looks_healthy() {
        let mut window = Window::default();
        let signals = Signals {
            completed: 96.0,
            rejects: 4.0,
            p99_ms: Some(50.0),
            ..Signals::default()
        };
        for _ in 0..40 {
            window.push(&signals, 600.0, &Tuning::default());
        }
        assert_eq!(
            (window.bad(10), window.slow(10), window.bad(100)),
            (10, 0, 30)
        );
        assert!((window.reject_share(30) - 0.04).abs() < 1e-9);
    }
}
