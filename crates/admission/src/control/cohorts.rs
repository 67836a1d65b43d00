//! Fans released and not yet arrived: how many are still to be expected (pending), and which share never comes
//! (no-shows). One cohort a tick, forgotten after the claim window.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::pickup::PickupDelay;
use super::room::ClaimAge;
use super::signals::share;
use super::tuning::Tuning;

/// Cohorts remembered at most, however quickly ticks follow each other.
const COHORTS_MAX: usize = 1_024;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Cohort {
    at_ms: u64,
    released: f64,
    claimed: f64,
    judged: bool,
}

/// The released of the last claim window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cohorts {
    recent: VecDeque<Cohort>,
    delay: PickupDelay,
    missed: f64,
    judged: f64,
}

impl Cohorts {
    /// Nobody released yet.
    pub fn new(tuning: &Tuning) -> Self {
        Self {
            recent: VecDeque::new(),
            delay: PickupDelay::new(tuning),
            missed: 0.0,
            judged: 0.0,
        }
    }

    /// Takes what happened since the last tick, `dt_s` ago.
    pub fn observe(&mut self, now_ms: u64, dt_s: f64, released: u32, claims: &[ClaimAge], tuning: &Tuning) {
        if self.recent.len() == COHORTS_MAX {
            self.recent.pop_front();
        }
        if released > 0 {
            self.recent.push_back(Cohort {
                at_ms: now_ms.saturating_sub((dt_s * 500.0) as u64),
                released: f64::from(released),
                claimed: 0.0,
                judged: false,
            });
        }
        for claim in claims.iter().take(tuning.claim_window_s as usize) {
            self.claim(now_ms, claim);
        }
        for cohort in &self.recent {
            let age_s = now_ms.saturating_sub(cohort.at_ms) / 1_000;
            self.delay.expose(age_s as usize, cohort.released * dt_s);
        }
        self.delay.tick(dt_s, tuning);
        self.judge_ripe(now_ms, tuning);
        let window_ms = u64::from(tuning.claim_window_s) * 1_000;
        while self.recent.front().is_some_and(|c| now_ms.saturating_sub(c.at_ms) > window_ms) {
            self.recent.pop_front();
        }
    }

    fn claim(&mut self, now_ms: u64, claim: &ClaimAge) {
        let fans = f64::from(claim.count);
        self.delay.claim(claim.age_s as usize, fans);
        // The age is in whole seconds, so on average half a second is missing.
        let released_ms = now_ms.saturating_sub(u64::from(claim.age_s) * 1_000 + 500);
        let after = self.recent.partition_point(|c| c.at_ms < released_ms);
        let nearest = [after.checked_sub(1), Some(after)]
            .into_iter()
            .flatten()
            .filter(|&i| i < self.recent.len())
            .min_by_key(|&i| self.recent[i].at_ms.abs_diff(released_ms));
        if let Some(index) = nearest {
            self.recent[index].claimed += fans;
        }
    }

    /// Counts the no-shows of cohorts of which nearly all who come have come.
    fn judge_ripe(&mut self, now_ms: u64, tuning: &Tuning) {
        for cohort in self.recent.iter_mut().filter(|c| !c.judged) {
            let come = self.delay.come_by(age_s(now_ms, cohort.at_ms));
            if come < tuning.cohort_ripe {
                break;
            }
            cohort.judged = true;
            let keep = tuning.no_show_forget.powf(cohort.released);
            let missed = (cohort.released - cohort.claimed / come).max(0.0);
            self.missed = self.missed * keep + missed;
            self.judged = self.judged * keep + cohort.released;
        }
    }

    /// Share of the released who never come (p).
    pub fn no_show(&self, tuning: &Tuning) -> f64 {
        let missed = self.missed + tuning.no_show_prior;
        share(missed, self.judged + tuning.no_show_prior_of).min(tuning.no_show_max)
    }

    /// Released fans still expected to arrive (P).
    pub fn pending(&self, now_ms: u64, tuning: &Tuning) -> f64 {
        let come = 1.0 - self.no_show(tuning);
        let window_s = f64::from(tuning.claim_window_s);
        self.recent
            .iter()
            .map(|cohort| (cohort, age_s(now_ms, cohort.at_ms)))
            .filter(|(_, age)| *age <= window_s)
            .map(|(cohort, age)| {
                let expected = cohort.released * come * (1.0 - self.delay.come_by(age));
                expected.min((cohort.released - cohort.claimed).max(0.0))
            })
            .sum()
    }

    /// Mean pick-up delay in seconds (theta).
    pub fn pickup_s(&self) -> f64 {
        self.delay.mean_s()
    }
}

fn age_s(now_ms: u64, at_ms: u64) -> f64 {
    now_ms.saturating_sub(at_ms) as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Releases 10 a second; `come` of them claim, all 4 s after their release.
    fn run(cohorts: &mut Cohorts, from_s: u64, seconds: u64, come: u32, tuning: &Tuning) {
        for s in from_s..from_s + seconds {
            let claims = [ClaimAge { age_s: 4, count: if s >= 5 { come } else { 0 } }];
            cohorts.observe(s * 1_000, 1.0, 10, &claims, tuning);
        }
    }

    #[test]
    fn no_shows_are_learned_and_relearned() {
        let tuning = Tuning::default();
        let mut cohorts = Cohorts::new(&tuning);
        assert!((cohorts.no_show(&tuning) - 0.3).abs() < 1e-9);
        run(&mut cohorts, 0, 300, 4, &tuning);
        assert!((cohorts.no_show(&tuning) - 0.6).abs() < 0.05, "p = {}", cohorts.no_show(&tuning));
        run(&mut cohorts, 300, 120, 9, &tuning);
        assert!((cohorts.no_show(&tuning) - 0.1).abs() < 0.05, "p = {}", cohorts.no_show(&tuning));
    }

    #[test]
    fn pending_falls_to_nothing_after_the_claim_window() {
        let tuning = Tuning::default();
        let mut cohorts = Cohorts::new(&tuning);
        run(&mut cohorts, 0, 200, 7, &tuning);
        let pending = cohorts.pending(199_000, &tuning);
        assert!((20.0..60.0).contains(&pending), "P = {pending}");
        assert_eq!(cohorts.pending(199_000 + 121_000, &tuning), 0.0);
    }

    #[test]
    fn nobody_comes_and_p_stays_believable() {
        let tuning = Tuning::default();
        let mut cohorts = Cohorts::new(&tuning);
        run(&mut cohorts, 0, 600, 0, &tuning);
        assert!(cohorts.no_show(&tuning) <= tuning.no_show_max);
    }
}
