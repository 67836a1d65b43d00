//! Every constant of the law in one place, with its unit, its default and its legal range.
//! The defaults are those that pass the scenarios of `sim` (docs/admission.md says where and why they differ
//! from the first draft of the law).

use serde::{Deserialize, Serialize};

use super::delay::StageTuning;

/// The constants of outer law and inner limiter. What an operator steers by day is in `Policy`; this is for the
/// person who calibrates. While two versions run beside each other a leader may read the other's: missing fields take
/// their default, unknown ones are ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tuning {
    // What calibration (`usher calibrate`) or the operator knows before the sale.
    /// Wanted first-attempt requests/s at the start: the calibrated capacity.
    pub start_requests_per_s: f64,
    /// Requests a fan makes in one session, before it is measured.
    pub requests_per_session_prior: f64,
    /// Requests/s of one person inside, before it is measured.
    pub requests_per_inside_prior: f64,
    /// Target for p99 in ms (T) where the policy sets none.
    pub target_p99_ms: f64,

    // When is a second bad.
    /// Share of rejects and errors above which a second is bad.
    pub bad_refused_share: f64,
    /// Bad seconds among the last ten that call for a cut.
    pub cut_bad_seconds: u32,
    /// Bad seconds among the last ten at which an episode of trouble begins.
    pub episode_bad_seconds: u32,

    // Cut.
    /// A cut goes to this share of the goodput that the backend shows.
    pub cut_to: f64,
    /// ... but in one episode never below this share of the goodput before it.
    pub cut_floor: f64,
    /// A cut is realised when the people inside are at most this multiple of what is wanted.
    pub realised_inside: f64,
    /// ... or after this many seconds.
    pub realised_after_s: f64,
    /// ... or when goodput fell by this share since the cut
    pub deeper_fall: f64,
    /// ... and this many seconds passed.
    pub deeper_after_s: f64,

    /// Share of errors in a second that is an outage: it says nothing about load, so X* stays.
    pub outage_error_share: f64,

    // Ease and grow.
    /// X* is multiplied by this each second while refusals go on.
    pub ease_factor: f64,
    /// ... but never below this share of the known saturation: less than that is for a cut to say.
    pub ease_floor: f64,
    /// Share rejected over 5 s (and over 30 s) above which X* eases.
    pub ease_reject_share: f64,
    /// Share rejected over 30 s below which X* may grow.
    pub grow_reject_share: f64,
    /// Growth needs the limit to bind: 5 s goodput at least this share of X*, people inside of N*.
    pub binding_share: f64,
    /// Growth needs p99 below this share of the target.
    pub grow_p99_share: f64,
    /// No growth for this many seconds after a cut.
    pub grow_after_cut_s: f64,
    /// Growth a second while the backend was never seen saturated and p99 is below `unsaturated_p99_share`.
    pub grow_unsaturated: f64,
    /// p99 below this share of the target means that the backend is nowhere near saturation.
    pub unsaturated_p99_share: f64,
    /// Growth a second below `near_saturation` of the goodput it saturated at.
    pub grow_recovering: f64,
    /// Growth a second close to the known saturation.
    pub grow_probing: f64,
    /// Where "close to the known saturation" begins, as its share.
    pub near_saturation: f64,
    /// 20 s goodput above this multiple of the known saturation shows that the backend has grown.
    pub outgrown: f64,
    /// X* never grows above this multiple of the 10 s goodput (anti-windup).
    pub windup: f64,

    // Little's law.
    /// Time constant in seconds of requests/s and of people inside.
    pub demand_ewma_s: f64,
    /// The wanted number inside rises at most by this share a second.
    pub inside_rise: f64,
    /// Time constant in seconds with which a wanted number fades that nobody uses, down to the calibrated one.
    pub unused_fade_s: f64,
    /// Share of the gap between wanted and expected people inside that is closed each second.
    pub gap_gain: f64,
    /// k is at most this multiple of the steady release rate X* / (R (1 - p)).
    pub release_headroom: f64,
    /// Time constant in seconds of the session ends.
    pub ends_ewma_s: f64,

    // Stages.
    /// From release to claim: pick-up delay and no-shows (1 - share).
    pub claims: StageTuning,
    /// From claim to first hold: who still may hold.
    pub holds: StageTuning,

    // Brake.
    /// p99 of the last second above this multiple of the target: nobody this second.
    pub brake_p99: f64,
    /// Refused share of the last second above this: nobody this second.
    pub brake_refused_share: f64,
    /// Redis probe above this many ms: nobody this second.
    pub brake_redis_ms: f64,
    /// Postgres probe above this many ms: nobody this second.
    pub brake_postgres_ms: f64,
    /// Wait for a pooled connection above this many ms: nobody this second.
    pub brake_pool_wait_ms: f64,

    // Signal loss.
    /// Seconds without signals after which they count as lost.
    pub lost_after_s: f64,
    /// Share of the last rate that goes on at first without signals.
    pub blind_share: f64,
    /// Time constant in seconds with which the blind rate fades.
    pub blind_fade_s: f64,
    /// Seconds without signals after which nobody is let in.
    pub blind_end_s: f64,
    /// Seconds over which the rate comes back once signals are back.
    pub ramp_s: f64,

    // Stock.
    /// Standard deviations of caution towards the last seats (z).
    pub stock_z: f64,

    // Pacing.
    /// People released in one second at most, whatever the law wants.
    pub release_max_per_s: u32,

    // Inner limiter.
    /// Calibrated service time in ms (`R_cal`): measured before the sale, never learned during one.
    pub service_ms: f64,
    /// Requests in flight that are always allowed.
    pub limit_min: f64,
    /// Requests in flight that are never exceeded.
    pub limit_max: f64,
    /// Tolerated multiple of the calibrated service time before the limit shrinks.
    pub limit_tolerance: f64,
    /// Share of the limit open to holds (commits may use all of it).
    pub hold_share_of_limit: f64,
    /// Share of the limit open to browsing.
    pub browse_share_of_limit: f64,
    /// Mean Retry-After in ms; each is jittered by half of it either way. So long a refused fan asks for nothing new.
    pub retry_after_ms: f64,
}

