//! A latency histogram that can travel: child processes send theirs to the parent
//! as plain pairs of value and count.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Largest value kept apart, in microseconds (ten minutes); longer ones count as this.
const MICROS_MAX: u64 = 600_000_000;
const SIGNIFICANT_DIGITS: u8 = 3;

#[derive(Debug, Clone)]
pub struct Spread(Histogram<u64>);

/// What a report shows of a spread, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub count: u64,
    pub p50_ms: f64,
    pub p95_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
}

impl Default for Spread {
    fn default() -> Self {
        let histogram = Histogram::new_with_bounds(1, MICROS_MAX, SIGNIFICANT_DIGITS);
        Self(histogram.expect("constant bounds that the histogram allows"))
    }
}

impl Spread {
    pub fn record(&mut self, duration: Duration) {
        self.record_micros(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX), 1);
    }

    fn record_micros(&mut self, micros: u64, count: u64) {
        // Saturating never fails: the value is brought within the bounds first.
        self.0
            .saturating_record_n(micros.clamp(1, MICROS_MAX), count);
    }

    pub fn merge(&mut self, other: &Self) {
        for step in other.0.iter_recorded() {
            self.record_micros(step.value_iterated_to(), step.count_at_value());
        }
    }

    pub fn count(&self) -> u64 {
        self.0.len()
    }

    pub fn quantile_ms(&self, quantile: f64) -> f64 {
        self.0.value_at_quantile(quantile) as f64 / 1000.0
    }

    pub fn summary(&self) -> Summary {
        if self.0.is_empty() {
            return Summary::default();
        }
        Summary {
            count: self.0.len(),
            p50_ms: self.quantile_ms(0.50),
            p95_ms: self.quantile_ms(0.95),
            p99_ms: self.quantile_ms(0.99),
            max_ms: self.0.max() as f64 / 1000.0,
        }
    }
}

impl Serialize for Spread {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(
            self.0
                .iter_recorded()
                .map(|step| (step.value_iterated_to(), step.count_at_value())),
        )
    }
}

impl<'de> Deserialize<'de> for Spread {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut spread = Self::default();
        for (micros, count) in Vec::<(u64, u64)>::deserialize(deserializer)? {
            spread.record_micros(micros, count);
        }
        Ok(spread)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn travelling_and_merging_keep_every_count_and_the_percentiles() {
        let mut here = Spread::default();
        for millis in 1..=1000 {
            here.record(Duration::from_millis(millis));
        }
        let mut there: Spread =
            serde_json::from_str(&serde_json::to_string(&here).unwrap()).unwrap();
        there.merge(&here);
        let summary = there.summary();
        assert_eq!(summary.count, 2000);
        assert!((summary.p50_ms - 500.0).abs() < 2.0, "{summary:?}");
        assert!((summary.p99_ms - 990.0).abs() < 2.0, "{summary:?}");
    }
}
