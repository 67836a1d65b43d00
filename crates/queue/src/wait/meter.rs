//! Measuring a lane, tick by tick: its rate and how much that varies, who is
//! present, how many give up.

use std::collections::VecDeque;

use usher_base::Timestamp;

use super::forecast::Forecast;

/// The rate is looked at in stretches of so many seconds: long enough that the
/// pacing within them does not count as variance.
pub(super) const BUCKET_S: f64 = 10.0;
pub(super) const SHORT_WINDOW_S: f64 = 60.0;
pub(super) const LONG_WINDOW_S: f64 = 240.0;
const SHORT_BUCKETS: usize = 6;
const LONG_BUCKETS: usize = 24;
/// Before so many stretches have passed, what the admission announces counts more.
const ENOUGH_BUCKETS: usize = 3;
const LEAST_DEVIATION: f64 = 0.02;
/// Of an unmeasured line.
const FIRST_DEVIATION: f64 = 0.5;
/// Presence and leaving are smoothed over about this.
const SMOOTHING_S: f64 = 60.0;
/// Edges tell of a new crowd a few seconds after it came; before, it looks absent.
const SEEN_AFTER_S: f64 = 6.0;
const RETURNS_SMOOTHING_S: f64 = 600.0;

/// What one tick of one lane showed.
#[derive(Clone, Copy, Debug, Default)]
pub struct TickCounts {
    pub released: u32,
    /// Of those, how many had been passed over before: numbers below the front,
    /// which is the largest number ever released.
    pub returned: u32,
    pub waiting: u32,
    pub present: u32,
    /// Living numbers below the front.
    pub stragglers: u32,
    /// Gave up, or were given up, since the last tick.
    pub left: u32,
}

#[derive(Debug)]
pub struct RateMeter {
    /// Releases a second of each full stretch, the newest last.
    buckets: VecDeque<f64>,
    open: Bucket,
    observed_at: Option<Timestamp>,
    /// How long there has been a line; `None` while nobody waits.
    line_age_s: Option<f64>,
    presence: Option<f64>,
    stragglers: u32,
    returns: Returns,
    leaving: f64,
}

/// Returns and the time that stragglers were away, older ones fading. Begins
/// with the guess that an absence lasts five minutes.
#[derive(Debug)]
struct Returns {
    count: f64,
    away_seconds: f64,
}

impl Default for Returns {
    fn default() -> Self {
        Self {
            count: 3.0,
            away_seconds: 900.0,
        }
    }
}

impl Returns {
    fn observe(&mut self, returned: u32, stragglers: u32, elapsed: f64) {
        let keep = (-elapsed / RETURNS_SMOOTHING_S).exp();
        // The first guess fades only as it is replaced by what was seen.
        let seen = f64::from(stragglers) * elapsed;
        if self.away_seconds * keep + seen > 900.0 {
            self.count *= keep;
            self.away_seconds *= keep;
        }
        self.count += f64::from(returned);
        self.away_seconds += seen;
    }
}

#[derive(Debug, Default)]
struct Bucket {
    seconds: f64,
    released: f64,
}

impl Default for RateMeter {
    fn default() -> Self {
        Self {
            buckets: VecDeque::with_capacity(LONG_BUCKETS),
            open: Bucket::default(),
            observed_at: None,
            line_age_s: None,
            presence: None,
            stragglers: 0,
            returns: Returns::default(),
            leaving: 0.0,
        }
    }
}

impl RateMeter {
    /// Takes in one tick of an open event.
    pub fn observe(&mut self, counts: TickCounts, now: Timestamp) {
        let age = self.line_age_s.take();
        self.line_age_s = (counts.waiting > 0).then_some(0.0);
        let elapsed = match self.observed_at.replace(now) {
            Some(before) => now.since(before).as_secs_f64(),
            None => return,
        };
        if let (Some(age), Some(_)) = (age, self.line_age_s) {
            self.line_age_s = Some(age + elapsed);
            self.observe_rate(counts, elapsed);
        }
        if elapsed > 0.0 {
            self.observe_people(counts, elapsed);
        }
    }

    /// Only while there is a line: few served because few came is no slow rate.
    fn observe_rate(&mut self, counts: TickCounts, elapsed: f64) {
        self.open.seconds += elapsed;
        self.open.released += f64::from(counts.released);
        if self.open.seconds >= BUCKET_S {
            if self.buckets.len() == LONG_BUCKETS {
                self.buckets.pop_front();
            }
            self.buckets
                .push_back(self.open.released / self.open.seconds);
            self.open = Bucket::default();
        }
    }

    fn observe_people(&mut self, counts: TickCounts, elapsed: f64) {
        self.returns
            .observe(counts.returned, counts.stragglers, elapsed);
        self.stragglers = counts.stragglers;
        let weight = 1.0 - (-elapsed / SMOOTHING_S).exp();
        if counts.waiting > 0 {
            let left = f64::from(counts.left) / f64::from(counts.waiting) / elapsed;
            self.leaving += weight * (left - self.leaving);
        }
        let behind = counts.waiting.saturating_sub(counts.stragglers);
        if behind > 0 && self.line_age_s >= Some(SEEN_AFTER_S) {
            let present = (f64::from(counts.present) / f64::from(behind)).min(1.0);
            let presence = self.presence.unwrap_or(present);
            self.presence = Some(presence + weight * (present - presence));
        }
    }

