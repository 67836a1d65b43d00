//! Exponentially weighted mean over time: one number that follows a noisy one with a time constant.

use serde::{Deserialize, Serialize};

/// The mean so far; empty until the first value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Ewma {
    mean: Option<f64>,
}

impl Ewma {
    /// Takes a value that held for `dt_s` seconds; `tau_s` is the time constant.
    pub fn push(&mut self, value: f64, dt_s: f64, tau_s: f64) {
        let weight = 1.0 - (-dt_s / tau_s).exp();
        let mean = self.mean.unwrap_or(value);
        self.mean = Some(mean + weight * (value - mean));
    }

    /// The mean, 0 before the first value.
    pub fn get(&self) -> f64 {
        self.mean.unwrap_or(0.0)
    }
}
