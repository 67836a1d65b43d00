//! What one fan was told. The time that is told moves forward freely and back
//! only for a reason, which is told as well; and it is remembered for the score.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use usher_base::Timestamp;

use super::forecast::{Forecast, Interval};
use super::score::{Outcome, Score};

/// A fall of the rate, or a rise of the presence, that is a reason.
const NOTABLE_SHARE: f64 = 0.07;
/// A shift that nobody would notice on a page is no slip.
const UNNOTICED: Duration = Duration::from_secs(2);
/// Intervals that are remembered for one fan; then every second one is forgotten.
const MAX_REMEMBERED: usize = 64;

/// Why the wait got longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlipReason {
    /// Fewer are let in a minute than before.
    Slower,
    /// People ahead who were away came back.
    MoreCameBack,
    /// Nobody was let in for a while.
    Paused,
}

/// The interval in force, as points in time, and those before it.
#[derive(Clone, Debug)]
pub struct Promise {
    since: Timestamp,
    told: Told,
    basis: Forecast,
    was_paused: bool,
    before: Vec<Told>,
}

#[derive(Clone, Copy, Debug)]
struct Told {
    at: Timestamp,
    low: Timestamp,
    likely: Timestamp,
    high: Timestamp,
}

impl Told {
    fn new(interval: &Interval, now: Timestamp) -> Self {
        Self {
            at: now,
            low: now.plus(interval.low),
            likely: now.plus(interval.likely),
            high: now.plus(interval.high),
        }
    }
}

impl Promise {
    /// `fresh` is `basis.wait(ahead)` at this moment.
    pub fn new(fresh: &Interval, basis: Forecast, now: Timestamp) -> Self {
        Self {
            since: now,
            told: Told::new(fresh, now),
            basis,
            was_paused: false,
            before: Vec::new(),
        }
    }

    /// The line stands still: whatever is told next may be later.
    pub fn pause(&mut self) {
        self.was_paused = true;
    }

    /// Takes in the newest forecast. Returns the reason if the wait got longer.
    pub fn update(
        &mut self,
        fresh: &Interval,
        basis: Forecast,
        now: Timestamp,
    ) -> Option<SlipReason> {
        let fresh = Told::new(fresh, now);
        let slips = fresh.likely > self.told.likely.plus(UNNOTICED);
        let reason = if slips {
            self.reason(&basis, now)
        } else {
            None
        };
        if slips && reason.is_none() {
            return None;
        }
        self.was_paused = false;
        let moved = fresh.likely.since(self.told.likely) + self.told.likely.since(fresh.likely);
        if moved > UNNOTICED {
            self.remember();
            self.told = fresh;
        } else {
            (self.told.low, self.told.high) = (fresh.low, fresh.high);
        }
        if slips || basis.long_rate > self.basis.long_rate {
            self.basis = basis;
        }
        reason
    }

    /// What the fan is shown now.
    pub fn interval(&self, now: Timestamp) -> Interval {
        Interval {
            low: self.told.low.since(now),
            likely: self.told.likely.since(now),
            high: self.told.high.since(now),
        }
    }

    /// Compares all that was told with the turn that came.
    pub fn score(&self, admitted_at: Timestamp) -> Score {
        let told = self.before.iter().chain([&self.told]);
        let (mut given, mut held) = (0, 0);
        for one in told.clone() {
            given += 1;
            held += u32::from(one.low <= admitted_at && admitted_at <= one.high);
        }
        let half_way = self.since.millis() + (admitted_at.millis() - self.since.millis()) / 2;
        let half_way = Timestamp::from_millis(half_way);
        let then = told.take_while(|one| one.at <= half_way).last();
        let then = *then.unwrap_or(&self.told);
        let remaining = admitted_at.since(half_way).as_secs_f64().max(1.0);
        let off = (then.likely.millis() - admitted_at.millis()) as f64 / 1000.0;
        let outcome = if admitted_at < then.low {
            Outcome::Early
        } else if admitted_at > then.high {
            Outcome::Late
        } else {
            Outcome::Held
        };
        Score {
            given,
            held,
            half_way: outcome,
            half_way_error: off.abs() / remaining,
        }
    }

    fn reason(&self, basis: &Forecast, now: Timestamp) -> Option<SlipReason> {
        let floor = 1.0 - NOTABLE_SHARE;
        if self.was_paused {
            Some(SlipReason::Paused)
        } else if basis.long_rate < self.basis.long_rate * floor
            || basis.short_rate < self.basis.short_rate * floor
        {
            Some(SlipReason::Slower)
        } else if basis.presence * floor > self.basis.presence {
            Some(SlipReason::MoreCameBack)
        } else if now > self.told.likely {
            // The time told is over: it went slower than it looked.
            Some(SlipReason::Slower)
        } else {
            None
        }
    }

    fn remember(&mut self) {
        if self.before.len() == MAX_REMEMBERED {
            let mut keep = false;
            self.before.retain(|_| {
                keep = !keep;
                keep
            });
        }
        self.before.push(self.told);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const BASIS: Forecast = Forecast {
        short_rate: 10.0,
        long_rate: 10.0,
        deviation: 0.05,
        presence: 0.8,
        stragglers: 0.0,
        returning: 0.0,
        leaving: 0.0,
        width: 1.0,
    };

    fn at(second: u64) -> Timestamp {
        Timestamp::default().plus(Duration::from_secs(second))
    }

    fn promise(ahead: u32) -> Promise {
        Promise::new(&BASIS.wait(ahead).unwrap(), BASIS, at(0))
    }

    #[test]
    fn without_a_reason_the_time_told_never_slips() {
        let mut promise = promise(6_000);
        let before = promise.interval(at(0)).likely;
        let more = BASIS.wait(6_400).unwrap();
        assert_eq!(promise.update(&more, BASIS, at(1)), None);
        assert_eq!(promise.interval(at(0)).likely, before);
        let fewer = BASIS.wait(5_000).unwrap();
        assert_eq!(promise.update(&fewer, BASIS, at(2)), None);
        assert!(promise.interval(at(2)).likely < before);
    }

    #[test]
    fn each_slip_has_its_reason() {
        let slower = Forecast {
            short_rate: 5.0,
            long_rate: 8.0,
            ..BASIS
        };
        let fuller = Forecast {
            presence: 1.0,
            ..BASIS
        };
        let slip = |basis: Forecast, paused: bool, now| {
            let mut promise = promise(6_000);
            if paused {
                promise.pause();
            }
            promise.update(&basis.wait(6_000).unwrap(), basis, at(now))
        };
        assert_eq!(slip(slower, false, 1), Some(SlipReason::Slower));
        assert_eq!(slip(fuller, false, 1), Some(SlipReason::MoreCameBack));
        assert_eq!(slip(BASIS, true, 60), Some(SlipReason::Paused));
        assert_eq!(slip(BASIS, false, 60), None);
        assert_eq!(slip(BASIS, false, 3_600), Some(SlipReason::Slower));
    }

    #[test]
    fn the_score_looks_at_the_half_way_point() {
        let promise = promise(6_000); // 480 s
        let kept = promise.score(at(490));
        assert_eq!((kept.given, kept.held), (1, 1));
        assert_eq!(kept.half_way, Outcome::Held);
        assert!(kept.half_way_error < 0.05, "{kept:?}");
        assert_eq!(promise.score(at(100)).half_way, Outcome::Early);
        let late = promise.score(at(960));
        assert_eq!((late.half_way, late.held), (Outcome::Late, 0));
        assert!((late.half_way_error - 1.0).abs() < 0.01, "{late:?}");
    }
}
