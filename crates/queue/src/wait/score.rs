//! Holding the intervals to account: how often they held, how far off the middle
//! was; and widening or narrowing the next ones until they hold as often as said.
//!
//! Only the width is learned, not a shift of the middle: an error that a change of
//! the rate made says nothing of the minutes after the change, and what is wrong
//! with a steady rate is measured where it arises.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use usher_base::{EventId, Timestamp};

/// The share of intervals that shall hold; a little above the 80 % of P10 to P90,
/// because a fan minds a broken promise more than a wide one.
const WANTED_SHARE: f64 = 0.86;
/// How far the outcomes of one tick move the width. The fans of one tick were right
/// or wrong together, and count as one.
const STEP: f64 = 0.02;
/// Until fans have shown how it went, rather too wide.
const FIRST_WIDTH: f64 = 1.5;
const WIDTHS: std::ops::RangeInclusive<f64> = 0.5..=4.0;
/// Errors are taken against at least this many seconds: one second off in a wait of
/// two is no dishonesty.
const LEAST_REMAINING_S: f64 = 5.0;
/// Errors that the median is taken of.
const MAX_ERRORS: usize = 2_000;

/// How the interval turned out that was in force half-way through a wait.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
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

/// How true the told waits were so far, for operators.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// Fans whose wait was judged, since this leader began.
    pub judged: u64,
    /// Share of the intervals told half-way that held.
    pub held_share: f64,
    /// Median error of the likely wait told half-way, of the newest of them.
    pub median_error: f64,
}

impl Score {
    /// `told` are the low, the likely and the high time.
    pub(super) fn new(told: [Timestamp; 3], half_way: Timestamp, admitted_at: Timestamp) -> Self {
        let [low, likely, high] = told;
        let remaining = admitted_at.since(half_way).as_secs_f64();
        let off = (likely.millis() - admitted_at.millis()) as f64 / 1000.0;
        let outcome = if admitted_at < low {
            Outcome::Early
        } else if admitted_at > high {
            Outcome::Late
        } else {
            Outcome::Held
        };
        Self {
            half_way: outcome,
            half_way_error: off.abs() / remaining.max(LEAST_REMAINING_S),
        }
    }
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
    /// Since the last tick.
    fresh: Vec<Score>,
    fans: u64,
    held: u64,
    errors: VecDeque<f64>,
}

impl Default for Scorer {
    fn default() -> Self {
        Self {
            width: FIRST_WIDTH,
            fresh: Vec::new(),
            fans: 0,
            held: 0,
            errors: VecDeque::new(),
        }
    }
}

impl Scorer {
    /// One fan's turn came. As many between two ticks as a second lets in.
    pub fn take_in(&mut self, score: Score) {
        self.fresh.push(score);
    }

    /// The end of a tick: the width follows, and the metrics hear of each fan.
    pub fn tick(&mut self, event: EventId) {
        let fresh = std::mem::take(&mut self.fresh);
        if fresh.is_empty() {
            return;
        }
        let of_held = fresh.iter().filter(|score| score.half_way == Outcome::Held);
        let held = of_held.count();
        self.fans += fresh.len() as u64;
        self.held += held as u64;
        // Stands still exactly when the wanted share holds.
        let push = WANTED_SHARE - held as f64 / fresh.len() as f64;
        let width = self.width * (STEP * push).exp();
        self.width = width.clamp(*WIDTHS.start(), *WIDTHS.end());
        for score in &fresh {
            if self.errors.len() == MAX_ERRORS {
                self.errors.pop_front();
            }
            self.errors.push_back(score.half_way_error);
        }
        self.publish(event, &fresh);
    }

    /// By how much intervals must be wider than computed.
    pub fn width(&self) -> f64 {
        self.width
    }

    /// `None` before the first fan.
    pub fn accuracy(&self) -> Option<Accuracy> {
        let mut errors: Vec<f64> = self.errors.iter().copied().collect();
        if errors.is_empty() {
            return None;
        }
        let middle = errors.len() / 2;
        let (_, median, _) = errors.select_nth_unstable_by(middle, f64::total_cmp);
        Some(Accuracy {
            judged: self.fans,
            held_share: self.held as f64 / self.fans as f64,
            median_error: *median,
        })
    }

    fn publish(&self, event: EventId, fresh: &[Score]) {
        let event = event.to_string();
        for score in fresh {
            let outcome = score.half_way.as_str();
            metrics::counter!("usher_wait_intervals_scored_total", "event" => event.clone(), "outcome" => outcome)
                .increment(1);
            metrics::histogram!("usher_wait_error_ratio", "event" => event.clone())
                .record(score.half_way_error);
        }
        metrics::gauge!("usher_wait_interval_width", "event" => event.clone()).set(self.width);
        let Some(accuracy) = self.accuracy() else {
            return;
        };
        metrics::gauge!("usher_wait_interval_coverage", "event" => event.clone())
            .set(accuracy.held_share);
        metrics::gauge!("usher_wait_error_median", "event" => event).set(accuracy.median_error);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn tick(scorer: &mut Scorer, scores: &[(Outcome, f64)]) {
        for (half_way, half_way_error) in scores {
            scorer.take_in(Score {
                half_way: *half_way,
                half_way_error: *half_way_error,
            });
        }
        scorer.tick(EventId::new(Timestamp::from_millis(1_795_255_200_000)));
    }

    #[test]
    fn it_counts_and_finds_the_median() {
        let mut scorer = Scorer::default();
        tick(&mut scorer, &[]);
        assert_eq!(scorer.accuracy(), None);
        tick(&mut scorer, &[(Outcome::Held, 0.1), (Outcome::Late, 0.5)]);
        tick(&mut scorer, &[(Outcome::Held, 0.0), (Outcome::Early, 0.4)]);
        let accuracy = scorer.accuracy().unwrap();
        assert_eq!((accuracy.judged, accuracy.held_share), (4, 0.5));
        assert_eq!(accuracy.median_error, 0.4);
    }

    #[test]
    fn broken_promises_widen_and_kept_ones_narrow() {
        let mut scorer = Scorer::default();
        // However many are wrong together, it is one lesson.
        tick(&mut scorer, &[(Outcome::Late, 0.5); 1_000]);
        assert!(scorer.width() < 1.6);
        for _ in 0..50 {
            tick(&mut scorer, &[(Outcome::Late, 0.5)]);
        }
        assert!(scorer.width() > 2.0, "{}", scorer.width());
        for _ in 0..1_000 {
            tick(&mut scorer, &[(Outcome::Held, 0.0)]);
        }
        assert!(scorer.width() < 1.0);
        for _ in 0..500 {
            tick(&mut scorer, &[(Outcome::Late, 9.0)]);
        }
        assert!(scorer.width() <= 4.0);
    }
}
