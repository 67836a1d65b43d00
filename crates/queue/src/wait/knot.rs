//! What one number was told of its turn, then and now. The turn moves forward freely
//! and back only for a reason, which is told as well.

use std::time::Duration;

use usher_base::{Number, Timestamp};

use super::forecast::Interval;
use super::outlook::{Point, SlipReason};

/// News is told if it is more than this share of the wait, and than this part of the
/// interval. What is told stays meanwhile: to follow good news only would tell the
/// best that was ever thought, which is too short.
const NOTABLE_SHARE: f64 = 0.05;
const NOTABLE_PART: f64 = 0.1;
/// However wide the interval became after large changes, more than this share is news.
const MOST_NOTABLE_SHARE: f64 = 0.1;
/// Good news is told when it is this part of what bad news must be: it is the more
/// frequent, because people ahead give up, and what is told would stay behind it.
const GOOD_NEWS: f64 = 0.5;
/// A shift that nobody would notice on a page; of good news, half of it.
pub(super) const UNNOTICED_S: f64 = 1.0;
/// A reason is told this long: longer than from one poll to the next.
const REASON_TOLD: Duration = Duration::from_secs(40);
/// Tellings remembered of one number; then every second one is forgotten.
const MAX_REMEMBERED: usize = 48;
/// A change of the presence that is a reason.
const NOTABLE_AWAY: f64 = 0.02;

/// What a promise was made from, to name what changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Basis {
    pub per_second: f64,
    /// Share of the line that is away.
    pub away: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Told {
    pub at: Timestamp,
    pub low: Timestamp,
    pub likely: Timestamp,
    pub high: Timestamp,
}

#[derive(Debug)]
pub(super) struct Knot {
    pub number: Number,
    pub since: Timestamp,
    told: Told,
    basis: Basis,
    slipped: Option<(SlipReason, Timestamp)>,
    before: Vec<Told>,
}

impl Knot {
    pub fn new(number: Number, told: Told, basis: Basis) -> Self {
        Self {
            number,
            since: told.at,
            told,
            basis,
            slipped: None,
            before: Vec::new(),
        }
    }

    pub fn update(&mut self, fresh: Told, basis: Basis, was_paused: bool) {
        let now = fresh.at;
        let later_s = (fresh.likely.millis() - self.told.likely.millis()) as f64 / 1_000.0;
        let wait_s = fresh.likely.since(now).as_secs_f64();
        let doubt_s = fresh.high.since(fresh.low).as_secs_f64();
        let of_doubt_s = (doubt_s * NOTABLE_PART).min(wait_s * MOST_NOTABLE_SHARE);
        let notable_s = (wait_s * NOTABLE_SHARE).max(of_doubt_s).max(UNNOTICED_S);
        if later_s > notable_s {
            let reason = self.reason(basis, was_paused);
            self.replace(fresh, basis);
            self.slipped = Some((reason, now));
        } else if later_s < -notable_s * GOOD_NEWS {
            let slipped = self.slipped;
            self.replace(fresh, basis);
            self.slipped = slipped;
        } else {
            let likely = self.told.likely;
            // The bounds lie around it as they do now; the later one only comes nearer.
            let low = likely.millis() - (fresh.likely.millis() - fresh.low.millis());
            let high = likely.plus(fresh.high.since(fresh.likely));
            self.remember(Told {
                at: now,
                low: Timestamp::from_millis(low),
                likely,
                high: high.min(self.told.high).max(likely),
            });
        }
    }

    /// What was told before counts no longer.
    pub fn replace(&mut self, fresh: Told, basis: Basis) {
        self.remember(fresh);
        self.basis = basis;
        self.slipped = None;
    }

    fn reason(&self, basis: Basis, was_paused: bool) -> SlipReason {
        if was_paused {
            SlipReason::Paused
        } else if basis.per_second < self.basis.per_second * (1.0 - NOTABLE_SHARE) {
            SlipReason::Slower
        } else if basis.away + NOTABLE_AWAY < self.basis.away {
            SlipReason::MoreCameBack
        } else {
            // It went slower than it looked.
            SlipReason::Slower
        }
    }

    fn remember(&mut self, told: Told) {
        let is_as_remembered = self.before.last().is_some_and(|last| {
            let moved = |of: fn(&Told) -> Timestamp| of(last).millis().abs_diff(of(&told).millis());
            let unnoticed = (UNNOTICED_S * 1_000.0) as u64;
            moved(|told| told.likely) < unnoticed && moved(|told| told.high) < unnoticed
        });
        if !is_as_remembered {
            if self.before.len() == MAX_REMEMBERED {
                let mut keep = false;
                self.before.retain(|_| {
                    keep = !keep;
                    keep
                });
            }
            self.before.push(self.told);
        }
        self.told = told;
    }

    /// What was in force then; the first telling for the time before it.
    pub fn told_at(&self, then: Timestamp) -> &Told {
        if self.told.at <= then {
            return &self.told;
        }
        let told = self.before.partition_point(|one| one.at <= then);
        self.before
            .get(told.saturating_sub(1))
            .unwrap_or(&self.told)
    }

    pub fn point(&self, now: Timestamp) -> Point {
        let slipped = self.slipped.filter(|(_, at)| now.since(*at) < REASON_TOLD);
        Point {
            number: self.number,
            low: self.told.low,
            likely: self.told.likely,
            high: self.told.high,
            slipped: slipped.map(|(reason, _)| reason),
        }
    }
}

impl Told {
    pub fn new(interval: &Interval, now: Timestamp) -> Self {
        Self {
            at: now,
            low: now.plus(interval.low),
            likely: now.plus(interval.likely),
            high: now.plus(interval.high),
        }
    }
}
