//! What a backend bears, measured before the sale (`usher calibrate`), with the
//! steps that show it. Auto begins from it instead of from a guess.

use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use usher_base::{EventId, Timestamp};

use crate::pg::calibrations as table;

/// One rate that was tried for some seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CalibrationStep {
    /// Requests/s that were sent.
    pub asked_per_s: f64,
    /// Requests/s that were answered well.
    pub served_per_s: f64,
    /// Share that was turned away, failed or got no answer.
    pub refused_share: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// Whether the backend bore it.
    pub is_good: bool,
}

/// The newest measurement of an event's backend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    pub at: Timestamp,
    /// Sustainable requests/s: what the best of the good steps served.
    pub requests_per_s: f64,
    /// Median answer in that step.
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub target_p99_ms: f64,
    /// What was asked, and in which mixture.
    pub target: String,
    pub steps: Vec<CalibrationStep>,
}

#[derive(Clone)]
pub struct Calibrations {
    pool: PgPool,
}

impl Calibrations {
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Replaces the event's measurement; a running leader begins anew from it.
    pub async fn put(&self, event: EventId, measured: &Calibration) -> Result<(), sqlx::Error> {
        table::write(&self.pool, event, measured).await
    }

    pub async fn get(&self, event: EventId) -> Result<Option<Calibration>, sqlx::Error> {
        table::read(&self.pool, event).await
    }
}
