//! The inner loop as a booking node uses it: a request enters or is turned away at
//! once, and while it is inside it counts. The law is `control::Limiter`; here it
//! meets threads and time.
//!
//! A payment is inside for as long as the bank takes, which is no work of ours: 120
//! payments of two seconds each would otherwise close the shop at 60 orders a second.
//! So payments have a count of their own, up to the most that the node may have.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::control::{Limiter, Priority, Tuning, TuningError};

/// How often the limit is moved.
const TICK: Duration = Duration::from_millis(250);
/// Latencies above this are counted as this.
const MAX_LATENCY_US: u64 = 60_000_000;
const DIGITS: u8 = 2;

/// Turned away: come back after this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Jittered, so that the refused do not come back together.
    pub retry_after: Duration,
}

pub struct Gate {
    tuning: Tuning,
    state: Mutex<State>,
}

struct State {
    limiter: Limiter,
    /// Holding and browsing; what the limit is of.
    in_flight: u32,
    /// Most in flight since the last tick.
    peak: u32,
    paying: u32,
    latencies: Histogram<u64>,
}

impl Gate {
    /// `servers_guess`: requests that the node can work on at once.
    pub fn new(tuning: Tuning, servers_guess: f64) -> Result<Self, TuningError> {
        tuning.validate()?;
        let latencies = Histogram::new_with_bounds(1, MAX_LATENCY_US, DIGITS);
        let state = State {
            limiter: Limiter::new(&tuning, servers_guess),
            in_flight: 0,
            peak: 0,
            paying: 0,
            latencies: latencies.expect("the bounds are constants and valid"),
        };
        Ok(Self {
            tuning,
            state: Mutex::new(state),
        })
    }

    /// Lets a request in, or says when it may come back. Never waits.
    pub fn try_enter(self: &Arc<Self>, priority: Priority) -> Result<Permit, Refused> {
        if !self.lock().enter(priority, &self.tuning) {
            metrics::counter!("usher_gate_refused_total", "priority" => word(priority))
                .increment(1);
            let millis = Limiter::retry_after_ms(rand::random(), &self.tuning);
            let retry_after = Duration::from_millis(millis.into());
            return Err(Refused { retry_after });
        }
        Ok(Permit {
            gate: Arc::clone(self),
            priority,
            entered: Instant::now(),
        })
    }

    /// Requests inside now, and how many may be.
    pub fn load(&self) -> (u32, f64) {
        let state = self.lock();
        (state.in_flight, state.limiter.limit())
    }

    /// Moves the limit; `run` does it each 250 ms.
    pub fn tick(&self) {
        let mut state = self.lock();
        let p50_us = state.latencies.value_at_quantile(0.5);
        let p50_ms = (!state.latencies.is_empty()).then(|| p50_us as f64 / 1_000.0);
        let peak = state.peak;
        state.limiter.tick(p50_ms, peak, &self.tuning);
        state.latencies.reset();
        state.peak = state.in_flight;
        metrics::gauge!("usher_gate_limit").set(state.limiter.limit());
        metrics::gauge!("usher_gate_in_flight").set(f64::from(peak));
        metrics::gauge!("usher_gate_paying").set(f64::from(state.paying));
    }

    /// Ticks until `stop`.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut interval = tokio::time::interval(TICK);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = interval.tick() => self.tick(),
                () = stop.cancelled() => return,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Counts the request in, if there is room for it.
    fn enter(&mut self, priority: Priority, tuning: &Tuning) -> bool {
        let count = match priority {
            Priority::Commit if f64::from(self.paying) < tuning.limit_max => &mut self.paying,
            Priority::Commit => return false,
            _ if self.limiter.admits(priority, self.in_flight, tuning) => &mut self.in_flight,
            _ => return false,
        };
        *count += 1;
        self.peak = self.peak.max(self.in_flight);
        true
    }
}

/// A request inside; dropping it is leaving.
pub struct Permit {
    gate: Arc<Gate>,
    priority: Priority,
    entered: Instant,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.gate.lock();
        if self.priority == Priority::Commit {
            state.paying -= 1;
            return;
        }
        state.in_flight -= 1;
        let micros = u64::try_from(self.entered.elapsed().as_micros()).unwrap_or(u64::MAX);
        state.latencies.saturating_record(micros.max(1));
    }
}

const fn word(priority: Priority) -> &'static str {
    match priority {
        Priority::Browse => "browse",
        Priority::Hold => "hold",
        Priority::Commit => "commit",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn gate(servers: f64, service_ms: f64) -> Arc<Gate> {
        let tuning = Tuning {
            service_ms,
            ..Tuning::default()
        };
        Arc::new(Gate::new(tuning, servers).unwrap())
    }

    fn fill(gate: &Arc<Gate>, priority: Priority) -> Vec<Permit> {
        std::iter::from_fn(|| gate.try_enter(priority).ok()).collect()
    }

    #[test]
    fn commits_still_enter_when_holds_and_browsing_do_not() {
        let gate = gate(100.0, 100.0);
        let browsing = fill(&gate, Priority::Browse);
        let holding = fill(&gate, Priority::Hold);
        let paying = fill(&gate, Priority::Commit);
        // The limit is 190: 80 % and 90 % of it; and for payments the most there may be.
        let entered = (browsing.len(), holding.len(), paying.len());
        assert_eq!(entered, (152, 19, 1_000));
        let refused = gate.try_enter(Priority::Commit).err().unwrap();
        let seconds = refused.retry_after.as_secs_f64();
        assert!((1.0..=3.0).contains(&seconds), "{seconds} s");
        drop(paying);
        assert!(gate.try_enter(Priority::Hold).is_err());
        assert!(gate.try_enter(Priority::Commit).is_ok());
    }

    #[test]
    fn slow_answers_under_load_lower_the_limit_and_slow_payments_do_not() {
        let gate = gate(20.0, 0.1);
        let (_, before) = gate.load();
        let slow = |priority| {
            let inside = fill(&gate, priority);
            std::thread::sleep(Duration::from_millis(5));
            drop(inside);
            gate.tick();
        };
        slow(Priority::Commit);
        assert_eq!(gate.load(), (0, before));
        for _ in 0..3 {
            slow(Priority::Browse);
        }
        let (_, after) = gate.load();
        assert!(after < 0.9 * before, "{before} -> {after}");
    }

    #[test]
    fn threads_never_exceed_the_limit() {
        let gate = gate(10.0, 100.0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..2_000 {
                        let permit = gate.try_enter(Priority::Hold);
                        let (inside, limit) = gate.load();
                        assert!(f64::from(inside) <= limit);
                        drop(permit);
                    }
                });
            }
        });
        assert_eq!(gate.load().0, 0);
    }
}
