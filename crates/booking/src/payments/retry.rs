//! When to ask a provider again: at most three times, within ten seconds, and
//! never all at the same moment. Pure.

use std::time::Duration;

/// Calls in all, the first included.
pub const MAX_ATTEMPTS: u32 = 3;
/// From the first call to the end of the last.
pub const WITHIN: Duration = Duration::from_secs(10);
/// The longest pause before the second call; it doubles with each further one.
pub const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// The pause before the next call, or `None` when it is enough. `jitter` is
/// random in 0..1 and spreads callers over the upper half of the pause.
pub fn pause_after(attempt: u32, elapsed: Duration, jitter: f64) -> Option<Duration> {
    if attempt >= MAX_ATTEMPTS {
        return None;
    }
    let longest = FIRST_PAUSE * 2u32.saturating_pow(attempt.saturating_sub(1));
    let pause = longest.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0);
    (elapsed + pause < WITHIN).then_some(pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_spread() {
        let millis = |attempt, jitter| pause_after(attempt, Duration::ZERO, jitter);
        assert_eq!(millis(1, 0.0), Some(Duration::from_millis(100)));
        assert_eq!(millis(1, 1.0), Some(Duration::from_millis(200)));
        assert_eq!(millis(2, 0.0), Some(Duration::from_millis(200)));
        assert_eq!(millis(2, 1.0), Some(Duration::from_millis(400)));
    }

    #[test]
    fn it_ends_after_three_calls_or_ten_seconds() {
        assert_eq!(pause_after(MAX_ATTEMPTS, Duration::ZERO, 0.5), None);
        assert_eq!(pause_after(1, WITHIN, 0.0), None);
        let nearly = WITHIN - Duration::from_millis(100);
        assert_eq!(pause_after(1, nearly, 0.0), None);
    }
}
