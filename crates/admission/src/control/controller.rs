//! The outer loop: ties the parts together once a second. How many people may be inside, how many are coming, how
//! many to let in now, and which clause said so.

use serde::{Deserialize, Serialize};

use super::brake::Brake;
use super::cohorts::Cohorts;
use super::decision::{AutoRate, Clause, Decision, Snapshot};
use super::demand::Demand;
use super::ewma::Ewma;
use super::loss::{Sight, SignalWatch};
use super::pacing::Pacer;
use super::policy::{Mode, Policy};
use super::room::Room;
use super::signals::Signals;
use super::stock::StockRule;
use super::tuning::{Tuning, TuningError};
use super::wanted::{Present, WantedRate};
use super::window::Window;

/// Longest time between ticks that is believed, in seconds: a late tick never releases for the time it slept.
const DT_MAX_S: f64 = 2.0;
/// Time constant in seconds of what really passes a door narrower than the rate.
const PASSING_S: f64 = 20.0;

/// The outer loop's state. Serialised, it is the checkpoint; deserialised on another node, it goes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Controller {
    tuning: Tuning,
    last_tick_ms: Option<u64>,
    window: Window,
    demand: Demand,
    claims: Cohorts,
    wanted: WantedRate,
    wanted_inside: f64,
    stock: StockRule,
    watch: SignalWatch,
    pacer: Pacer,
    /// People/s that stock, cap and rate together let pass.
    #[serde(default)]
    passing: Ewma,
    last: LastSeen,
}

/// What is still needed of the last second that had signals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct LastSeen {
    rate_per_s: f64,
    p99_ms: f64,
    refused_share: f64,
}

/// How fast, and how many at most in this tick.
struct Release {
    rate_per_s: f64,
    clause: Clause,
}

impl Default for Controller {
    /// A cold start where nothing was calibrated.
    fn default() -> Self {
        Self::new(Tuning::default()).expect("the defaults are legal, as a test says")
    }
}

impl Controller {
    /// A cold start from the calibrated capacity in `tuning`.
    pub fn new(tuning: Tuning) -> Result<Self, TuningError> {
        tuning.validate()?;
        let wanted = WantedRate::new(&tuning);
        let demand = Demand::default();
        Ok(Self {
            last_tick_ms: None,
            window: Window::default(),
            claims: Cohorts::new(tuning.claims),
            wanted_inside: wanted.get() / demand.per_inside(&tuning),
            wanted,
            demand,
            stock: StockRule::new(&tuning),
            watch: SignalWatch::default(),
            pacer: Pacer::default(),
            passing: Ewma::default(),
            last: LastSeen::default(),
            tuning,
        })
    }

    /// The constants it runs with.
    pub fn tuning(&self) -> &Tuning {
        &self.tuning
    }

    /// Goes on with other constants: what was learned stays. N* stands for a load, so a crowd that is now assumed to
    /// ask for more is a smaller one.
    pub fn retune(&mut self, tuning: &Tuning) -> Result<(), TuningError> {
        if *tuning == self.tuning {
            return Ok(());
        }
        tuning.validate()?;
        let asked = self.demand.per_inside(&self.tuning);
        let began = self.tuning.start_requests_per_s;
        self.tuning = tuning.clone();
        self.wanted_inside *= asked / self.demand.per_inside(&self.tuning);
        self.claims.retune(tuning.claims);
        self.stock.retune(tuning);
        if began != tuning.start_requests_per_s {
            self.begin_anew();
        }
        Ok(())
    }

    /// From the calibrated capacity: a calibration is the operator's word, and what was grown or cut before it says
    /// less.
    fn begin_anew(&mut self) {
        self.wanted = WantedRate::new(&self.tuning);
        self.wanted_inside = self.calibrated_inside();
    }

    /// People that the calibrated capacity serves, as far as was known before the sale.
    fn calibrated_inside(&self) -> f64 {
        self.tuning.start_requests_per_s / self.tuning.requests_per_inside_prior
    }

