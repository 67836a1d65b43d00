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
    /// Requests/s rejected or failed.
    pub refused: f64,
    /// p99 in ms, 0 when nothing was answered.
    pub p99_ms: f64,
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
        self.seconds.push_back(Second {
            completed: signals.completed,
            refused: signals.rejects + signals.errors,
            p99_ms,
            slow: p99_ms > target_p99_ms,
            refusing: signals.refused_share() > tuning.bad_refused_share,
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

    /// Mean of the 1 s p99 over the last so many seconds, in ms.
    pub fn p99_ms(&self, seconds: usize) -> f64 {
        let sum: f64 = self.last(seconds).map(|s| s.p99_ms).sum();
        share(sum, f64::from(count(self.last(seconds))))
    }

    /// Share refused over the last so many seconds.
    pub fn refused_share(&self, seconds: usize) -> f64 {
        let refused: f64 = self.last(seconds).map(|s| s.refused).sum();
        let completed: f64 = self.last(seconds).map(|s| s.completed).sum();
        share(refused, refused + completed)
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
        for completed in [10.0, 200.0, 100.0, 100.0, 100.0, 100.0, 100.0, 100.0, 0.0, 300.0] {
            let signals = Signals { completed, ..Signals::default() };
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
        assert_eq!((window.bad(10), window.slow(10), window.bad(100)), (10, 0, 30));
        assert!((window.refused_share(30) - 0.04).abs() < 1e-9);
    }
}
