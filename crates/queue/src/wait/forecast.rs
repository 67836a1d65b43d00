//! The line played forward for one place in it. Those ahead who are here are let in
//! one after the other; meanwhile some of them go away, some of the absent come back
//! and stand before the fan again, some give up. The turn comes when nobody who is
//! here stands before the fan:
//!
//! `dP/dt = -rate - (going + leaving) P + returning A`,
//! `dA/dt = going P - (returning + leaving) A`, until `P = 0`.

use std::time::Duration;

use super::pace::Pace;
use super::people::Habits;
use super::rate::Surplus;

/// P10 and P90 lie so many standard deviations from P50.
const Z_90: f64 = 1.2816;
/// No forecast is better than this, whatever the past looked like.
const LEAST_SPREAD: f64 = 0.05;
/// Releases and the news of them come in ticks of a second.
pub(super) const TICK_S: f64 = 1.0;
/// Of the time that one person takes, the fan's own turn comes in the middle.
const OWN_TURN: f64 = 0.5;
/// The time that those present now would take is played in so many steps.
const STEPS: f64 = 100.0;
/// Then it is played on, in growing steps, no further than this.
const MAX_STEPS: u32 = 400;
const STEP_GROWTH: f64 = 1.02;
const SHORTEST_STEP_S: f64 = 0.1;
const LONGEST_WAIT_S: f64 = 7.0 * 24.0 * 3600.0;
/// The rate's noise is measured in stretches of so many seconds.
pub(super) const STRETCH_S: f64 = 10.0;

/// Who stands before a fan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ahead {
    pub here: f64,
    pub away: f64,
}

/// What is known of a lane's next hours.
#[derive(Clone, Debug)]
pub(super) struct Forecast {
    /// In the long run, and what it has more or less now.
    pub pace: Pace,
    pub surplus: Surplus,
    pub habits: Habits,
    /// Relative deviation of a stretch's releases from the pace.
    pub noise: f64,
    /// Relative variance that the pace's wandering adds in a second of waiting.
    pub wander: f64,
    /// How much wider than computed intervals must be to hold.
    pub width: f64,
}

/// How long a fan still waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// P10: one fan in ten waits less.
    pub low: Duration,
    /// P50.
    pub likely: Duration,
    /// P90: one fan in ten waits longer.
    pub high: Duration,
}

impl Forecast {
    /// `None` while nobody is let in.
    pub fn wait(&self, ahead: Ahead) -> Option<Interval> {
        let seconds = self.seconds(ahead)?;
        let spread = self.spread(seconds, ahead) * self.width;
        let factor = (Z_90 * spread).exp();
        let span = |s: f64| Duration::from_secs_f64(s.clamp(0.0, LONGEST_WAIT_S));
        Some(Interval {
            low: span(seconds / factor - TICK_S),
            likely: span(seconds),
            high: span(seconds * factor + TICK_S),
        })
    }

    fn seconds(&self, ahead: Ahead) -> Option<f64> {
        if self.pace.now() <= 0.0 {
            return None;
        }
        let Habits {
            going,
            returning,
            leaving,
        } = self.habits;
        let (mut here, mut away, mut now) = (ahead.here + OWN_TURN, ahead.away, 0.0);
        // Nobody comes or goes more than once in a step.
        let longest = 0.5 / (going + returning + leaving).max(1e-9);
        let mut step = (here / self.pace.now() / STEPS).max(SHORTEST_STEP_S);
        for _ in 0..MAX_STEPS {
            let span = step.min(longest);
            let (went, came) = (going * here * span, returning * away * span);
            let served = self.pace.at(now) * self.surplus.factor(now) * span;
            let after = here - served - went + came - leaving * here * span;
            if after <= 0.0 {
                return Some(now + span * here / (here - after));
            }
            away = (away + went - came - leaving * away * span).max(0.0);
            (here, now, step) = (after, now + span, step * STEP_GROWTH);
        }
        // More come back than are let in, or nearly: all of them stand before the fan.
        Some((now + (here + away) / self.pace.at(now)).min(LONGEST_WAIT_S))
    }

    /// Relative standard deviation of the wait: the noise over the time to come, the
    /// wandering of the rate, and the luck of few.
    fn spread(&self, seconds: f64, ahead: Ahead) -> f64 {
        let noise = self.noise * (STRETCH_S / seconds.max(STRETCH_S)).sqrt();
        let few = 0.5 / (ahead.here + ahead.away + 1.0).sqrt();
        let variance =
            LEAST_SPREAD * LEAST_SPREAD + noise * noise + self.wander * seconds + few * few;
        variance.sqrt().min(1.5)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn steady() -> Forecast {
        Forecast {
            pace: Pace::steady(10.0),
            surplus: Surplus::default(),
            habits: Habits::default(),
            noise: 0.05,
            wander: 0.0,
            width: 1.0,
        }
    }

    fn likely(forecast: &Forecast, here: f64, away: f64) -> f64 {
        let wait = forecast.wait(Ahead { here, away }).unwrap();
        wait.likely.as_secs_f64()
    }

    #[test]
    fn a_steady_line_is_told_its_wait() {
        let wait = steady()
            .wait(Ahead {
                here: 5_999.0,
                away: 0.0,
            })
            .unwrap();
        assert!(wait.likely.abs_diff(Duration::from_secs(600)) < Duration::from_secs(1));
        assert!(wait.low < wait.likely && wait.likely < wait.high);
        assert!(wait.high < Duration::from_secs(720), "{wait:?}");
    }

    #[test]
    fn the_absent_are_waited_for_only_if_they_come_back() {
        let stays_away = steady();
        assert!((likely(&stays_away, 3_000.0, 3_000.0) - 300.0).abs() < 1.0);
        let mut comes_back = steady();
        comes_back.habits.returning = 1.0;
        assert!((likely(&comes_back, 3_000.0, 3_000.0) - 600.0).abs() < 3.0);
        // After 300 s all but e^-3 of them are back; after 440 s nearly all.
        comes_back.habits.returning = 0.01;
        let wait = likely(&comes_back, 3_000.0, 3_000.0);
        assert!((590.0..600.0).contains(&wait), "{wait}");
    }

    #[test]
    fn who_leaves_or_goes_away_shortens_the_wait() {
        let mut leaving = steady();
        leaving.habits.leaving = 0.001;
        // ln(1 + 0.6) / 0.001
        assert!((likely(&leaving, 6_000.0, 0.0) - 470.0).abs() < 3.0);
        let mut going = steady();
        going.habits.going = 0.001;
        assert!((likely(&going, 6_000.0, 0.0) - 470.0).abs() < 3.0);
    }

    #[test]
    fn a_line_that_stands_still_has_no_wait_to_tell() {
        let still = Forecast {
            pace: Pace::steady(0.0),
            ..steady()
        };
        assert_eq!(
            still.wait(Ahead {
                here: 10.0,
                away: 0.0
            }),
            None
        );
    }

    #[test]
    fn a_crowd_that_comes_back_faster_than_it_is_served_still_has_an_end() {
        let mut flood = steady();
        flood.habits = Habits {
            going: 0.5,
            returning: 0.5,
            leaving: 0.0,
        };
        let wait = likely(&flood, 2_000.0, 2_000.0);
        assert!((300.0..500.0).contains(&wait), "{wait}");
    }
}