    /// One second: takes the measurements, decides. `signals` is `None` when the backend told nothing.
    pub fn tick(
        &mut self,
        now_ms: u64,
        signals: Option<&Signals>,
        room: &Room,
        policy: &Policy,
    ) -> Decision {
        let policy = policy.in_force(now_ms);
        let signals = signals.map(Signals::sane);
        let dt_s = self.elapsed_s(now_ms);
        let target_p99_ms = self.target(&policy);
        self.observe_room(now_ms, dt_s, room);
        let sight = self.watch.look(now_ms, signals.is_some(), &self.tuning);
        let mut clause = Clause::SignalLost;
        if let Some(signals) = &signals {
            self.observe_signals(dt_s, signals, room, target_p99_ms);
            clause = self.move_wanted(now_ms, dt_s, room, target_p99_ms);
        }
        let flow = self.flow(now_ms, room, clause);
        let auto = self.auto(flow, sight, signals.as_ref(), target_p99_ms, &policy);
        let chosen = self.within_max(by_policy(auto, &policy));
        let (release, clause) = self.pace(now_ms, dt_s, chosen, room, &policy);
        Decision {
            at_ms: now_ms,
            release,
            rate_per_s: self.told_rate(chosen.rate_per_s, clause),
            clause,
            reach: self.reach(now_ms, room),
            auto,
            state: self.snapshot(now_ms, room, sight, target_p99_ms),
        }
    }

    /// The event's own maximum binds in every mode, and is told like the policy's.
    fn within_max(&self, chosen: AutoRate) -> AutoRate {
        let rate_per_s = f64::from(self.tuning.release_max_per_s);
        if chosen.rate_per_s <= rate_per_s {
            return chosen;
        }
        AutoRate {
            rate_per_s,
            clause: Clause::MaxRate,
        }
    }

    /// What fans and operators are told must follow what is really released.
    fn told_rate(&self, rate_per_s: f64, clause: Clause) -> f64 {
        match clause {
            Clause::SoldOut => 0.0,
            clause if clause.narrows_the_door() => rate_per_s.min(self.passing.get()),
            _ => rate_per_s,
        }
    }

    fn elapsed_s(&mut self, now_ms: u64) -> f64 {
        let last_ms = self.last_tick_ms.replace(now_ms);
        let dt_ms = last_ms.map_or(1_000, |last| now_ms.saturating_sub(last));
        (dt_ms as f64 / 1_000.0).clamp(0.01, DT_MAX_S)
    }

    fn target(&self, policy: &Policy) -> f64 {
        policy
            .target_p99_ms
            .filter(|t| t.is_finite() && *t > 0.0)
            .unwrap_or(self.tuning.target_p99_ms)
    }

    /// A policy that came from elsewhere than validation cannot undo the rule.
    fn caution(&self, policy: &Policy) -> f64 {
        policy
            .stock_caution
            .filter(|z| z.is_finite())
            .unwrap_or(self.tuning.stock_z)
    }

    fn observe_room(&mut self, now_ms: u64, dt_s: f64, room: &Room) {
        self.claims
            .observe(now_ms, dt_s, room.released, &room.claims);
        self.demand.ended(f64::from(room.ends), dt_s, &self.tuning);
        if let Some(stock) = &room.stock {
            self.stock.observe(now_ms, dt_s, room, stock);
        }
    }

    fn observe_signals(&mut self, dt_s: f64, signals: &Signals, room: &Room, target_p99_ms: f64) {
        self.window.push(signals, target_p99_ms, &self.tuning);
        let inside = room.inside as f64;
        self.demand.observe(signals, inside, dt_s, &self.tuning);
        let begun: f64 = room.claims.iter().map(|c| f64::from(c.count)).sum();
        self.demand.count_sessions(signals.requests, begun, dt_s);
        self.last.p99_ms = signals.p99_ms.unwrap_or(0.0);
        self.last.refused_share = signals.refused_share();
    }

