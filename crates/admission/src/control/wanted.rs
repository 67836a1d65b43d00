//! X*, the first-attempt requests/s that the backend is believed to bear: cut at once when it does not, eased while
//! it refuses some, raised slowly while it is asked for all of it and stays well.

use serde::{Deserialize, Serialize};

use super::decision::Clause;
use super::tuning::Tuning;
use super::window::Window;

/// Smallest X* in requests/s: from nothing nothing grows.
const WANTED_MIN: f64 = 0.5;
/// A further cut waits until the ten seconds it is judged by lie after the last one.
const CUT_APART_S: f64 = 10.0;
/// X* rests for so many seconds after the last one in which the backend failed altogether.
const OUTAGE_MEMORY_S: usize = 5;
/// Seconds without trouble that end an episode.
const CALM_S: usize = 30;

/// A stretch of trouble, from the first bad seconds to `CALM_S` good ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Episode {
    /// Goodput before it (G0).
    goodput_before: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Cut {
    at_ms: u64,
    goodput: f64,
}

/// X* and what it remembers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WantedRate {
    wanted: f64,
    /// Goodput at the last cut: what the backend saturates at.
    saturation: Option<f64>,
    episode: Option<Episode>,
    cut: Option<Cut>,
    alarm: bool,
}

/// What `WantedRate` needs of the present second.
#[derive(Debug, Clone, Copy)]
pub struct Present<'a> {
    /// Now, Unix ms.
    pub now_ms: u64,
    /// Seconds since the last tick.
    pub dt_s: f64,
    /// The backend's last seconds.
    pub window: &'a Window,
    /// Whether the people inside are as few as is wanted, or nearly.
    pub inside_as_wanted: bool,
    /// Target for p99 in ms.
    pub target_p99_ms: f64,
}

impl WantedRate {
    /// Starts from the calibrated capacity.
    pub fn new(tuning: &Tuning) -> Self {
        Self {
            wanted: tuning.start_requests_per_s.max(WANTED_MIN),
            saturation: None,
            episode: None,
            cut: None,
            alarm: false,
        }
    }

    /// X* in requests/s.
    pub fn get(&self) -> f64 {
        self.wanted
    }

    /// The goodput it saturated at, once known.
    pub fn saturation(&self) -> Option<f64> {
        self.saturation
    }

    /// Whether latency is bad although the load is at its floor.
    pub fn alarm(&self) -> bool {
        self.alarm
    }

    /// Moves X* by one second's look and says by which clause.
    pub fn update(&mut self, present: Present<'_>, tuning: &Tuning) -> Clause {
        let window = present.window;
        self.follow_episode(window, tuning);
        if window.failing(OUTAGE_MEMORY_S) {
            return Clause::HoldOutage;
        }
        if window.bad(10) >= tuning.cut_bad_seconds && self.cut_realised(&present, tuning) {
            return self.cut(&present, tuning);
        }
        if window.reject_share(5) > tuning.ease_reject_share {
            return self.ease(&present, tuning);
        }
        if let Some(clause) = self.obstacle(&present, tuning) {
            self.alarm |= clause == Clause::HoldLatency && self.cut_was_in_vain(&present, tuning);
            return clause;
        }
        self.grow(&present, tuning)
    }

    fn follow_episode(&mut self, window: &Window, tuning: &Tuning) {
        if self.episode.is_none() && window.bad(10) >= tuning.episode_bad_seconds {
            let goodput_before = window.best_goodput();
            self.episode = Some(Episode { goodput_before });
        }
        if window.bad(CALM_S) == 0 {
            self.episode = None;
            self.alarm = false;
        }
    }

    fn cut_realised(&self, present: &Present<'_>, tuning: &Tuning) -> bool {
        let Some(cut) = &self.cut else {
            return true;
        };
        let since_s = self.since_cut_s(present).unwrap_or(f64::MAX);
        let fell = present.window.good_goodput() < (1.0 - tuning.deeper_fall) * cut.goodput;
        present.inside_as_wanted && since_s >= CUT_APART_S
            || since_s >= tuning.realised_after_s
            || fell && since_s >= tuning.deeper_after_s
    }

    /// The load was cut a while ago, nothing is rejected any more, and latency still is no good.
    fn cut_was_in_vain(&self, present: &Present<'_>, tuning: &Tuning) -> bool {
        let since_s = self.since_cut_s(present);
        self.episode.is_some()
            && since_s.is_some_and(|s| s >= tuning.realised_after_s)
            && present.inside_as_wanted
    }

    fn since_cut_s(&self, present: &Present<'_>) -> Option<f64> {
        let cut = self.cut.as_ref()?;
        Some(present.now_ms.saturating_sub(cut.at_ms) as f64 / 1_000.0)
    }

