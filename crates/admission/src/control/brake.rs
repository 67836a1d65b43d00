//! The brake without memory: one second's look at the backend that stops this second's release, whatever the rest
//! of the law wants. It changes no state, so a hiccup costs a second and not a minute.

use serde::{Deserialize, Serialize};

use super::signals::Signals;
use super::tuning::Tuning;

/// What stepped on the brake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BrakeCause {
    /// p99 of the last second.
    Latency,
    /// Rejects and errors of the last second.
    Refusals,
    /// Redis answers slowly.
    Redis,
    /// Postgres answers slowly.
    Postgres,
    /// Requests wait for a database connection.
    Pool,
}

/// The brake itself has no state.
#[derive(Debug, Clone, Copy)]
pub struct Brake;

impl Brake {
    /// Whether this second's signals call for it, and why.
    pub fn look(signals: &Signals, target_p99_ms: f64, tuning: &Tuning) -> Option<BrakeCause> {
        let above = |value: Option<f64>, limit: f64| value.is_some_and(|v| v > limit);
        if above(signals.p99_ms, tuning.brake_p99 * target_p99_ms) {
            return Some(BrakeCause::Latency);
        }
        // Without Postgres payments are refused, however few people are inside.
        if !signals.postgres_away && signals.refused_share() > tuning.brake_refused_share {
            return Some(BrakeCause::Refusals);
        }
        if above(signals.redis_probe_ms, tuning.brake_redis_ms) {
            return Some(BrakeCause::Redis);
        }
        if above(signals.postgres_probe_ms, tuning.brake_postgres_ms) {
            return Some(BrakeCause::Postgres);
        }
        above(signals.pool_wait_ms, tuning.brake_pool_wait_ms).then_some(BrakeCause::Pool)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_brakes_and_calm_does_not() {
        let tuning = Tuning::default();
        let look = |signals: Signals| Brake::look(&signals, 600.0, &tuning);
        let calm = Signals {
            completed: 100.0,
            p99_ms: Some(700.0),
            ..Signals::default()
        };
        assert_eq!(look(calm.clone()), None);
        assert_eq!(
            look(Signals {
                p99_ms: Some(721.0),
                ..calm.clone()
            }),
            Some(BrakeCause::Latency)
        );
        assert_eq!(
            look(Signals {
                rejects: 6.0,
                ..calm.clone()
            }),
            Some(BrakeCause::Refusals)
        );
        assert_eq!(
            look(Signals {
                errors: 6.0,
                ..calm.clone()
            }),
            Some(BrakeCause::Refusals)
        );
        assert_eq!(
            look(Signals {
                rejects: 6.0,
                postgres_away: true,
                ..calm.clone()
            }),
            None
        );
        assert_eq!(
            look(Signals {
                redis_probe_ms: Some(51.0),
                ..calm.clone()
            }),
            Some(BrakeCause::Redis)
        );
        let postgres = Signals {
            postgres_probe_ms: Some(251.0),
            ..calm.clone()
        };
        assert_eq!(look(postgres), Some(BrakeCause::Postgres));
        assert_eq!(
            look(Signals {
                pool_wait_ms: Some(251.0),
                ..calm
            }),
            Some(BrakeCause::Pool)
        );
    }
}
