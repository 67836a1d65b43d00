//! Which rate to try next: rising by half while the backend bears it, then halving
//! the gap between the best that it bore and the least that it did not. Pure.

/// The next try after a good one.
const RISE: f64 = 1.5;
/// Halvings of the gap; three leave it within 6 % of the rise.
const HALVINGS: u32 = 3;
/// Share refused that a good step may have.
const REFUSED_MAX: f64 = 0.01;
/// A median above so many times the quietest one, and above that share of the target,
/// is of a queue.
const QUEUED_TIMES: f64 = 3.0;
const QUEUED_SHARE: f64 = 0.125;
/// A step that served less of what was asked was held up somewhere.
const SERVED_MIN: f64 = 0.95;

pub struct Ramp {
    max: f64,
    good: Option<f64>,
    bad: Option<f64>,
    halvings_left: u32,
    next: Option<f64>,
}

impl Ramp {
    pub fn new(from: f64, max: f64) -> Self {
        Self {
            max,
            good: None,
            bad: None,
            halvings_left: HALVINGS,
            next: Some(from.min(max)),
        }
    }

    /// Requests/s to try; `None` when enough is known.
    pub fn next(&self) -> Option<f64> {
        self.next
    }

    /// Takes how the last try went.
    pub fn take(&mut self, tried: f64, is_good: bool) {
        if is_good {
            self.good = Some(tried);
        } else {
            self.bad = Some(tried);
        }
        self.next = match (self.good, self.bad) {
            (Some(good), None) if good >= self.max => None,
            (Some(good), None) => Some((good * RISE).min(self.max)),
            (Some(good), Some(bad)) => self.halve(good, bad),
            // Not even the first: look below it, as often as above.
            (None, Some(bad)) => self.halve(0.0, bad),
            (None, None) => self.next,
        };
    }

    fn halve(&mut self, good: f64, bad: f64) -> Option<f64> {
        self.halvings_left = self.halvings_left.checked_sub(1)?;
        Some((good + bad) / 2.0)
    }
}

/// Whether the backend bore a step.
pub fn is_borne(asked: f64, served: f64, refused_share: f64, p99_ms: f64, target_ms: f64) -> bool {
    refused_share <= REFUSED_MAX && served >= SERVED_MIN * asked && p99_ms <= target_ms
}

/// Whether requests waited for each other: in a short step a queue that grows is not
/// slow yet, but its median stands out from that of the quietest step.
pub fn has_queued(p50_ms: f64, quietest_p50_ms: f64, target_ms: f64) -> bool {
    p50_ms > QUEUED_TIMES * quietest_p50_ms && p50_ms > QUEUED_SHARE * target_ms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(capacity: f64, from: f64, max: f64) -> (Option<f64>, usize) {
        let (mut ramp, mut steps) = (Ramp::new(from, max), 0);
        while let Some(rate) = ramp.next() {
            ramp.take(rate, rate <= capacity);
            steps += 1;
        }
        (ramp.good, steps)
    }

    #[test]
    fn it_comes_close_from_below_in_few_steps() {
        for capacity in [12.0, 100.0, 730.0] {
            let (good, steps) = found(capacity, 10.0, 10_000.0);
            let good = good.unwrap_or_default();
            assert!(
                good <= capacity && good > 0.9 * capacity,
                "{good} of {capacity}"
            );
            assert!(steps < 20, "{steps} steps");
        }
    }

    #[test]
    fn the_bound_is_kept_and_a_weak_backend_is_found_below_the_start() {
        assert_eq!(found(1e9, 10.0, 40.0).0, Some(40.0));
        let (good, _) = found(4.0, 10.0, 40.0);
        assert!(good.is_some_and(|good| good <= 4.0 && good > 2.0));
        assert_eq!(found(0.0, 10.0, 40.0).0, None);
    }

    #[test]
    fn slow_refused_and_held_up_steps_are_not_borne() {
        assert!(is_borne(100.0, 99.0, 0.0, 200.0, 600.0));
        assert!(!is_borne(100.0, 99.0, 0.0, 601.0, 600.0));
        assert!(!is_borne(100.0, 99.0, 0.02, 200.0, 600.0));
        assert!(!is_borne(100.0, 80.0, 0.0, 200.0, 600.0));
    }

    #[test]
    fn a_queue_is_seen_in_the_median_and_noise_is_none() {
        assert!(has_queued(160.0, 20.0, 600.0));
        assert!(!has_queued(50.0, 20.0, 600.0));
        // Four times nearly nothing is nearly nothing.
        assert!(!has_queued(8.0, 2.0, 600.0));
    }
}
