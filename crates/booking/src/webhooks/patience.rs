//! How long an endpoint is waited for, and how often it is asked again: pauses
//! double up to a bound and are never the same for two endpoints. Pure.

use std::time::Duration;

#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// The longest pause after the first failure; it doubles with each further one.
    pub first_pause: Duration,
    pub longest_pause: Duration,
    /// For one delivery; then it is a dead letter and the next one is tried.
    pub max_attempts: u32,
    /// What waits longer, or behind more than so many newer ones, becomes a dead
    /// letter when its endpoint's turn ends.
    pub max_age: Duration,
    pub max_waiting: u32,
    pub answer_within: Duration,
    /// A process that died leaves its turn to others after this. More than
    /// `answer_within`, so that a turn does not end beneath a delivery.
    pub lease: Duration,
}

impl Default for Patience {
    /// Twenty attempts take about an hour.
    fn default() -> Self {
        Self {
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(300),
            max_attempts: 20,
            max_age: Duration::from_secs(24 * 3_600),
            // Several sold-out halls.
            max_waiting: 1_000_000,
            answer_within: Duration::from_secs(5),
            lease: Duration::from_secs(10),
        }
    }
}

impl Patience {
    /// The pause after so many failures in a row. `jitter` is random in 0..1
    /// and spreads endpoints over the upper half of the pause.
    pub fn pause_after(&self, failures: u32, jitter: f64) -> Duration {
        let doublings = failures.saturating_sub(1).min(20);
        let longest = self.first_pause * 2u32.pow(doublings);
        longest
            .min(self.longest_pause)
            .mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound_and_spread() {
        let patience = Patience::default();
        let seconds = |failures, jitter| patience.pause_after(failures, jitter).as_secs_f64();
        assert_eq!((seconds(1, 0.0), seconds(1, 1.0)), (0.5, 1.0));
        assert_eq!((seconds(4, 0.0), seconds(4, 1.0)), (4.0, 8.0));
        assert_eq!((seconds(30, 0.0), seconds(u32::MAX, 1.0)), (150.0, 300.0));
    }
}
