//! What a lane's leader announces, and what it means for a fan with so many ahead.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use usher_base::InvalidId;

use super::meter::{BUCKET_S, LONG_WINDOW_S, SHORT_WINDOW_S};

/// P90 lies so many standard deviations above P50.
const Z_90: f64 = 1.2816;
/// No forecast is better than this, whatever the past looked like.
const LEAST_SPREAD: f64 = 0.13;
/// So many standard deviations make half a change of the rate.
const CHANGE_SIGMAS: f64 = 0.7;
/// Releases and the news of them come in ticks of a second.
const TICK_S: f64 = 1.0;
/// Halvings in the search for the wait: to a 16,000th of the longest possible.
const HALVINGS: usize = 14;
const LONGEST_WAIT_S: f64 = 7.0 * 24.0 * 3600.0;

/// A lane as measured, small enough to be announced each tick.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// Fans released a second, over the last minute and over the last four.
    pub short_rate: f64,
    pub long_rate: f64,
    /// Relative deviation of the rate between stretches of ten seconds.
    pub deviation: f64,
    /// Share of those behind the front of the line who are present. The absent are
    /// passed over when the front reaches them, and served when they come back.
    pub presence: f64,
    /// Passed over and still in line.
    pub stragglers: f64,
    /// Share of the stragglers that comes back each second.
    pub returning: f64,
    /// Share of the line that gives up each second.
    pub leaving: f64,
    /// How much wider than computed the intervals must be to hold.
    pub width: f64,
}

/// How long a fan still waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    /// P10: one fan in ten waits less.
    pub low: Duration,
    /// P50.
    pub likely: Duration,
    /// P90: one fan in ten waits longer.
    pub high: Duration,
}

impl Forecast {
    /// The wait of a fan with `ahead` living numbers before theirs; `None` while
    /// nobody is being released.
    pub fn wait(&self, ahead: u32) -> Option<Interval> {
        let ahead = f64::from(ahead);
        let rate = self.rate()?;
        // Who is ahead and absent when the turn comes is not waited for, and how many
        // that will be hangs on the wait itself: the shorter, the fewer came back.
        let queue_after = |seconds| (ahead - self.stragglers_after(seconds, rate)).max(0.0) + 1.0;
        let (mut too_short, mut too_long) = (0.0, self.until_served(ahead + 1.0, rate));
        for _ in 0..HALVINGS {
            let middle = (too_short + too_long) / 2.0;
            if self.until_served(queue_after(middle), rate) > middle {
                too_short = middle;
            } else {
                too_long = middle;
            }
        }
        let seconds = too_long;
        let queue = queue_after(seconds);
        let spread = self.spread(seconds, queue) * self.width;
        let factor = (Z_90 * spread).exp();
        let span = |s: f64| Duration::from_secs_f64(s.clamp(0.0, LONGEST_WAIT_S));
        Some(Interval {
            low: span(seconds / factor - TICK_S),
            likely: span(seconds),
            high: span(seconds * factor + 2.0 * TICK_S),
        })
    }

    /// People who give up shorten the line while one waits: dq/dt = -rate - leaving q.
    fn until_served(&self, queue: f64, rate: f64) -> f64 {
        let seconds = if self.leaving * queue > 1e-3 * rate {
            (1.0 + self.leaving * queue / rate).ln() / self.leaving
        } else {
            queue / rate
        };
        seconds.min(LONGEST_WAIT_S)
    }

    /// The front passes absent people over, who come back at their own pace and are
    /// served then: dR/dt = rate (1 - presence) / presence - returning R / presence.
    fn stragglers_after(&self, seconds: f64, rate: f64) -> f64 {
        let presence = self.presence.max(0.01);
        let passed_over = rate * (1.0 - presence) / presence;
        let back = self.returning / presence;
        let faded = (-back * seconds).exp();
        // (1 - e^-bt) / b goes to t as b goes to 0.
        let gathered = if back * seconds > 1e-6 {
            (1.0 - faded) / back
        } else {
            seconds
        };
        self.stragglers * faded + passed_over * gathered
    }

    /// The mean of the longer window, unless the last minute differs by more than
    /// noise can: then the rate has changed, and the longer window tells of the past.
    fn rate(&self) -> Option<f64> {
        if self.long_rate <= 0.0 {
            return None;
        }
        let noise = (self.deviation * (BUCKET_S / SHORT_WINDOW_S).sqrt()).max(1e-6);
        let sigmas = self.trend() / noise;
        let changed = sigmas * sigmas / (sigmas * sigmas + CHANGE_SIGMAS * CHANGE_SIGMAS);
        let rate = self.short_rate * changed + self.long_rate * (1.0 - changed);
        (rate > 0.0).then_some(rate)
    }