    fn cut(&mut self, present: &Present<'_>, tuning: &Tuning) -> Clause {
        let goodput = present.window.good_goodput();
        let before = self.episode.as_ref().map_or(0.0, |e| e.goodput_before);
        let to = (tuning.cut_to * goodput)
            .max(tuning.cut_floor * before)
            .max(WANTED_MIN);
        let slow = present.window.slow(10) >= tuning.cut_bad_seconds;
        if to < self.wanted {
            self.wanted = to;
            self.saturation = Some(goodput);
            self.cut = Some(Cut {
                at_ms: present.now_ms,
                goodput,
            });
            return if slow {
                Clause::CutLatency
            } else {
                Clause::CutRefusals
            };
        }
        if slow {
            self.alarm = true;
            return Clause::HoldFloor;
        }
        // Far less than it was known to saturate at, and a cut goes no lower in this episode: easing has to follow.
        self.saturation = self.saturation.map(|known| {
            let fell = goodput < (1.0 - tuning.deeper_fall) * known;
            if fell { goodput } else { known }
        });
        self.ease(present, tuning)
    }

    /// Rejects that go on although no more people are inside than wanted say that X* is a little too high. While
    /// more are inside, they are the old crowd's, and the new X* is not to blame. Well below the known saturation it
    /// is not to blame either: single bad seconds would take it down step by step, and high latency keeps it there.
    fn ease(&mut self, present: &Present<'_>, tuning: &Tuning) -> Clause {
        let lasting = present.window.reject_share(30) > tuning.ease_reject_share;
        let floor = tuning.ease_floor * self.saturation.unwrap_or(0.0);
        if !(lasting && present.inside_as_wanted && self.wanted > floor) {
            return Clause::HoldRefusals;
        }
        let eased = self.wanted * tuning.ease_factor.powf(present.dt_s);
        self.wanted = eased.max(floor).max(WANTED_MIN);
        Clause::Ease
    }

    /// What stands against growth, if anything.
    fn obstacle(&self, present: &Present<'_>, tuning: &Tuning) -> Option<Clause> {
        let window = present.window;
        if self
            .since_cut_s(present)
            .is_some_and(|s| s < tuning.grow_after_cut_s)
        {
            return Some(Clause::HoldAfterCut);
        }
        if window.reject_share(30) >= tuning.grow_reject_share {
            return Some(Clause::HoldRefusals);
        }
        if window.p99_ms(5) >= tuning.grow_p99_share * present.target_p99_ms {
            return Some(Clause::HoldLatency);
        }
        (window.goodput(5) < tuning.binding_share * self.wanted).then_some(Clause::HoldUnused)
    }

    fn grow(&mut self, present: &Present<'_>, tuning: &Tuning) -> Clause {
        let window = present.window;
        // More than it ever did at saturation: the backend has grown, the old limit means nothing.
        self.saturation = self
            .saturation
            .filter(|known| window.goodput(20) <= tuning.outgrown * known);
        let relaxed = window.p99_ms(5) < tuning.unsaturated_p99_share * present.target_p99_ms;
        let speed = match self.saturation {
            None if relaxed => tuning.grow_unsaturated,
            Some(known) if self.wanted < tuning.near_saturation * known => tuning.grow_recovering,
            _ => tuning.grow_probing,
        };
        let ceiling = tuning.windup * window.goodput(10);
        let grown = (self.wanted * (1.0 + speed).powf(present.dt_s)).min(ceiling);
        self.wanted = self.wanted.max(grown);
        Clause::Grow
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Signals;

    /// Plays so many seconds of a backend that answers and rejects so much, with as many people inside as wanted.
    struct Backend {
        tuning: Tuning,
        window: Window,
        wanted: WantedRate,
        now_ms: u64,
    }

    impl Backend {
        fn new(start_requests_per_s: f64) -> Self {
            let tuning = Tuning {
                start_requests_per_s,
                ..Tuning::default()
            };
            Self {
                window: Window::default(),
                wanted: WantedRate::new(&tuning),
                now_ms: 0,
                tuning,
            }
        }

        fn second(&mut self, completed: f64, rejects: f64) {
            self.now_ms += 1_000;
            let signals = Signals {
                completed,
                rejects,
                p99_ms: Some(590.0),
                ..Signals::default()
            };
            self.window.push(&signals, 600.0, &self.tuning);
            let present = Present {
                now_ms: self.now_ms,
                dt_s: 1.0,
                window: &self.window,
                inside_as_wanted: true,
                target_p99_ms: 600.0,
            };
            self.wanted.update(present, &self.tuning);
        }
    }

    #[test]
    fn single_bad_seconds_ease_no_further_than_the_floor() {
        let mut backend = Backend::new(100.0);
        backend.wanted.saturation = Some(100.0);
        for second in 0..600 {
            // Two seconds in five refuse a little: too few for a cut.
            backend.second(95.0, if second % 5 < 2 { 5.0 } else { 0.0 });
        }
        assert_eq!(backend.wanted.get(), backend.tuning.ease_floor * 100.0);
    }

    #[test]
    fn a_backend_that_falls_far_in_one_episode_is_followed_down() {
        let mut backend = Backend::new(100.0);
        for (seconds, completed, rejects) in [(40, 100.0, 0.0), (60, 50.0, 20.0), (600, 20.0, 5.0)]
        {
            for _ in 0..seconds {
                backend.second(completed, rejects);
            }
        }
        assert!(backend.wanted.get() <= 20.0, "{}", backend.wanted.get());
    }
}
