//! The inner loop: the booking core protects itself. A limit of requests in flight that follows latency against the
//! calibrated service time (a gradient law), and lets commits pass before holds and holds before browsing.
//! The caller counts requests in flight; this decides.

use serde::{Deserialize, Serialize};

use super::tuning::Tuning;

/// What a request is worth when not all can be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Looking around.
    Browse,
    /// Taking seats.
    Hold,
    /// Paying: refused last.
    Commit,
}

/// The limit and nothing else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Limiter {
    limit: f64,
}

impl Limiter {
    /// Starts about where it would settle for a backend that serves so many requests at once.
    pub fn new(tuning: &Tuning, servers_guess: f64) -> Self {
        let limit = super::signals::sane(servers_guess) * tuning.limit_tolerance;
        Self {
            limit: limit.clamp(tuning.limit_min, tuning.limit_max),
        }
    }

    /// Requests in flight allowed now.
    pub fn limit(&self) -> f64 {
        self.limit
    }

    /// Whether one more request of this kind may start.
    pub fn admits(&self, priority: Priority, in_flight: u32, tuning: &Tuning) -> bool {
        let share = match priority {
            Priority::Browse => tuning.browse_share_of_limit,
            Priority::Hold => tuning.hold_share_of_limit,
            Priority::Commit => 1.0,
        };
        f64::from(in_flight) < (share * self.limit).max(1.0)
    }

    /// Retry-After in ms for a refused request; `jitter` is random in 0..1, so that the refused do not come back
    /// together.
    pub fn retry_after_ms(jitter: f64, tuning: &Tuning) -> u32 {
        let jitter = if jitter.is_finite() {
            jitter.clamp(0.0, 1.0)
        } else {
            0.5
        };
        (tuning.retry_after_ms * (0.5 + jitter)) as u32
    }

    /// Moves the limit; every 250 ms, with the median latency and the most requests in flight since the last time.
    /// Without load latency says nothing about the limit, so it stays.
    pub fn tick(&mut self, p50_ms: Option<f64>, peak_in_flight: u32, tuning: &Tuning) {
        let Some(p50_ms) = p50_ms.filter(|p50| p50.is_finite() && *p50 > 0.0) else {
            return;
        };
        if f64::from(peak_in_flight) < self.limit / 2.0 {
            return;
        }
        let gradient = (tuning.limit_tolerance * tuning.service_ms / p50_ms).clamp(0.5, 1.0);
        let next = gradient * self.limit + self.limit.sqrt();
        self.limit = (0.8 * self.limit + 0.2 * next).clamp(tuning.limit_min, tuning.limit_max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_pass_before_holds_before_browsing() {
        let tuning = Tuning::default();
        let limiter = Limiter { limit: 100.0 };
        let admits = |priority, in_flight| limiter.admits(priority, in_flight, &tuning);
        assert!(admits(Priority::Browse, 79) && !admits(Priority::Browse, 80));
        assert!(admits(Priority::Hold, 89) && !admits(Priority::Hold, 90));
        assert!(admits(Priority::Commit, 99) && !admits(Priority::Commit, 100));
    }

    #[test]
    fn the_limit_settles_where_latency_is_about_twice_the_service_time() {
        // 20 servers of 100 ms: with L in flight the median is L / 20 * 100 ms.
        let tuning = Tuning::default();
        for start in [4.0, 900.0] {
            let mut limiter = Limiter { limit: start };
            for _ in 0..400 {
                let p50 = 100.0 * (limiter.limit() / 20.0).max(1.0);
                limiter.tick(Some(p50), limiter.limit() as u32, &tuning);
            }
            assert!(
                (38.0..55.0).contains(&limiter.limit()),
                "L = {}",
                limiter.limit()
            );
        }
    }

    #[test]
    fn it_stays_without_load_and_bounded_whatever_comes() {
        let tuning = Tuning::default();
        let mut limiter = Limiter { limit: 40.0 };
        limiter.tick(Some(10_000.0), 3, &tuning);
        assert_eq!(limiter.limit(), 40.0);
        for p50 in [
            Some(f64::NAN),
            Some(0.0),
            Some(1e300),
            Some(f64::MIN_POSITIVE),
            None,
        ] {
            for _ in 0..500 {
                limiter.tick(p50, u32::MAX, &tuning);
                assert!((tuning.limit_min..=tuning.limit_max).contains(&limiter.limit()));
            }
        }
        assert_eq!(Limiter::new(&tuning, f64::NAN).limit(), tuning.limit_min);
    }

    #[test]
    fn retry_after_is_jittered_by_half_either_way() {
        let tuning = Tuning::default();
        assert_eq!(Limiter::retry_after_ms(0.0, &tuning), 1_000);
        assert_eq!(Limiter::retry_after_ms(1.0, &tuning), 3_000);
        assert_eq!(Limiter::retry_after_ms(f64::NAN, &tuning), 2_000);
    }
}
