//! How long people take from one stage to the next (release to claim, claim to hold), measured: F(age) and its mean.
//! Those who follow at an age are counted against those who reached that age, so a growing crowd does not make
//! everybody look quick (the first to follow are always the quick ones).

use serde::{Deserialize, Serialize};

/// What is assumed of a stage before it is measured, and how quickly the measured is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StageTuning {
    /// Nobody follows later than this many seconds.
    pub window_s: u32,
    /// Mean delay in seconds, assumed exponential.
    pub delay_s: f64,
    /// People that the assumed delay counts as.
    pub delay_prior_of: f64,
    /// Weight of the measured delay that remains after each further second.
    pub delay_forget: f64,
    /// Share that follows at all.
    pub share: f64,
    /// People that the assumed share counts as.
    pub share_prior_of: f64,
    /// Weight of the measured share that remains after each further person.
    pub share_forget: f64,
    /// The share is never believed below this.
    pub share_min: f64,
}

/// Delay by whole seconds; bounded by the stage's window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delay {
    followed: Vec<f64>,
    exposed: Vec<f64>,
    /// F at the end of each second, kept ready because every cohort asks each tick.
    cumulative: Vec<f64>,
    mean_s: f64,
}

impl Delay {
    /// Nothing measured yet: the assumed exponential delay.
    pub fn new(stage: &StageTuning) -> Self {
        let seconds = stage.window_s as usize;
        let mut delay = Self {
            followed: vec![0.0; seconds],
            exposed: vec![0.0; seconds],
            cumulative: vec![1.0; seconds],
            mean_s: stage.delay_s,
        };
        delay.refresh(stage);
        delay
    }

    /// Goes on with other assumptions; ages beyond a shorter window are forgotten.
    pub fn retune(&mut self, stage: &StageTuning) {
        let seconds = stage.window_s as usize;
        for bins in [&mut self.followed, &mut self.exposed, &mut self.cumulative] {
            bins.resize(seconds, 0.0);
        }
        self.refresh(stage);
    }

    /// So many people passed through this age since the last tick.
    pub fn expose(&mut self, age_s: usize, people: f64) {
        if let Some(bin) = self.exposed.get_mut(age_s) {
            *bin += people;
        }
    }

    /// So many followed at this age since the last tick.
    pub fn follow(&mut self, age_s: usize, people: f64) {
        if let Some(bin) = self.followed.get_mut(age_s) {
            *bin += people;
        }
    }

    /// Ends a tick: forgets a little and recomputes F.
    pub fn tick(&mut self, dt_s: f64, stage: &StageTuning) {
        let keep = stage.delay_forget.powf(dt_s);
        for bin in self.followed.iter_mut().chain(&mut self.exposed) {
            *bin *= keep;
        }
        self.refresh(stage);
    }

    fn refresh(&mut self, stage: &StageTuning) {
        let survive = (-1.0 / stage.delay_s).exp();
        let mut prior = stage.share * (1.0 - survive);
        let (mut sum, mut moment) = (0.0, 0.0);
        for age in 0..self.followed.len() {
            let follow = self.followed[age] + stage.delay_prior_of * prior;
            let density = follow / (self.exposed[age] + stage.delay_prior_of);
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

    /// Share of those who follow at all that has followed within this age.
    pub fn by(&self, age_s: f64) -> f64 {
        let whole = age_s.max(0.0) as usize;
        let Some(&after) = self.cumulative.get(whole) else {
            return 1.0;
        };
        let before = if whole == 0 {
            0.0
        } else {
            self.cumulative[whole - 1]
        };
        before + (after - before) * (age_s.max(0.0) - whole as f64)
    }

    /// Mean delay in seconds.
    pub fn mean_s(&self) -> f64 {
        self.mean_s
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Tuning;

    #[test]
    fn a_growing_crowd_does_not_look_quick() {
        // Everybody comes evenly within 20 s, the crowd grows 10 % a second, only 12 s have passed.
        let stage = Tuning::default().claims;
        let mut delay = Delay::new(&stage);
        for now in 0..12_i32 {
            for released_at in 0..=now {
                let people = 100.0 * 1.1_f64.powi(released_at);
                let age = (now - released_at) as usize;
                delay.expose(age, people);
                delay.follow(age, people * 0.7 / 20.0);
            }
            delay.tick(1.0, &stage);
        }
        assert!(delay.by(5.0) < 0.4, "F(5 s) = {}", delay.by(5.0));
    }

    #[test]
    fn it_is_a_distribution() {
        let delay = Delay::new(&Tuning::default().claims);
        assert_eq!(delay.by(-1.0), 0.0);
        assert_eq!(delay.by(500.0), 1.0);
        assert!(delay.by(7.0) < delay.by(7.5));
        assert!((delay.mean_s() - 8.0).abs() < 0.3);
    }
}