    fn move_wanted(&mut self, now_ms: u64, dt_s: f64, room: &Room, target_p99_ms: f64) -> Clause {
        let limit = self.tuning.realised_inside * self.wanted_inside;
        let present = Present {
            now_ms,
            dt_s,
            window: &self.window,
            inside_as_wanted: room.inside as f64 <= limit,
            target_p99_ms,
        };
        let clause = self.wanted.update(present, &self.tuning);
        self.wanted_inside = self.next_wanted_inside(now_ms, dt_s, room);
        clause
    }

    /// Little's law, as far as it was tried: a quiet room asks for little, and X* over that little would call in a
    /// crowd that nobody has seen the backend bear. So N* rises only while the room is really about that full, and
    /// what nobody uses fades to what was calibrated.
    fn next_wanted_inside(&self, now_ms: u64, dt_s: f64, room: &Room) -> f64 {
        let (tuning, now) = (&self.tuning, self.wanted_inside);
        let target = self.wanted.get() / self.demand.per_inside(tuning);
        let used = self.expected_inside(now_ms, room) / tuning.binding_share;
        if used < now {
            let calibrated = self.calibrated_inside();
            let faded = now * (-dt_s / tuning.unused_fade_s).exp();
            return target.min(faded.max(used).max(calibrated.min(now)));
        }
        // One more person a second at least, so that it can rise from nothing.
        let rise = (now * tuning.inside_rise).max(1.0) * dt_s;
        target.min(now + rise)
    }

    /// The rate that keeps the wanted number of people inside, capped at a multiple of the steady one.
    fn flow(&self, now_ms: u64, room: &Room, clause: Clause) -> Release {
        let come = self.claims.share();
        let gap = self.wanted_inside - self.expected_inside(now_ms, room);
        let leaving = self.demand.leaving_per_s(&self.tuning);
        let wanted = (leaving + self.tuning.gap_gain * gap) / come;
        let steady = self.wanted.get() / (self.demand.per_session(&self.tuning) * come);
        let cap = self.tuning.release_headroom * steady;
        if wanted > cap {
            // A cut or a brake explains more than the cap, growth less.
            let clause = if clause == Clause::HoldUnused {
                Clause::RateCap
            } else {
                clause
            };
            return Release {
                rate_per_s: cap,
                clause,
            };
        }
        Release {
            rate_per_s: wanted.max(0.0),
            clause,
        }
    }

    fn expected_inside(&self, now_ms: u64, room: &Room) -> f64 {
        let arriving = self.claims.expected(now_ms);
        let leaving = self.demand.ends_per_s() * self.claims.delay_s();
        (room.inside as f64 + arriving - leaving).max(0.0)
    }

    /// Brake, lost signals and the operator's bounds on what the law wants.
    fn auto(
        &mut self,
        flow: Release,
        sight: Sight,
        signals: Option<&Signals>,
        target_p99_ms: f64,
        policy: &Policy,
    ) -> AutoRate {
        let brake = signals.and_then(|s| Brake::look(s, target_p99_ms, &self.tuning));
        let blind = matches!(sight, Sight::Blind(_));
        let (mut rate_per_s, mut clause) = match sight {
            Sight::Blind(share) => (share * self.last.rate_per_s, Clause::SignalLost),
            Sight::Late => (
                flow.rate_per_s.min(self.last.rate_per_s),
                Clause::SignalLate,
            ),
            Sight::Start(share) => (
                (share * flow.rate_per_s).min(self.last.rate_per_s),
                Clause::SignalStart,
            ),
            Sight::Ramp(share) => (share * flow.rate_per_s, Clause::SignalBack),
            Sight::Clear => (flow.rate_per_s, flow.clause),
        };
        if signals.is_some_and(|s| s.postgres_away) {
            rate_per_s = rate_per_s.min(self.tuning.blind_share * flow.rate_per_s);
            clause = Clause::PostgresAway;
        }
        if let Some(cause) = brake {
            (rate_per_s, clause) = (0.0, cause.into());
        }
        if let Some(max) = policy.max_rate_per_minute.map(Policy::per_second)
            && rate_per_s > max
        {
            (rate_per_s, clause) = (max, Clause::MaxRate);
        }
        if let Some(min) = policy.min_rate_per_minute.map(Policy::per_second)
            && rate_per_s < min
            && !blind
        {
            (rate_per_s, clause) = (min, Clause::MinRate);
        }
        if !blind {
            let max = f64::from(self.tuning.release_max_per_s);
            self.last.rate_per_s = rate_per_s.min(max);
        }
        AutoRate { rate_per_s, clause }
    }

