//! When a fan without a stream shall ask again: sooner near the front, later
//! when many ask, and never all at once. Pure.

use std::time::Duration;

/// Nobody polls more often than this, not even at the front.
const SHORTEST: Duration = Duration::from_secs(2);
/// Shorter than a poll counts as presence, even with the jitter on top.
const LONGEST: Duration = Duration::from_secs(30);
/// Before there are numbers nothing changes from second to second.
const WITHOUT_NUMBER: Duration = Duration::from_secs(10);
/// Each so many people ahead let the next poll wait a second longer.
const AHEAD_PER_SECOND: u32 = 200;
/// Polls of one event that a process is asked for in a second, as far as `LONGEST` allows.
const POLLS_PER_SECOND: usize = 1_000;
/// Of the wait, at random on top.
const JITTER: f64 = 0.2;

/// For a fan with so many ahead, while so many ask this process; `random` is in [0, 1).
pub fn after(ahead: Option<u32>, pollers: usize, random: f64) -> Duration {
    let by_place = ahead.map_or(WITHOUT_NUMBER, |ahead| {
        SHORTEST + Duration::from_secs((ahead / AHEAD_PER_SECOND).into())
    });
    let by_load = Duration::from_secs_f64(pollers as f64 / POLLS_PER_SECOND as f64);
    let wait = by_place.max(by_load).min(LONGEST);
    wait.mul_f64(1.0 + JITTER * random)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(ahead: Option<u32>, pollers: usize) -> f64 {
        after(ahead, pollers, 0.0).as_secs_f64()
    }

    #[test]
    fn the_nearer_the_sooner() {
        assert!((seconds(Some(0), 1) - 2.0).abs() < 1e-9);
        assert!((seconds(Some(2_000), 1) - 12.0).abs() < 1e-9);
        assert!((seconds(Some(1_000_000), 1) - 30.0).abs() < 1e-9);
        assert!((seconds(None, 1) - 10.0).abs() < 1e-9);
    }

    #[test]
    fn many_who_ask_are_spread_and_stay_present() {
        assert!((seconds(Some(0), 20_000) - 20.0).abs() < 1e-9);
        let latest = after(Some(0), 1_000_000, 0.999);
        assert!(latest < super::super::connected::POLL_COUNTS_FOR);
    }

    #[test]
    fn two_fans_at_one_place_do_not_ask_at_one_moment() {
        assert_ne!(after(Some(0), 1, 0.1), after(Some(0), 1, 0.9));
    }
}
