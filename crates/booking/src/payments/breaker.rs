//! A circuit breaker: when the provider fails several times in a row it is
//! left alone for a while, so that fans hear "try again in a minute" at once
//! instead of waiting for a timeout each. Pure.

use std::time::Duration;

use usher_base::Timestamp;

/// Consecutive failures after which the breaker opens.
pub const FAILURES_TO_OPEN: u32 = 5;
/// How long it then stays open.
pub const OPEN_FOR: Duration = Duration::from_secs(60);

/// Closed while `failures` is small. When the time is over one call is let
/// through to try; its outcome decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Breaker {
    failures: u32,
    shut_until: Option<Timestamp>,
}

impl Breaker {
    /// Whether a call may go out now; if not, how long to wait.
    pub fn admit(&mut self, now: Timestamp) -> Result<(), Duration> {
        match self.shut_until {
            Some(until) if now < until => Err(until.since(now)),
            Some(_) => {
                // The next caller waits for the outcome of this one.
                self.shut_until = Some(now.plus(OPEN_FOR));
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// How much longer no call goes out, asked without making one.
    pub fn shut_for(&self, now: Timestamp) -> Option<Duration> {
        let until = self.shut_until.filter(|until| now < *until)?;
        Some(until.since(now))
    }

    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    pub fn failed(&mut self, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= FAILURES_TO_OPEN {
            self.shut_until = Some(now.plus(OPEN_FOR));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_000_000);

    fn opened() -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..FAILURES_TO_OPEN {
            assert_eq!(breaker.admit(START), Ok(()));
            breaker.failed(START);
        }
        breaker
    }

    #[test]
    fn it_opens_after_five_failures_in_a_row() {
        let mut breaker = Breaker::default();
        for _ in 0..3 {
            for _ in 0..FAILURES_TO_OPEN - 1 {
                breaker.failed(START);
            }
            breaker.succeeded();
        }
        assert_eq!(breaker.admit(START), Ok(()));
        assert_eq!(breaker.shut_for(START), None);
        assert_eq!(opened().admit(START), Err(OPEN_FOR));
        assert_eq!(opened().shut_for(START), Some(OPEN_FOR));
    }

    #[test]
    fn after_a_minute_one_call_tries() {
        let mut breaker = opened();
        let almost = START.plus(OPEN_FOR - Duration::from_millis(1));
        assert_eq!(breaker.admit(almost), Err(Duration::from_millis(1)));
        let later = START.plus(OPEN_FOR);
        assert_eq!(breaker.admit(later), Ok(()));
        assert_eq!(breaker.admit(later), Err(OPEN_FOR));
        breaker.succeeded();
        assert_eq!(breaker.admit(later), Ok(()));
    }

    #[test]
    fn one_more_failure_opens_it_again() {
        let mut breaker = opened();
        let later = START.plus(OPEN_FOR);
        assert_eq!(breaker.admit(later), Ok(()));
        breaker.failed(later);
        assert_eq!(breaker.admit(later), Err(OPEN_FOR));
    }
}
