//! What comes out of a tick: how many people, and the whole reasoning, so that the status stream, the metrics and
//! the flight recorder can explain every second.

use serde::{Deserialize, Serialize};

use super::brake::BrakeCause;
use super::loss::Sight;

/// The clause of the law that decided. One word each, the same on the stream, as a metric label and in the docs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clause {
    /// X* was raised.
    Grow,
    /// X* was cut: p99 above the target.
    CutLatency,
    /// X* was cut: too many refused.
    CutRefusals,
    /// X* comes down to what the backend does, or eases off, while it rejects some.
    Ease,
    /// X* stays: the backend is not asked for all of it yet.
    HoldUnused,
    /// X* stays: some were refused lately.
    HoldRefusals,
    /// X* stays: p99 is close to the target.
    HoldLatency,
    /// X* stays: the last cut is still taking effect, or was just now.
    HoldAfterCut,
    /// X* stays: it is at its floor and p99 is still above the target. Raises the alarm.
    HoldFloor,
    /// X* stays: the backend fails altogether, which says nothing about load.
    HoldOutage,
    /// The door itself: not faster than a multiple of the steady rate.
    RateCap,
    /// The operator's minimum.
    MinRate,
    /// The operator's maximum, in the policy or for the event (`release_max_per_s`).
    MaxRate,
    /// The operator's cap of people inside.
    MaxInside,
    /// What is left to sell is spoken for.
    Stock,
    /// Nothing is left to sell.
    SoldOut,
    /// Brake: p99.
    BrakeLatency,
    /// Brake: refusals.
    BrakeRefusals,
    /// Brake: Redis is slow.
    BrakeRedis,
    /// Brake: Postgres is slow.
    BrakePostgres,
    /// Brake: waiting for a database connection.
    BrakePool,
    /// Postgres does not answer at all: that is no load, so the line goes on, at a lower rate.
    PostgresAway,
    /// No signals from the backend.
    SignalLost,
    /// This second's signals are late.
    SignalLate,
    /// This second's signals are late, and the first came only seconds ago.
    SignalStart,
    /// Signals are back, the rate is coming up again.
    SignalBack,
    /// The operator paused.
    Paused,
    /// The operator's rate.
    Manual,
    /// Dry run: auto shows what it would do.
    DryRun,
    /// Nobody is waiting.
    NobodyWaiting,
}

impl Clause {
    /// Whether fewer are let in than the rate says, because there is room or stock for no more.
    pub fn narrows_the_door(self) -> bool {
        self == Self::MaxInside || self.ends_the_line()
    }

    /// Whether what is left to sell binds: the first are let in as fast as ever, the others not at all.
    pub fn ends_the_line(self) -> bool {
        matches!(self, Self::Stock | Self::SoldOut)
    }

    /// Whether the rate is an operator's word, or a mean already, and not the law's
    /// word of one second.
    pub fn is_steady(self) -> bool {
        matches!(self, Self::Manual | Self::MinRate | Self::MaxRate) || self.narrows_the_door()
    }