    /// A pause is no slow rate: the time until the next tick does not count.
    pub fn interrupt(&mut self) {
        self.observed_at = None;
    }

    /// `announced` is the rate the admission aims at, for the time before enough
    /// was measured; `width` comes from the scorer.
    pub fn forecast(&self, announced: Option<f64>, width: f64) -> Forecast {
        let measured = self.buckets.len() >= ENOUGH_BUCKETS;
        let (short_rate, long_rate) = match announced {
            Some(rate) if !measured => (rate, rate),
            _ => (self.mean(SHORT_BUCKETS), self.mean(LONG_BUCKETS)),
        };
        Forecast {
            short_rate,
            long_rate,
            deviation: if measured {
                self.deviation().max(LEAST_DEVIATION)
            } else {
                FIRST_DEVIATION
            },
            presence: self.presence.unwrap_or(1.0),
            stragglers: f64::from(self.stragglers),
            returning: self.returns.count / self.returns.away_seconds,
            leaving: self.leaving,
            width,
        }
    }

    fn mean(&self, last: usize) -> f64 {
        let count = self.buckets.len().min(last);
        if count == 0 {
            return 0.0;
        }
        self.buckets.iter().rev().take(last).sum::<f64>() / count as f64
    }

    /// Relative to the mean; neighbours are compared, so that a slow change of
    /// the rate, which the short mean follows, does not count as noise.
    fn deviation(&self) -> f64 {
        let mean = self.mean(LONG_BUCKETS);
        let pairs = self.buckets.len().saturating_sub(1);
        if pairs == 0 || mean <= 0.0 {
            return FIRST_DEVIATION;
        }
        let neighbours = self.buckets.iter().zip(self.buckets.iter().skip(1));
        let squares: f64 = neighbours.map(|(a, b)| (a - b) * (a - b)).sum();
        (squares / (2.0 * pairs as f64)).sqrt() / mean
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn run(meter: &mut RateMeter, from_s: u64, seconds: u64, counts: TickCounts) {
        for second in from_s..from_s + seconds {
            let now = Timestamp::default().plus(Duration::from_secs(second));
            meter.observe(counts, now);
        }
    }

    const TICK: TickCounts = TickCounts {
        released: 5,
        waiting: 1_000,
        present: 600,
        returned: 1,
        stragglers: 100,
        left: 1,
    };

    #[test]
    fn it_measures_rate_presence_and_leaving() {
        let mut meter = RateMeter::default();
        run(&mut meter, 0, 400, TICK);
        let forecast = meter.forecast(None, 1.0);
        assert!((forecast.short_rate - 5.0).abs() < 0.01, "{forecast:?}");
        assert!((forecast.long_rate - 5.0).abs() < 0.01);
        assert!((forecast.presence - 0.667).abs() < 0.001, "600 of the 900");
        assert!((forecast.returning - 0.01).abs() < 0.000_5);
        assert!((forecast.leaving - 0.001).abs() < 0.000_05);
        assert!(forecast.deviation < 0.05);
    }

    #[test]
    fn a_pause_is_not_measured() {
        let mut meter = RateMeter::default();
        run(&mut meter, 0, 100, TICK);
        meter.interrupt();
        run(&mut meter, 700, 100, TICK);
        let forecast = meter.forecast(None, 1.0);
        assert!((forecast.long_rate - 5.0).abs() < 0.01, "{forecast:?}");
    }

    #[test]
    fn an_empty_line_is_no_slow_rate() {
        let mut meter = RateMeter::default();
        run(&mut meter, 0, 100, TICK);
        run(&mut meter, 100, 200, TickCounts::default());
        run(&mut meter, 300, 20, TICK);
        let forecast = meter.forecast(None, 1.0);
        assert!((forecast.short_rate - 5.0).abs() < 0.01, "{forecast:?}");
        assert!((forecast.long_rate - 5.0).abs() < 0.01);
    }

    #[test]
    fn a_crowd_that_no_edge_has_told_of_yet_is_not_taken_for_absent() {
        let mut meter = RateMeter::default();
        let unseen = TickCounts {
            present: 0,
            stragglers: 0,
            ..TICK
        };
        run(&mut meter, 0, 4, unseen);
        assert!(meter.forecast(None, 1.0).presence > 0.9);
    }

    #[test]
    fn the_announced_rate_counts_until_enough_is_known() {
        let mut meter = RateMeter::default();
        run(&mut meter, 0, 15, TICK);
        assert!((meter.forecast(Some(8.0), 1.0).long_rate - 8.0).abs() < 1e-9);
        run(&mut meter, 15, 60, TICK);
        assert!((meter.forecast(Some(8.0), 1.0).long_rate - 5.0).abs() < 0.01);
    }
}
