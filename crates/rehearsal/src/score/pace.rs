//! Admissions against the rate that fans were shown, counted only in seconds in
//! which enough fans waited to fill it: a short line breaks no promise.

use serde::{Deserialize, Serialize};

use crate::tally::Second;

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    pub admitted: u64,
    /// Seconds in which a rate was shown and enough fans waited to fill it.
    pub seconds: u64,
    pub per_second: f64,
    pub shown_per_second: f64,
    /// Admitted against shown; 1 is exactly as promised.
    pub ratio: Option<f64>,
    pub busiest_second: u64,
}

pub fn score(seconds: &[Second]) -> Pace {
    let mut pace = Pace::default();
    let (mut admitted, mut shown) = (0.0, 0.0);
    for second in seconds {
        pace.admitted += second.admissions;
        pace.busiest_second = pace.busiest_second.max(second.admissions);
        let rate = second.rate_shown().map(|per_minute| per_minute / 60.0);
        if let Some(rate) = rate.filter(|rate| second.waiting as f64 >= *rate && second.waiting > 0)
        {
            pace.seconds += 1;
            admitted += second.admissions as f64;
            shown += rate;
        }
    }
    if pace.seconds > 0 {
        pace.per_second = admitted / pace.seconds as f64;
        pace.shown_per_second = shown / pace.seconds as f64;
        pace.ratio = (shown > 0.0).then(|| admitted / shown);
    }
    pace
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_line_is_not_held_against_the_rate() {
        let busy = Second {
            admissions: 8,
            waiting: 50,
            rate_shown_sum: 1200.0,
            rate_shown_count: 2,
            ..Second::default()
        };
        let short = Second { waiting: 3, ..busy };
        let pace = score(&[
            busy,
            busy,
            Second {
                admissions: 0,
                ..short
            },
        ]);
        assert_eq!(
            (pace.admitted, pace.seconds, pace.busiest_second),
            (16, 2, 8)
        );
        assert_eq!(pace.shown_per_second, 10.0);
        assert_eq!(pace.ratio, Some(0.8));
    }
}