    /// Whole people, and no more than stock, cap and line allow.
    fn pace(
        &mut self,
        now_ms: u64,
        dt_s: f64,
        chosen: AutoRate,
        room: &Room,
        policy: &Policy,
    ) -> (u32, Clause) {
        if matches!(chosen.clause, Clause::Paused | Clause::DryRun) {
            (self.pacer, self.passing) = Default::default();
            return (0, chosen.clause);
        }
        let max = self.tuning.release_max_per_s;
        let mut release = self.pacer.take(chosen.rate_per_s, dt_s, max);
        let mut clause = chosen.clause;
        let pending = self.claims.expected(now_ms);
        if let Some(cap) = policy.max_inside {
            let places = self.places(cap as f64 - room.inside as f64 - pending);
            if places < release {
                (release, clause) = (places, Clause::MaxInside);
            }
        }
        if let Some(stock) = &room.stock {
            let places =
                self.places(
                    self.stock
                        .places(now_ms, stock, pending, self.caution(policy)),
                );
            if places < release || stock.free_seats == 0 {
                let sold_out = stock.free_seats == 0;
                clause = if sold_out {
                    Clause::SoldOut
                } else {
                    Clause::Stock
                };
                release = places.min(release);
            }
        }
        self.passing
            .push(f64::from(release) / dt_s, dt_s, PASSING_S);
        if u64::from(release) > room.waiting {
            // Fits: it is below `release`.
            release = room.waiting as u32;
        }
        if room.waiting == 0 {
            clause = Clause::NobodyWaiting;
        }
        (release, clause)
    }

    /// People in line whom the stock still serves, as those on their way and those who look around have it first.
    fn reach(&self, now_ms: u64, room: &Room) -> Option<f64> {
        let stock = room.stock.as_ref()?;
        let (pending, doubt) = (self.claims.expected(now_ms), self.claims.share_variance());
        Some(self.stock.reach(now_ms, stock, pending, doubt) / self.claims.share())
    }

    /// How many to release so that so many come.
    fn places(&self, people: f64) -> u32 {
        let come = self.claims.share();
        (people / come).floor().clamp(0.0, f64::from(u32::MAX)) as u32
    }

    fn snapshot(&self, now_ms: u64, room: &Room, sight: Sight, target_p99_ms: f64) -> Snapshot {
        Snapshot {
            wanted_requests_per_s: self.wanted.get(),
            saturation_per_s: self.wanted.saturation(),
            wanted_inside: self.wanted_inside,
            inside: room.inside,
            expected_inside: self.expected_inside(now_ms, room),
            pending: self.claims.expected(now_ms),
            no_show: 1.0 - self.claims.share(),
            pickup_s: self.claims.delay_s(),
            requests_per_inside: self.demand.per_inside(&self.tuning),
            requests_per_session: self.demand.per_session(&self.tuning),
            ends_per_s: self.demand.ends_per_s(),
            hold_share: self.stock.hold_share(),
            goodput_per_s: self.window.goodput(10),
            p99_ms: self.last.p99_ms,
            target_p99_ms,
            refused_share: self.last.refused_share,
            sight,
            alarm: self.wanted.alarm(),
        }
    }
}

/// Paused > manual > dry run > auto.
fn by_policy(auto: AutoRate, policy: &Policy) -> AutoRate {
    match policy.mode {
        Mode::Paused => AutoRate {
            rate_per_s: 0.0,
            clause: Clause::Paused,
        },
        Mode::Manual => AutoRate {
            rate_per_s: Policy::per_second(policy.rate_per_minute.unwrap_or(0.0)),
            clause: Clause::Manual,
        },
        Mode::Auto if policy.dry_run => AutoRate {
            rate_per_s: 0.0,
            clause: Clause::DryRun,
        },
        Mode::Auto => auto,
    }
}
