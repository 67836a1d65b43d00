//! How long released fans take to claim, measured: F(age) and its mean theta.
//! Claims at an age are counted against the fans who reached that age, so a growing crowd does not make
//! everybody look quick (the first claims to come in are always the quick ones).

use serde::{Deserialize, Serialize};

use super::tuning::Tuning;

/// Pick-up delay by whole seconds; bounded by the claim window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PickupDelay {
    claimed: Vec<f64>,
    exposed: Vec<f64>,
    /// F at the end of each second, kept ready because every cohort asks each tick.
    cumulative: Vec<f64>,
    mean_s: f64,
}

impl PickupDelay {
    /// Nothing measured yet: the assumed exponential delay.
    pub fn new(tuning: &Tuning) -> Self {
        let seconds = tuning.claim_window_s as usize;
        let mut delay = Self {
            claimed: vec![0.0; seconds],
            exposed: vec![0.0; seconds],
            cumulative: vec![1.0; seconds],
            mean_s: tuning.pickup_prior_s,
        };
        delay.refresh(tuning);
        delay
    }

    /// `fans` passed through this age since the last tick.
    pub fn expose(&mut self, age_s: usize, fans: f64) {
        if let Some(bin) = self.exposed.get_mut(age_s) {
            *bin += fans;
        }
    }

    /// `fans` claimed at this age since the last tick.
    pub fn claim(&mut self, age_s: usize, fans: f64) {
        if let Some(bin) = self.claimed.get_mut(age_s) {
            *bin += fans;
        }
    }

    /// Ends a tick: forgets a little and recomputes F.
    pub fn tick(&mut self, dt_s: f64, tuning: &Tuning) {
        let keep = tuning.pickup_forget.powf(dt_s);
        for bin in self.claimed.iter_mut().chain(&mut self.exposed) {
            *bin *= keep;
        }
        self.refresh(tuning);
    }

    fn refresh(&mut self, tuning: &Tuning) {
        let come = 1.0 - tuning.no_show_prior / tuning.no_show_prior_of;
        let survive = (-1.0 / tuning.pickup_prior_s).exp();
        let mut prior = come * (1.0 - survive);
        let (mut sum, mut moment) = (0.0, 0.0);
        for age in 0..self.claimed.len() {
            let claims = self.claimed[age] + tuning.pickup_prior_of * prior;
            let density = claims / (self.exposed[age] + tuning.pickup_prior_of);
            sum += density;
            moment += density * (age as f64 + 0.5);
            self.cumulative[age] = sum;
            prior *= survive;
        }
        for value in &mut self.cumulative {
            *value /= sum;
        }
        self.mean_s = moment / sum;
    }

    /// Share of those who come at all that has come within this age.
    pub fn come_by(&self, age_s: f64) -> f64 {
        let whole = age_s.max(0.0) as usize;
        let Some(&after) = self.cumulative.get(whole) else {
            return 1.0;
        };
        let before = if whole == 0 { 0.0 } else { self.cumulative[whole - 1] };
        before + (after - before) * (age_s.max(0.0) - whole as f64)
    }

    /// Mean delay in seconds (theta).
    pub fn mean_s(&self) -> f64 {
        self.mean_s
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_growing_crowd_does_not_look_quick() {
        // Everybody comes evenly within 20 s, the crowd grows 10 % a second, only 12 s have passed.
        let tuning = Tuning::default();
        let mut delay = PickupDelay::new(&tuning);
        for now in 0..12_i32 {
            for released_at in 0..=now {
                let fans = 100.0 * 1.1_f64.powi(released_at);
                let age = (now - released_at) as usize;
                delay.expose(age, fans);
                delay.claim(age, fans * 0.7 / 20.0);
            }
            delay.tick(1.0, &tuning);
        }
        assert!(delay.come_by(5.0) < 0.4, "F(5 s) = {}", delay.come_by(5.0));
    }

    #[test]
    fn it_is_a_distribution() {
        let delay = PickupDelay::new(&Tuning::default());
        assert_eq!(delay.come_by(-1.0), 0.0);
        assert_eq!(delay.come_by(500.0), 1.0);
        assert!(delay.come_by(7.0) < delay.come_by(7.5));
        assert!((delay.mean_s() - 8.0).abs() < 0.3);
    }
}
