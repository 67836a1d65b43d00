//! The operator's word: paused > manual rate > min / max rate > auto. It is valid at once and may end by itself.

use serde::{Deserialize, Serialize};

/// Who decides the rate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The control law.
    #[default]
    Auto,
    /// The operator, by `rate_per_minute`.
    Manual,
    /// Nobody is let in.
    Paused,
}

/// What the operator set. Rates are people a minute.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// Who decides.
    pub mode: Mode,
    /// The rate in manual mode.
    pub rate_per_minute: Option<f64>,
    /// In auto at least this rate, even against latency; never against pause, stock or lost signals.
    pub min_rate_per_minute: Option<f64>,
    /// In auto at most this rate.
    pub max_rate_per_minute: Option<f64>,
    /// At most so many people inside and on their way, in every mode.
    pub max_inside: Option<u64>,
    /// Target for p99 in ms instead of the tuned one.
    pub target_p99_ms: Option<f64>,
    /// Caution towards the last seats (z) instead of the tuned one: higher lets fewer people try
    /// for them, negative more than they are likely to serve.
    pub stock_caution: Option<f64>,
    /// When mode and rates end, in Unix ms. Cap, target, caution and dry run are standing settings and stay.
    pub expires_at_ms: Option<u64>,
    /// Auto only shows what it would do and lets nobody in.
    pub dry_run: bool,
}

/// Why a policy cannot be taken.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PolicyError {
    /// Manual without a rate.
    #[error("Manual mode needs rate_per_minute: set how many people a minute to let in.")]
    RateMissing,
    /// A number out of range.
    #[error("{0} must be a number from 0 to 1000000.")]
    OutOfRange(&'static str),
    /// The target is no latency.
    #[error("target_p99_ms must be a number from 10 to 60000.")]
    Target,
    /// The caution is none.
    #[error("stock_caution must be a number from -3 to 3.")]
    Caution,
    /// min > max.
    #[error("min_rate_per_minute is above max_rate_per_minute: lower one or raise the other.")]
    Crossed,
}

impl Policy {
    /// Highest rate that can be set, people a minute.
    const RATE_MAX: f64 = 1e6;

    /// Checks what came from outside before it is stored; the law relies on it.
    pub fn validate(&self) -> Result<(), PolicyError> {
        for (name, rate) in [
            ("rate_per_minute", self.rate_per_minute),
            ("min_rate_per_minute", self.min_rate_per_minute),
            ("max_rate_per_minute", self.max_rate_per_minute),
        ] {
            if rate.is_some_and(|r| !(0.0..=Self::RATE_MAX).contains(&r)) {
                return Err(PolicyError::OutOfRange(name));
            }
        }
        if self
            .target_p99_ms
            .is_some_and(|t| !(10.0..=60_000.0).contains(&t))
        {
            return Err(PolicyError::Target);
        }
        if self
            .stock_caution
            .is_some_and(|z| !(-3.0..=3.0).contains(&z))
        {
            return Err(PolicyError::Caution);
        }
        if self.mode == Mode::Manual && self.rate_per_minute.is_none() {
            return Err(PolicyError::RateMissing);
        }
        match (self.min_rate_per_minute, self.max_rate_per_minute) {
            (Some(min), Some(max)) if min > max => Err(PolicyError::Crossed),
            _ => Ok(()),
        }
    }

    /// What is in force now: after the end of an override, auto without its rates.
    #[must_use]
    pub fn in_force(&self, now_ms: u64) -> Self {
        if self.expires_at_ms.is_none_or(|end| now_ms < end) {
            return self.clone();
        }
        Self {
            max_inside: self.max_inside,
            target_p99_ms: self.target_p99_ms,
            stock_caution: self.stock_caution,
            dry_run: self.dry_run,
            ..Self::default()
        }
    }

    /// A rate a minute as a rate a second; what is not a number is 0.
    pub(crate) fn per_second(rate_per_minute: f64) -> f64 {
        super::signals::sane(rate_per_minute).min(Self::RATE_MAX) / 60.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_override_ends_by_itself_but_caps_stay() {
        let policy = Policy {
            mode: Mode::Paused,
            min_rate_per_minute: Some(5.0),
            max_inside: Some(700),
            expires_at_ms: Some(10_000),
            ..Policy::default()
        };
        assert_eq!(policy.in_force(9_999), policy);
        let after = policy.in_force(10_000);
        assert_eq!(
            (after.mode, after.min_rate_per_minute, after.max_inside),
            (Mode::Auto, None, Some(700))
        );
    }

    #[test]
    fn nonsense_is_refused_with_a_sentence() {
        let manual = Policy {
            mode: Mode::Manual,
            ..Policy::default()
        };
        assert_eq!(manual.validate(), Err(PolicyError::RateMissing));
        let rate = |min, max| Policy {
            min_rate_per_minute: Some(min),
            max_rate_per_minute: Some(max),
            ..Policy::default()
        };
        assert_eq!(rate(10.0, 5.0).validate(), Err(PolicyError::Crossed));
        assert_eq!(
            rate(f64::NAN, 5.0).validate(),
            Err(PolicyError::OutOfRange("min_rate_per_minute"))
        );
        assert_eq!(rate(1.0, 5.0).validate(), Ok(()));
        let target = Policy {
            target_p99_ms: Some(0.0),
            ..Policy::default()
        };
        assert_eq!(target.validate(), Err(PolicyError::Target));
    }

    #[test]
    fn the_wire_form_is_the_documented_one() {
        let policy: Policy =
            serde_json::from_str(r#"{"mode": "manual", "rate_per_minute": 600}"#).unwrap();
        assert_eq!(
            (policy.mode, policy.rate_per_minute),
            (Mode::Manual, Some(600.0))
        );
    }
}
