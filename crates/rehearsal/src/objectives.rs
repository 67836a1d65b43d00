//! What a rehearsal must reach to be a "go". Sane defaults, any of them replaced
//! by a TOML file. A goal that could not be measured is said to be so; it fails
//! the rehearsal only where nothing at all happened.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Objectives {
    /// Share of requests that may fail (no answer, a broken one, a 5xx).
    pub failed_share_max: f64,
    /// Share of fans that may be turned away for good.
    pub turned_away_share_max: f64,
    pub join_p99_ms_max: f64,
    pub hold_p99_ms_max: f64,
    pub checkout_p99_ms_max: f64,
    pub push_lag_p99_ms_max: f64,
    /// Share of shown waits that must be kept by their high end (a P90).
    pub waits_kept_share_min: f64,
    /// Median relative error of the low end (a P50).
    pub waits_median_error_max: f64,
    /// Share of the intervals shown half-way that must hold the wait that came.
    pub halfway_contained_share_min: f64,
    /// Median relative error half-way, of fans whose rate stayed as it was shown.
    pub halfway_median_error_max: f64,
    /// Share of the fans let in who were shown no wait half-way: hiding is no honesty.
    pub untold_share_max: f64,
    /// Admissions against the shown rate, at least and at most.
    pub admission_ratio_min: f64,
    pub admission_ratio_max: f64,
    pub order_violations_max: u64,
    pub oversold_max: u64,
    pub broken_orders_max: u64,
    pub cheats_through_max: u64,
    /// How late the tool itself may be; beyond it, its own figures are doubtful.
    pub tool_lag_p99_ms_max: f64,
}

impl Default for Objectives {
    fn default() -> Self {
        Self {
            failed_share_max: 0.01,
            turned_away_share_max: 0.02,
            join_p99_ms_max: 1_000.0,
            hold_p99_ms_max: 1_000.0,
            checkout_p99_ms_max: 2_000.0,
            push_lag_p99_ms_max: 1_500.0,
            waits_kept_share_min: 0.80,
            waits_median_error_max: 0.40,
            halfway_contained_share_min: 0.80,
            halfway_median_error_max: 0.10,
            untold_share_max: 0.33,
            admission_ratio_min: 0.5,
            admission_ratio_max: 1.3,
            order_violations_max: 0,
            oversold_max: 0,
            broken_orders_max: 0,
            cheats_through_max: 0,
            tool_lag_p99_ms_max: 250.0,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_file_replaces_what_it_names_and_typos_are_refused() {
        let some: Objectives = toml::from_str("join_p99_ms_max = 50.0\noversold_max = 1").unwrap();
        assert_eq!((some.join_p99_ms_max, some.oversold_max), (50.0, 1));
        assert_eq!(some.hold_p99_ms_max, Objectives::default().hold_p99_ms_max);
        assert!(toml::from_str::<Objectives>("joins_p99 = 1.0").is_err());
    }
}