    /// What the console says: one plain sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Grow => "The backend is well: letting more people be inside.",
            Self::CutLatency => "Answers are too slow: fewer people may be inside.",
            Self::CutRefusals => "The backend turns requests away: fewer people may be inside.",
            Self::Ease => "Some requests are turned away: easing off a little each second.",
            Self::HoldUnused => "The people inside do not use the allowed load yet: keeping it.",
            Self::HoldRefusals => "Some requests were turned away lately: keeping the load.",
            Self::HoldLatency => "Latency is close to the target: keeping the load.",
            Self::HoldAfterCut => "The last cut is still taking effect: keeping the load.",
            Self::HoldFloor => "Latency is not caused by load: look at the backend.",
            Self::HoldOutage => {
                "The backend fails most requests: keeping the load for when it is back."
            }
            Self::RateCap => "Filling up as fast as the door allows.",
            Self::MinRate => "The minimum rate set by the operator.",
            Self::MaxRate => "The maximum rate set by the operator.",
            Self::MaxInside => "As many people are inside as the operator allows.",
            Self::Stock => "The people inside are enough for what is left.",
            Self::SoldOut => "Nothing is left to sell.",
            Self::BrakeLatency => "Braking: the last second was far too slow.",
            Self::BrakeRefusals => "Braking: the last second turned many requests away.",
            Self::BrakeRedis => "Braking: Redis is slow.",
            Self::BrakePostgres => "Braking: Postgres is slow.",
            Self::BrakePool => "Braking: requests wait for a database connection.",
            Self::PostgresAway => {
                "Postgres does not answer: half the rate; people choose seats, payments wait."
            }
            Self::SignalLate => "The backend's report is late: no faster than the second before.",
            Self::SignalStart => {
                "The backend has only just begun to report: letting few people in."
            }
            Self::SignalLost => "No signals from the backend: letting few people in, then none.",
            Self::SignalBack => "Signals are back: coming up to speed.",
            Self::Paused => "Paused by the operator.",
            Self::Manual => "The rate set by the operator.",
            Self::DryRun => "Dry run: showing what auto would do, letting nobody in.",
            Self::NobodyWaiting => "Nobody is waiting.",
        }
    }
}

impl From<BrakeCause> for Clause {
    fn from(cause: BrakeCause) -> Self {
        match cause {
            BrakeCause::Latency => Self::BrakeLatency,
            BrakeCause::Refusals => Self::BrakeRefusals,
            BrakeCause::Redis => Self::BrakeRedis,
            BrakeCause::Postgres => Self::BrakePostgres,
            BrakeCause::Pool => Self::BrakePool,
        }
    }
}

/// What auto wants, also while the operator decides.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AutoRate {
    /// People/s.
    pub rate_per_s: f64,
    /// The clause behind it.
    pub clause: Clause,
}

/// The law's inner state after a tick; every value is finite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// X*: wanted first-attempt requests/s.
    pub wanted_requests_per_s: f64,
    /// Goodput that the backend saturated at, once seen.
    pub saturation_per_s: Option<f64>,
    /// N*: wanted people inside.
    pub wanted_inside: f64,
    /// A: people inside.
    pub inside: u64,
    /// A^: people inside once those on their way have arrived.
    pub expected_inside: f64,
    /// P: released, still expected.
    pub pending: f64,
    /// p: share that never comes.
    pub no_show: f64,
    /// theta: mean pick-up delay in seconds.
    pub pickup_s: f64,
    /// lambda: requests/s of one person inside.
    pub requests_per_inside: f64,
    /// R: requests in a session.
    pub requests_per_session: f64,
    /// d: session ends/s.
    pub ends_per_s: f64,
    /// c: share of sessions that hold.
    pub hold_share: f64,
    /// 10 s goodput in requests/s.
    pub goodput_per_s: f64,
    /// p99 of the last second in ms.
    pub p99_ms: f64,
    /// The target it is held against.
    pub target_p99_ms: f64,
    /// Share refused in the last second.
    pub refused_share: f64,
    /// How well the backend is seen.
    pub sight: Sight,
    /// X* is at its floor and latency still bad: it is not caused by load.
    pub alarm: bool,
}

/// The decision of one tick.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// When, Unix ms.
    pub at_ms: u64,
    /// People to release in the coming second, spread evenly (`slice_of`).
    pub release: u32,
    /// The rate behind it, people/s; where the door is narrower, what really passes it of late.
    pub rate_per_s: f64,
    /// The clause that decided.
    pub clause: Clause,
    /// People in line whom the free seats serve nine times in ten; `None` where nothing can run out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reach: Option<f64>,
    /// What auto wants.
    pub auto: AutoRate,
    /// The state it came from.
    pub state: Snapshot,
}