/// A constant's name and value.
type Constant = (&'static str, f64);

/// A constant with what is legal for it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounded {
    /// The field; those of a stage begin with its name (`claims_share`).
    pub name: &'static str,
    /// What it is set to.
    pub value: f64,
    /// Smallest legal value.
    pub low: f64,
    /// Largest legal value.
    pub high: f64,
}

impl Bounded {
    const fn new(name: &'static str, value: f64, low: f64, high: f64) -> Self {
        Self {
            name,
            value,
            low,
            high,
        }
    }

    /// NaN is not.
    fn is_legal(&self) -> bool {
        (self.low..=self.high).contains(&self.value)
    }
}

/// From release to claim, before it is measured.
const CLAIMS: StageTuning = StageTuning {
    window_s: 120,
    delay_s: 8.0,
    delay_prior_of: 20.0,
    delay_forget: 0.995,
    share: 0.7,
    share_prior_of: 10.0,
    share_forget: 0.995,
    share_min: 0.1,
};

/// From claim to first hold, before it is measured.
const HOLDS: StageTuning = StageTuning {
    window_s: 600,
    delay_s: 60.0,
    delay_prior_of: 20.0,
    delay_forget: 0.998,
    share: 0.8,
    share_prior_of: 20.0,
    share_forget: 0.998,
    share_min: 0.02,
};

impl Default for Tuning {
    fn default() -> Self {
        Self {
            start_requests_per_s: 100.0,
            requests_per_session_prior: 12.0,
            requests_per_inside_prior: 0.1,
            target_p99_ms: 600.0,
            bad_refused_share: 0.03,
            cut_bad_seconds: 7,
            episode_bad_seconds: 3,
            cut_to: 0.92,
            cut_floor: 0.5,
            realised_inside: 1.08,
            realised_after_s: 60.0,
            deeper_fall: 0.3,
            deeper_after_s: 20.0,
            outage_error_share: 0.5,
            ease_factor: 0.995,
            ease_floor: 0.88,
            ease_reject_share: 0.01,
            grow_reject_share: 0.001,
            binding_share: 0.8,
            grow_p99_share: 0.9,
            grow_after_cut_s: 15.0,
            grow_unsaturated: 0.05,
            unsaturated_p99_share: 0.6,
            grow_recovering: 0.02,
            grow_probing: 0.001,
            near_saturation: 0.94,
            outgrown: 1.04,
            windup: 1.4,
            demand_ewma_s: 20.0,
            inside_rise: 0.05,
            unused_fade_s: 300.0,
            gap_gain: 0.1,
            release_headroom: 1.6,
            ends_ewma_s: 10.0,
            claims: CLAIMS,
            holds: HOLDS,
            brake_p99: 1.2,
            brake_refused_share: 0.05,
            brake_redis_ms: 50.0,
            brake_postgres_ms: 250.0,
            brake_pool_wait_ms: 250.0,
            lost_after_s: 3.0,
            blind_share: 0.5,
            blind_fade_s: 20.0,
            blind_end_s: 30.0,
            ramp_s: 10.0,
            stock_z: 1.0,
            release_max_per_s: 10_000,
            service_ms: 100.0,
            limit_min: 4.0,
            limit_max: 1000.0,
            limit_tolerance: 1.9,
            hold_share_of_limit: 0.9,
            browse_share_of_limit: 0.8,
            retry_after_ms: 2000.0,
        }
    }
}

