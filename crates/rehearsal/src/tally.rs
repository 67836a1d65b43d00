//! What one process counted: latencies by call, error codes, and a row a second.
//! Tallies of several processes add up to one.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::spread::Spread;

/// Most seconds of one rehearsal that get a row of their own.
pub const SECONDS_MAX: usize = 4 * 3600;
/// Most different answers that are told apart; the rest count as `other`.
const CODES_MAX: usize = 200;
/// Most reasons for showing no wait that are told apart.
const REASONS_MAX: usize = 20;
/// An answer slower than this makes its second a strained one, in milliseconds.
pub const SLOW_MS: u64 = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    Join,
    Stream,
    Place,
    Leave,
    Claim,
    SeatMap,
    Hold,
    GiveBack,
    Commit,
    /// A payment that the test provider is asked to be slow with, or to lose.
    SlowCommit,
    Order,
    Finish,
}

impl Call {
    pub fn name(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Stream => "open stream",
            Self::Place => "poll place",
            Self::Leave => "leave",
            Self::Claim => "claim",
            Self::SeatMap => "seat map",
            Self::Hold => "hold",
            Self::GiveBack => "give back",
            Self::Commit => "pay",
            Self::SlowCommit => "pay, slow bank",
            Self::Order => "see order",
            Self::Finish => "leave the shop",
        }
    }

    /// Slow payments are played by the test provider and strain nobody.
    fn can_strain(self) -> bool {
        !matches!(self, Self::Commit | Self::SlowCommit | Self::Order)
    }
}

/// How a call ended, as far as load goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Good,
    /// A fair no: the seat is taken, the card declined, the token wrong.
    Answered,
    /// Refused early: 429, or 503 with `Retry-After`.
    Refused,
    /// No answer, a broken one, or a 5xx.
    Failed,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct CallTally {
    pub good: u64,
    pub answered: u64,
    pub refused: u64,
    pub failed: u64,
    pub spread: Spread,
}

