//! People on their way from one stage to the next: how many are still to be expected, and which share follows at all.
//! Released fans who will claim (pending, no-shows) and admitted ones who will hold (the stock rule) are the same
//! thing twice. One cohort a tick, forgotten after the stage's window.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::delay::{Delay, StageTuning};
use super::room::AgeCount;
use super::signals::share;

/// Cohorts remembered at most, however quickly ticks follow each other.
const COHORTS_MAX: usize = 1_024;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Cohort {
    at_ms: u64,
    entered: f64,
    followed: f64,
}

/// Those who entered the stage within its window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cohorts {
    stage: StageTuning,
    recent: VecDeque<Cohort>,
    delay: Delay,
    followed: f64,
    due: f64,
}

impl Cohorts {
    /// Nobody there yet.
    pub fn new(stage: StageTuning) -> Self {
        Self {
            stage,
            recent: VecDeque::new(),
            delay: Delay::new(&stage),
            followed: 0.0,
            due: 0.0,
        }
    }

    /// Goes on with other assumptions and another window.
    pub fn retune(&mut self, stage: StageTuning) {
        self.stage = stage;
        self.delay.retune(&stage);
    }

    /// Takes what happened since the last tick, `dt_s` ago: who entered, and who followed at which age.
    pub fn observe(&mut self, now_ms: u64, dt_s: f64, entered: u32, followed: &[AgeCount]) {
        self.note(now_ms, dt_s, entered, followed);
        let mut came = 0.0;
        for group in followed.iter().take(self.stage.window_s as usize) {
            self.delay
                .follow(group.age_s as usize, f64::from(group.count));
            came += f64::from(group.count);
        }
        self.judge(now_ms, dt_s, came);
        for cohort in &self.recent {
            let age_s = now_ms.saturating_sub(cohort.at_ms) / 1_000;
            self.delay.expose(age_s as usize, cohort.entered * dt_s);
        }
        self.delay.tick(dt_s, &self.stage);
    }

    /// Takes the same and learns nothing from it, as where nobody else can follow.
    pub fn note(&mut self, now_ms: u64, dt_s: f64, entered: u32, followed: &[AgeCount]) {
        self.enter(now_ms, dt_s, entered);
        for group in followed.iter().take(self.stage.window_s as usize) {
            self.follow(now_ms, group);
        }
    }

    fn enter(&mut self, now_ms: u64, dt_s: f64, entered: u32) {
        let window_ms = u64::from(self.stage.window_s) * 1_000;
        while self
            .recent
            .front()
            .is_some_and(|c| now_ms.saturating_sub(c.at_ms) > window_ms)
        {
            self.recent.pop_front();
        }
        if entered == 0 {
            return;
        }
        if self.recent.len() == COHORTS_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(Cohort {
            at_ms: now_ms.saturating_sub((dt_s * 500.0) as u64),
            entered: f64::from(entered),
            followed: 0.0,
        });
    }

    fn follow(&mut self, now_ms: u64, group: &AgeCount) {
        // The age is in whole seconds, so on average half a second is missing.
        let entered_ms = now_ms.saturating_sub(u64::from(group.age_s) * 1_000 + 500);
        let after = self.recent.partition_point(|c| c.at_ms < entered_ms);
        let nearest = [after.checked_sub(1), Some(after)]
            .into_iter()
            .flatten()
            .filter(|&i| i < self.recent.len())
            .min_by_key(|&i| self.recent[i].at_ms.abs_diff(entered_ms));
        if let Some(index) = nearest {
            self.recent[index].followed += f64::from(group.count);
        }
    }

    /// Holds those who followed in this tick against those who would have if everybody did. Every cohort counts as
    /// far as its time has come, so a change shows within one delay.
    fn judge(&mut self, now_ms: u64, dt_s: f64, came: f64) {
        let due: f64 = self
            .recent
            .iter()
            .map(|cohort| {
                let age_s = age_s(now_ms, cohort.at_ms);
                cohort.entered * (self.delay.by(age_s) - self.delay.by(age_s - dt_s))
            })
            .sum();
        let keep = self.stage.share_forget.powf(due);
        self.followed = self.followed * keep + came;
        self.due = self.due * keep + due;
    }

    /// Share that follows at all.
    pub fn share(&self) -> f64 {
        let prior_of = self.stage.share_prior_of;
        let followed = self.followed + self.stage.share * prior_of;
        share(followed, self.due + prior_of).clamp(self.stage.share_min, 1.0)
    }

    /// Relative variance of what is known of the share.
    pub fn share_variance(&self) -> f64 {
        let (share, seen) = (self.share(), self.due + self.stage.share_prior_of);
        (1.0 - share) / (share * seen)
    }