/// A constant outside its range; the message says which and what is allowed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{} is {}; it must lie between {} and {}", .0.name, .0.value, .0.low, .0.high)]
pub struct TuningError(pub Bounded);

/// What is common to both stages; their delays and shares are bounded each by itself.
macro_rules! stage_bounds {
    ($stage:literal, $tuning:expr) => {
        [
            Bounded::new(
                concat!($stage, "_window_s"),
                f64::from($tuning.window_s),
                5.0,
                900.0,
            ),
            Bounded::new(
                concat!($stage, "_delay_prior_of"),
                $tuning.delay_prior_of,
                1.0,
                1e6,
            ),
            Bounded::new(
                concat!($stage, "_share_prior_of"),
                $tuning.share_prior_of,
                1.0,
                1e6,
            ),
            Bounded::new(
                concat!($stage, "_delay_forget"),
                $tuning.delay_forget,
                0.5,
                1.0,
            ),
            Bounded::new(
                concat!($stage, "_share_forget"),
                $tuning.share_forget,
                0.5,
                1.0,
            ),
            Bounded::new(concat!($stage, "_share_min"), $tuning.share_min, 0.01, 1.0),
        ]
    };
}

impl Tuning {
    /// Checks every constant against its range; the law relies on it.
    pub fn validate(&self) -> Result<(), TuningError> {
        let illegal = self.bounded().into_iter().find(|one| !one.is_legal());
        illegal.map_or(Ok(()), |one| Err(TuningError(one)))
    }

    /// Every constant with its range.
    pub fn bounded(&self) -> Vec<Bounded> {
        let mut all = self.of_an_event().to_vec();
        all.extend(within(&self.shares(), 0.0, 1.0));
        all.extend(within(&self.factors(), 1.0, 10.0));
        all.extend(within(&self.times(), 0.1, 3600.0));
        all.extend(within(&self.sizes(), 0.001, 1e7));
        all.extend(stage_bounds!("claims", self.claims));
        all.extend(stage_bounds!("holds", self.holds));
        let cut = f64::from(self.cut_bad_seconds);
        let episode = f64::from(self.episode_bad_seconds);
        all.extend([
            Bounded::new("stock_z", self.stock_z, -5.0, 5.0),
            Bounded::new("holds_delay_s", self.holds.delay_s, 0.1, 900.0),
            Bounded::new("holds_share", self.holds.share, 0.01, 1.0),
            Bounded::new("cut_bad_seconds", cut, 1.0, 10.0),
            Bounded::new("limit_min", self.limit_min, 1.0, self.limit_max),
            Bounded::new("episode_bad_seconds", episode, 1.0, cut),
        ]);
        all
    }

    /// Those that may be set for an event (`Constants`): an operator reads these ranges, so they are no wider than
    /// what may make sense.
    fn of_an_event(&self) -> [Bounded; 12] {
        let (asked, claims) = (self.requests_per_inside_prior, &self.claims);
        let session = self.requests_per_session_prior;
        let release_max = f64::from(self.release_max_per_s);
        [
            Bounded::new("requests_per_inside_prior", asked, 0.001, 100.0),
            Bounded::new("requests_per_session_prior", session, 1.0, 10_000.0),
            Bounded::new("claims_delay_s", claims.delay_s, 0.1, 900.0),
            Bounded::new("claims_share", claims.share, claims.share_min, 1.0),
            Bounded::new("brake_p99", self.brake_p99, 1.0, 10.0),
            Bounded::new("brake_refused_share", self.brake_refused_share, 0.0, 1.0),
            Bounded::new("brake_redis_ms", self.brake_redis_ms, 1.0, 60_000.0),
            Bounded::new("brake_postgres_ms", self.brake_postgres_ms, 1.0, 60_000.0),
            Bounded::new("brake_pool_wait_ms", self.brake_pool_wait_ms, 1.0, 60_000.0),
            Bounded::new("lost_after_s", self.lost_after_s, 1.0, 60.0),
            Bounded::new("blind_end_s", self.blind_end_s, self.lost_after_s, 600.0),
            Bounded::new("release_max_per_s", release_max, 1.0, 100_000.0),
        ]
    }