impl CallTally {
    pub fn total(&self) -> u64 {
        self.good + self.answered + self.refused + self.failed
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Second {
    pub arrivals: u64,
    pub joins: u64,
    pub admissions: u64,
    pub requests: u64,
    pub slow: u64,
    pub refused: u64,
    pub failed: u64,
    pub holds: u64,
    pub conflicts: u64,
    pub orders: u64,
    pub waiting: u64,
    pub streams_open: u64,
    pub rate_shown_sum: f64,
    pub rate_shown_count: u64,
}

impl Second {
    fn add(&mut self, other: &Self) {
        self.arrivals += other.arrivals;
        self.joins += other.joins;
        self.admissions += other.admissions;
        self.requests += other.requests;
        self.slow += other.slow;
        self.refused += other.refused;
        self.failed += other.failed;
        self.holds += other.holds;
        self.conflicts += other.conflicts;
        self.orders += other.orders;
        self.waiting += other.waiting;
        self.streams_open += other.streams_open;
        self.rate_shown_sum += other.rate_shown_sum;
        self.rate_shown_count += other.rate_shown_count;
    }

    /// The mean `rate_per_minute` that fans were shown in this second.
    pub fn rate_shown(&self) -> Option<f64> {
        (self.rate_shown_count > 0).then(|| self.rate_shown_sum / self.rate_shown_count as f64)
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Tally {
    pub calls: BTreeMap<Call, CallTally>,
    /// `"hold 409 seat_unavailable"` -> how often.
    pub codes: BTreeMap<String, u64>,
    pub seconds: Vec<Second>,
    pub push_lag: Spread,
    /// How long requests waited for a connection of the tool's own.
    pub slot_wait: Spread,
    /// How late the tool sent fans off, against the curve.
    pub start_lag: Spread,
    /// How late the tool looked at its own gauges: when the whole machine stands
    /// still, nothing else would tell.
    pub sample_lag: Spread,
    pub frames: u64,
    pub frames_garbled: u64,
    pub streams_lost: u64,
    /// How often fans in an open line were shown a wait, and why not how often.
    #[serde(default)]
    pub waits_shown: u64,
    #[serde(default)]
    pub waits_not_shown: BTreeMap<String, u64>,
}

impl Tally {
    pub fn second(&mut self, at_ms: u64) -> &mut Second {
        let index = usize::try_from(at_ms / 1000)
            .map_or(SECONDS_MAX - 1, |second| second.min(SECONDS_MAX - 1));
        if index >= self.seconds.len() {
            self.seconds.resize(index + 1, Second::default());
        }
        &mut self.seconds[index]
    }

    pub fn call(&mut self, at_ms: u64, call: Call, outcome: Outcome, took: Duration) {
        let entry = self.calls.entry(call).or_default();
        match outcome {
            Outcome::Good => entry.good += 1,
            Outcome::Answered => entry.answered += 1,
            Outcome::Refused => entry.refused += 1,
            Outcome::Failed => entry.failed += 1,
        }
        entry.spread.record(took);
        let is_slow = call.can_strain() && took > Duration::from_millis(SLOW_MS);
        let second = self.second(at_ms);
        second.requests += 1;
        second.slow += u64::from(is_slow);
        second.refused += u64::from(outcome == Outcome::Refused);
        second.failed += u64::from(outcome == Outcome::Failed);
    }

    pub fn code(&mut self, code: String) {
        count_one(&mut self.codes, code, CODES_MAX);
    }

    pub fn no_wait(&mut self, reason: Option<&str>) {
        let reason = reason.unwrap_or("no reason").to_owned();
        count_one(&mut self.waits_not_shown, reason, REASONS_MAX);
    }

    pub fn merge(&mut self, other: &Self) {
        for (call, theirs) in &other.calls {
            let ours = self.calls.entry(*call).or_default();
            ours.good += theirs.good;
            ours.answered += theirs.answered;
            ours.refused += theirs.refused;
            ours.failed += theirs.failed;
            ours.spread.merge(&theirs.spread);
        }
        for (code, count) in &other.codes {
            *self.codes.entry(code.clone()).or_default() += count;
        }
        for (reason, count) in &other.waits_not_shown {
            *self.waits_not_shown.entry(reason.clone()).or_default() += count;
        }
        self.waits_shown += other.waits_shown;
        for (index, second) in other.seconds.iter().enumerate() {
            self.second(index as u64 * 1000).add(second);
        }
        self.push_lag.merge(&other.push_lag);
        self.slot_wait.merge(&other.slot_wait);
        self.start_lag.merge(&other.start_lag);
        self.sample_lag.merge(&other.sample_lag);
        self.frames += other.frames;
        self.frames_garbled += other.frames_garbled;
        self.streams_lost += other.streams_lost;
    }
}

fn count_one(counts: &mut BTreeMap<String, u64>, what: String, most: usize) {
    let is_new = !counts.contains_key(&what);
    let key = if is_new && counts.len() >= most {
        "other".to_owned()
    } else {
        what
    };
    *counts.entry(key).or_default() += 1;
}

/// A few numbers for the live line, small enough to send every second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    pub arrived: u64,
    pub joined: u64,
    pub waiting: u64,
    pub streams: u64,
    pub admitted: u64,
    pub holds: u64,
    pub conflicts: u64,
    pub orders: u64,
    pub failed: u64,
    pub done: u64,
}

impl Live {
    pub fn add(&mut self, other: &Self) {
        self.arrived += other.arrived;
        self.joined += other.joined;
        self.waiting += other.waiting;
        self.streams += other.streams;
        self.admitted += other.admitted;
        self.holds += other.holds;
        self.conflicts += other.conflicts;
        self.orders += other.orders;
        self.failed += other.failed;
        self.done += other.done;
    }
}

/// The tally that all fans of a process share, and the live numbers beside it.
#[derive(Debug, Default)]
pub struct Meter(Mutex<(Tally, Live)>);

impl Meter {
    pub fn with<T>(&self, change: impl FnOnce(&mut Tally, &mut Live) -> T) -> T {
        let mut guard = self.lock();
        let (tally, live) = &mut *guard;
        change(tally, live)
    }

    pub fn live(&self) -> Live {
        self.lock().1
    }

    pub fn tally(&self) -> Tally {
        self.lock().0.clone()
    }

    fn lock(&self) -> MutexGuard<'_, (Tally, Live)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn tallies_of_processes_add_up_after_travelling() {
        let mut here = Tally::default();
        here.call(500, Call::Join, Outcome::Good, Duration::from_millis(3));
        here.call(1500, Call::Hold, Outcome::Failed, Duration::from_secs(2));
        here.call(1500, Call::Commit, Outcome::Good, Duration::from_secs(2));
        here.code("hold 500 internal".into());
        let mut sum: Tally = serde_json::from_str(&serde_json::to_string(&here).unwrap()).unwrap();
        sum.merge(&here);
        assert_eq!(sum.calls[&Call::Join].good, 2);
        assert_eq!(sum.codes["hold 500 internal"], 2);
        assert_eq!(sum.seconds[1].failed, 2);
        assert_eq!(sum.seconds[1].slow, 2, "a slow payment strains nobody");
        assert_eq!(sum.calls[&Call::Hold].spread.count(), 2);
    }

    #[test]
    fn seconds_and_codes_stay_bounded() {
        let mut tally = Tally::default();
        tally.second(u64::MAX).joins += 1;
        assert_eq!(tally.seconds.len(), SECONDS_MAX);
        for code in 0..1000 {
            tally.code(format!("join 400 c{code}"));
        }
        assert_eq!(tally.codes.len(), CODES_MAX + 1);
        assert_eq!(tally.codes.values().sum::<u64>(), 1000);
    }
}