    /// People who have not followed and whose time to follow is not over: each counts as far as it is not.
    pub fn undecided(&self, now_ms: u64) -> f64 {
        self.remaining(now_ms, |cohort, open| {
            open.min(cohort.entered - cohort.followed).max(0.0)
        })
    }

    /// People still expected to follow.
    pub fn expected(&self, now_ms: u64) -> f64 {
        let share = self.share();
        self.remaining(now_ms, |cohort, open| {
            (open * share)
                .min(cohort.entered - cohort.followed)
                .max(0.0)
        })
    }

    fn remaining(&self, now_ms: u64, count: impl Fn(&Cohort, f64) -> f64) -> f64 {
        let window_s = f64::from(self.stage.window_s);
        let within = self
            .recent
            .iter()
            .map(|cohort| (cohort, age_s(now_ms, cohort.at_ms)))
            .filter(|(_, age_s)| *age_s <= window_s);
        let (mut remaining, mut left) = (0.0, 0.0);
        for (cohort, age_s) in within {
            remaining += count(cohort, cohort.entered * (1.0 - self.delay.by(age_s)));
            left += cohort.entered - cohort.followed;
        }
        // An age in whole seconds may be put down to the cohort beside: who seems to be
        // missing in one is too many in the other.
        remaining.min(left.max(0.0))
    }

    /// Mean delay in seconds.
    pub fn delay_s(&self) -> f64 {
        self.delay.mean_s()
    }
}

fn age_s(now_ms: u64, at_ms: u64) -> f64 {
    now_ms.saturating_sub(at_ms) as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Tuning;

    /// Releases 10 a second; `come` of them claim, all 4 s after their release.
    fn run(cohorts: &mut Cohorts, from_s: u64, seconds: u64, come: u32) {
        for s in from_s..from_s + seconds {
            let claims = [AgeCount {
                age_s: 4,
                count: if s >= 5 { come } else { 0 },
            }];
            cohorts.observe(s * 1_000, 1.0, 10, &claims);
        }
    }

    #[test]
    fn no_shows_are_learned_and_relearned() {
        let mut cohorts = Cohorts::new(Tuning::default().claims);
        assert!((cohorts.share() - 0.7).abs() < 1e-9);
        run(&mut cohorts, 0, 300, 4);
        assert!(
            (cohorts.share() - 0.4).abs() < 0.05,
            "1 - p = {}",
            cohorts.share()
        );
        run(&mut cohorts, 300, 60, 9);
        assert!(
            (cohorts.share() - 0.9).abs() < 0.05,
            "1 - p = {}",
            cohorts.share()
        );
    }

    #[test]
    fn who_was_put_down_to_a_neighbour_has_followed_too() {
        let mut cohorts = Cohorts::new(Tuning::default().holds);
        cohorts.observe(1_000, 1.0, 30, &[]);
        cohorts.observe(2_000, 1.0, 10, &[]);
        let all = [AgeCount {
            age_s: 1,
            count: 40,
        }];
        cohorts.observe(3_000, 1.0, 0, &all);
        assert!(cohorts.undecided(3_000) < 1e-9);
        assert!(cohorts.expected(3_000) < 1e-9);
    }

    #[test]
    fn who_followed_has_decided() {
        let mut cohorts = Cohorts::new(Tuning::default().holds);
        let all = |age_s| [AgeCount { age_s, count: 10 }];
        cohorts.observe(1_000, 1.0, 10, &[]);
        assert!(cohorts.undecided(1_000) > 9.0);
        cohorts.observe(2_000, 1.0, 10, &all(1));
        cohorts.observe(3_000, 1.0, 0, &all(1));
        assert!(cohorts.undecided(3_000) < 0.1);
    }

    #[test]
    fn nobody_is_expected_after_the_claim_window() {
        let mut cohorts = Cohorts::new(Tuning::default().claims);
        run(&mut cohorts, 0, 200, 7);
        let expected = cohorts.expected(199_000);
        assert!((20.0..60.0).contains(&expected), "P = {expected}");
        assert_eq!(cohorts.expected(199_000 + 121_000), 0.0);
        assert_eq!(cohorts.undecided(199_000 + 121_000), 0.0);
    }

    #[test]
    fn nobody_comes_and_the_share_stays_believable() {
        let stage = Tuning::default().claims;
        let mut cohorts = Cohorts::new(stage);
        run(&mut cohorts, 0, 600, 0);
        assert_eq!(cohorts.share(), stage.share_min);
    }
}