    fn shares(&self) -> [Constant; 19] {
        [
            ("bad_refused_share", self.bad_refused_share),
            ("cut_to", self.cut_to),
            ("cut_floor", self.cut_floor),
            ("deeper_fall", self.deeper_fall),
            ("outage_error_share", self.outage_error_share),
            ("ease_factor", self.ease_factor),
            ("ease_floor", self.ease_floor),
            ("ease_reject_share", self.ease_reject_share),
            ("grow_reject_share", self.grow_reject_share),
            ("binding_share", self.binding_share),
            ("grow_p99_share", self.grow_p99_share),
            ("grow_unsaturated", self.grow_unsaturated),
            ("unsaturated_p99_share", self.unsaturated_p99_share),
            ("grow_recovering", self.grow_recovering),
            ("grow_probing", self.grow_probing),
            ("near_saturation", self.near_saturation),
            ("inside_rise", self.inside_rise),
            ("gap_gain", self.gap_gain),
            ("blind_share", self.blind_share),
        ]
    }

    fn factors(&self) -> [Constant; 5] {
        [
            ("realised_inside", self.realised_inside),
            ("outgrown", self.outgrown),
            ("windup", self.windup),
            ("release_headroom", self.release_headroom),
            ("limit_tolerance", self.limit_tolerance),
        ]
    }

    fn times(&self) -> [Constant; 8] {
        [
            ("realised_after_s", self.realised_after_s),
            ("deeper_after_s", self.deeper_after_s),
            ("grow_after_cut_s", self.grow_after_cut_s),
            ("demand_ewma_s", self.demand_ewma_s),
            ("unused_fade_s", self.unused_fade_s),
            ("ends_ewma_s", self.ends_ewma_s),
            ("blind_fade_s", self.blind_fade_s),
            ("ramp_s", self.ramp_s),
        ]
    }

    fn sizes(&self) -> [Constant; 7] {
        [
            ("start_requests_per_s", self.start_requests_per_s),
            ("target_p99_ms", self.target_p99_ms),
            ("service_ms", self.service_ms),
            ("limit_max", self.limit_max),
            ("hold_share_of_limit", self.hold_share_of_limit),
            ("browse_share_of_limit", self.browse_share_of_limit),
            ("retry_after_ms", self.retry_after_ms),
        ]
    }
}

fn within(constants: &[Constant], low: f64, high: f64) -> impl Iterator<Item = Bounded> {
    let bounded = move |&(name, value): &Constant| Bounded::new(name, value, low, high);
    constants.iter().map(bounded)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn defaults_are_legal_and_survive_json() {
        let tuning = Tuning::default();
        tuning.validate().unwrap();
        let text = serde_json::to_string(&tuning).unwrap();
        assert_eq!(serde_json::from_str::<Tuning>(&text).unwrap(), tuning);
    }

    #[test]
    fn constants_of_an_older_and_of_a_later_version_can_be_read() {
        let older: Tuning = serde_json::from_str(r#"{"start_requests_per_s": 40}"#).unwrap();
        assert_eq!(older.start_requests_per_s, 40.0);
        assert_eq!(older.windup, Tuning::default().windup);
        let mut later = serde_json::to_value(Tuning::default()).unwrap();
        later["of_a_later_version"] = 1.into();
        later["claims"]["of_a_later_version"] = 1.into();
        let read: Tuning = serde_json::from_value(later).unwrap();
        assert_eq!(read, Tuning::default());
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        for value in [f64::NAN, f64::INFINITY, -1.0] {
            let tuning = Tuning {
                gap_gain: value,
                ..Tuning::default()
            };
            assert_eq!(tuning.validate().unwrap_err().0.name, "gap_gain");
        }
        let tuning = Tuning {
            service_ms: 0.0,
            ..Tuning::default()
        };
        assert_eq!(tuning.validate().unwrap_err().0.name, "service_ms");
    }
}
