//! How long a wait will be, as an interval from what the line truly did in the
//! last minute. Pure.

use usher_admission::Flow;

use crate::answers::WaitInterval;

/// Seconds that must have been seen before anything is said.
const LEAST_SECONDS: u32 = 5;
/// Slower than one person in ten minutes is no rate to count on.
const LEAST_PER_SECOND: f64 = 1.0 / 600.0;
/// Standard deviations from the median to the ninetieth percentile.
const Z90: f64 = 1.2816;
/// The rate itself will change while the fan waits: as a share of the wait.
const DRIFT: f64 = 0.15;
/// A turn is told with the next tick.
const TICK_SECONDS: f64 = 1.0;

/// Half of the fans with so many ahead wait at most `low`, nine of ten at most `high`.
pub fn wait_for(ahead: u32, flow: Flow) -> Option<WaitInterval> {
    if flow.seconds < LEAST_SECONDS || flow.per_second < LEAST_PER_SECOND {
        return None;
    }
    let turns = f64::from(ahead) + 1.0;
    let median = turns / flow.per_second;
    // Releases of different seconds vary independently: their variance adds up.
    let spread = (median * flow.variance).sqrt() / flow.per_second;
    let high = median + Z90 * spread.hypot(DRIFT * median) + TICK_SECONDS;
    Some(WaitInterval {
        low: median.round() as u64,
        high: high.ceil() as u64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(per_second: f64, variance: f64) -> Flow {
        Flow {
            per_second,
            variance,
            seconds: 60,
        }
    }

    #[test]
    fn nothing_is_said_before_anything_was_seen() {
        assert_eq!(wait_for(10, Flow::default()), None);
        assert_eq!(wait_for(10, flow(0.0, 0.0)), None);
    }

    #[test]
    fn the_median_is_people_by_rate_and_the_rest_is_honest_doubt() {
        let steady = wait_for(599, flow(10.0, 0.0)).expect("a rate is known");
        assert_eq!(steady.low, 60);
        let jumpy = wait_for(599, flow(10.0, 400.0)).expect("a rate is known");
        assert_eq!(jumpy.low, 60);
        assert!(jumpy.high > steady.high && steady.high > 60);
    }
}
