//! Holding the intervals to account: how often they held, how far off the middle
//! was; and widening or narrowing the next ones until they hold as often as said.

use std::collections::VecDeque;

use usher_base::EventId;

/// The share of intervals that shall hold; a little above the 80 % of P10 to P90,
/// because a fan minds a broken promise more than a wide one.
const WANTED_SHARE: f64 = 0.86;
/// How far one fan's outcome moves the width.
const STEP: f64 = 0.02;
/// Until fans have told how it went, rather too wide.
const FIRST_WIDTH: f64 = 1.5;
const WIDTHS: std::ops::RangeInclusive<f64> = 0.5..=4.0;
/// Errors that the median is taken of.
const MAX_ERRORS: usize = 2_000;

/// How one fan's promises turned out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Intervals that the fan was given, and how many held.
    pub given: u32,
    pub held: u32,
    /// Of the interval in force half-way through the wait.
    pub half_way: Outcome,
    /// How far its middle was off, against the wait that remained.
    pub half_way_error: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Held,
    /// The turn came before the interval.
    Early,
    /// The turn came after it.
    Late,
}

impl Outcome {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Early => "early",
            Self::Late => "late",
        }
    }
}

/// An event's record of honesty.
#[derive(Debug)]
pub struct Scorer {
    width: f64,
    fans: u64,
    held_half_way: u64,
    given: u64,
    held: u64,
    errors: VecDeque<f64>,
}

impl Default for Scorer {
    fn default() -> Self {
        Self {
            width: FIRST_WIDTH,
            fans: 0,
            held_half_way: 0,
            given: 0,
            held: 0,
            errors: VecDeque::new(),
        }
    }
}

impl Scorer {
    pub fn take_in(&mut self, score: &Score) {
        let held = score.half_way == Outcome::Held;
        self.fans += 1;
        self.held_half_way += u64::from(held);
        self.given += u64::from(score.given);
        self.held += u64::from(score.held);
        if self.errors.len() == MAX_ERRORS {
            self.errors.pop_front();
        }
        self.errors.push_back(score.half_way_error);
        // Stands still exactly when the wanted share holds.
        let push = if held {
            WANTED_SHARE - 1.0
        } else {
            WANTED_SHARE
        };
        let width = self.width * (STEP * push).exp();
        self.width = width.clamp(*WIDTHS.start(), *WIDTHS.end());
    }

    /// By how much intervals must be wider than computed, for `Forecast::width`.
    pub fn width(&self) -> f64 {
        self.width
    }

    /// Share of fans whose half-way interval held; `None` before the first.
    pub fn coverage(&self) -> Option<f64> {
        (self.fans > 0).then(|| self.held_half_way as f64 / self.fans as f64)
    }

    /// Share of all intervals given that held.
    pub fn held_share(&self) -> Option<f64> {
        (self.given > 0).then(|| self.held as f64 / self.given as f64)
    }

    /// Median relative error at half-way, of the newest fans.
    pub fn median_error(&self) -> Option<f64> {
        let mut errors: Vec<f64> = self.errors.iter().copied().collect();
        if errors.is_empty() {
            return None;
        }
        let middle = errors.len() / 2;
        let (_, median, _) = errors.select_nth_unstable_by(middle, f64::total_cmp);
        Some(*median)
    }

    /// Tells the metrics of one more fan.
    pub fn publish(&self, event: EventId, score: &Score) {
        let event = event.to_string();
        let outcome = score.half_way.as_str();
        metrics::counter!("usher_wait_intervals_scored_total", "event" => event.clone(), "outcome" => outcome)
            .increment(1);
        metrics::histogram!("usher_wait_error_ratio", "event" => event.clone())
            .record(score.half_way_error);
        metrics::gauge!("usher_wait_interval_coverage", "event" => event.clone())
            .set(self.coverage().unwrap_or(1.0));
        metrics::gauge!("usher_wait_error_median", "event" => event)
            .set(self.median_error().unwrap_or(0.0));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn score(half_way: Outcome, half_way_error: f64) -> Score {
        Score {
            given: 2,
            held: 1,
            half_way,
            half_way_error,
        }
    }

    #[test]
    fn it_counts_and_finds_the_median() {
        let mut scorer = Scorer::default();
        assert_eq!((scorer.coverage(), scorer.median_error()), (None, None));
        for (outcome, error) in [
            (Outcome::Held, 0.1),
            (Outcome::Late, 0.5),
            (Outcome::Held, 0.0),
            (Outcome::Early, 0.4),
        ] {
            scorer.take_in(&score(outcome, error));
        }
        assert_eq!(scorer.coverage(), Some(0.5));
        assert_eq!(scorer.held_share(), Some(0.5));
        assert_eq!(scorer.median_error(), Some(0.4));
    }

    #[test]
    fn broken_promises_widen_and_kept_ones_narrow() {
        let mut scorer = Scorer::default();
        for _ in 0..50 {
            scorer.take_in(&score(Outcome::Late, 0.5));
        }
        let wide = scorer.width();
        assert!(wide > 1.5, "{wide}");
        for _ in 0..1_000 {
            scorer.take_in(&score(Outcome::Held, 0.0));
        }
        assert!(scorer.width() < 1.0);
        for _ in 0..10_000 {
            scorer.take_in(&score(Outcome::Late, 9.0));
        }
        assert!(scorer.width() <= 4.0);
    }
}