    /// How the last minute compares with the longer window, as a logarithm.
    fn trend(&self) -> f64 {
        (self.short_rate.max(1e-9) / self.long_rate).ln()
    }

    /// Relative standard deviation of the wait: noise over the time to come, the
    /// error of the measured mean, a trend, and the few fans of a short line.
    fn spread(&self, seconds: f64, queue: f64) -> f64 {
        let noise = self.deviation * (BUCKET_S / seconds.max(BUCKET_S)).sqrt();
        let error =
            self.deviation * (BUCKET_S / seconds.clamp(SHORT_WINDOW_S, LONG_WINDOW_S)).sqrt();
        let trend = self.trend();
        let few = 0.5 / queue.sqrt();
        let parts = [LEAST_SPREAD, noise, error, trend, few];
        parts
            .iter()
            .map(|part| part * part)
            .sum::<f64>()
            .sqrt()
            .min(1.5)
    }
}

/// Eight numbers and spaces, as the event's meta keeps it.
impl fmt::Display for Forecast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            short_rate,
            long_rate,
            deviation,
            presence,
            stragglers,
            returning,
            leaving,
            width,
        } = self;
        write!(
            f,
            "{short_rate} {long_rate} {deviation} {presence} {stragglers} {returning} \
             {leaving} {width}"
        )
    }
}

impl FromStr for Forecast {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let bad = || InvalidId("forecast");
        let mut parts = text.split(' ').map(|part| part.parse::<f64>());
        let mut next = || match parts.next() {
            Some(Ok(value)) if value.is_finite() && value >= 0.0 => Ok(value),
            _ => Err(bad()),
        };
        Ok(Self {
            short_rate: next()?,
            long_rate: next()?,
            deviation: next()?,
            presence: next()?,
            stragglers: next()?,
            returning: next()?,
            leaving: next()?,
            width: next()?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const STEADY: Forecast = Forecast {
        short_rate: 10.0,
        long_rate: 10.0,
        deviation: 0.1,
        presence: 1.0,
        stragglers: 0.0,
        returning: 0.0,
        leaving: 0.0,
        width: 1.0,
    };

    #[test]
    fn it_survives_text() {
        let read: Forecast = STEADY.to_string().parse().unwrap();
        assert_eq!(read, STEADY);
        for bad in ["", "1 2 3", "1 1 1 1 1 1 1 NaN", "1 1 1 1 1 1 1 -2"] {
            assert!(bad.parse::<Forecast>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_steady_line_is_told_its_wait() {
        let wait = STEADY.wait(5_999).unwrap();
        assert_eq!(wait.likely, Duration::from_secs(600));
        assert!(wait.low < wait.likely && wait.likely < wait.high);
        assert!(wait.high < Duration::from_secs(720), "{wait:?}");
        let behind = STEADY.wait(20_000).unwrap();
        assert!(behind.low > wait.high);
    }

    #[test]
    fn the_absent_are_waited_for_only_if_they_come_back() {
        let half = Forecast {
            presence: 0.5,
            ..STEADY
        };
        let likely = |forecast: Forecast| forecast.wait(6_000).unwrap().likely;
        let near = |s| move |span: Duration| span.abs_diff(Duration::from_secs(s)).as_secs() < 3;
        assert!(near(300)(likely(half)));
        // All of them back within a second or so: nobody is passed over for long.
        let back_at_once = Forecast {
            returning: 1.0,
            ..half
        };
        assert!(near(600)(likely(back_at_once)));
        // A minute of absence each: 10 a second times half times 60 s are missing.
        let back_soon = Forecast {
            returning: 1.0 / 60.0,
            ..half
        };
        assert!(near(570)(likely(back_soon)));
    }

    #[test]
    fn those_who_leave_shorten_the_wait() {
        let leaving = Forecast {
            leaving: 0.001,
            ..STEADY
        };
        let shorter = leaving.wait(6_000).unwrap().likely;
        // ln(1 + 0.6) / 0.001
        assert!(shorter.abs_diff(Duration::from_secs(470)) < Duration::from_secs(2));
    }

    #[test]
    fn a_line_that_stands_still_has_no_wait_to_tell() {
        let still = Forecast {
            short_rate: 0.0,
            long_rate: 0.0,
            ..STEADY
        };
        assert_eq!(still.wait(10), None);
    }
}
