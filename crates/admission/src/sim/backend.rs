//! The simulated backend: servers, a queue, the real inner limiter in front of it, and what may befall it (fewer
//! servers, slower ones, stalls, an outage).

use std::collections::VecDeque;

use super::draw::{Draw, Spread};
use crate::control::{Limiter, Priority, Tuning};

/// A request that waited longer than this is given up, in microseconds.
const TIMEOUT_US: u64 = 10_000_000;
/// How long a stall lasts, in microseconds.
pub(super) const STALL_US: u64 = 3_000_000;

/// A request inside the backend.
#[derive(Debug, Clone, Copy)]
pub(super) struct Job {
    pub(super) fan: u32,
    pub(super) since_us: u64,
}

/// What the backend counted since it was last asked.
#[derive(Debug, Default)]
pub(super) struct Counted {
    pub(super) rejects: u32,
    pub(super) errors: u32,
    pub(super) latencies_us: Vec<u32>,
}

/// Service begun: finished at this time unless a stall comes between.
pub(super) struct Begun {
    pub(super) job: Job,
    pub(super) done_us: u64,
}

pub(super) struct Backend {
    pub(super) servers: u32,
    pub(super) slower: f64,
    pub(super) outage: bool,
    pub(super) stalled_until_us: u64,
    service: Spread,
    busy: u32,
    queue: VecDeque<Job>,
    limiter: Limiter,
    tuning: Tuning,
    peak_in_flight: u32,
    recent_us: Vec<u32>,
    pub(super) counted: Counted,
}

impl Backend {
    pub(super) fn new(servers: u32, service: Spread, tuning: Tuning) -> Self {
        Self {
            servers,
            slower: 1.0,
            outage: false,
            stalled_until_us: 0,
            service,
            busy: 0,
            queue: VecDeque::new(),
            limiter: Limiter::new(&tuning, f64::from(servers)),
            tuning,
            peak_in_flight: 0,
            recent_us: Vec::new(),
            counted: Counted::default(),
        }
    }

    fn in_flight(&self) -> u32 {
        self.busy + self.queue.len() as u32
    }

    /// Requests/s it can do right now.
    pub(super) fn capacity(&self, now_us: u64) -> f64 {
        if self.outage || now_us < self.stalled_until_us {
            return 0.0;
        }
        f64::from(self.servers) / (self.service.mean() * self.slower)
    }

    /// Takes a request; false when it is refused (the limiter) or fails at once (the outage).
    pub(super) fn submit(&mut self, job: Job, priority: Priority) -> bool {
        if self.outage {
            self.counted.errors += 1;
            return false;
        }
        if !self
            .limiter
            .admits(priority, self.in_flight(), &self.tuning)
        {
            self.counted.rejects += 1;
            return false;
        }
        self.queue.push_back(job);
        self.peak_in_flight = self.peak_in_flight.max(self.in_flight());
        true
    }

    /// Starts the next waiting request if a server is free.
    pub(super) fn begin(&mut self, now_us: u64, draw: &mut Draw) -> Option<Begun> {
        if self.busy >= self.servers {
            return None;
        }
        let job = self.queue.pop_front()?;
        self.busy += 1;
        let service_us = (draw.from(&self.service) * self.slower * 1e6) as u64;
        let done_us = now_us.max(self.stalled_until_us) + service_us;
        Some(Begun { job, done_us })
    }

    /// A server finished; true when the request was answered well.
    pub(super) fn finish(&mut self, job: Job, now_us: u64) -> bool {
        self.busy -= 1;
        let took_us = now_us - job.since_us;
        if self.outage || took_us > TIMEOUT_US {
            self.counted.errors += 1;
            return false;
        }
        self.recent_us.push(took_us as u32);
        self.counted.latencies_us.push(took_us as u32);
        true
    }

    /// The limiter's 250 ms.
    pub(super) fn tick_limiter(&mut self) {
        let p50_ms = quantile_ms(&mut self.recent_us, 0.5);
        self.limiter.tick(p50_ms, self.peak_in_flight, &self.tuning);
        self.recent_us.clear();
        self.peak_in_flight = self.in_flight();
    }

    /// Mean Retry-After with jitter, in microseconds.
    pub(super) fn retry_after_us(&self, draw: &mut Draw) -> u64 {
        u64::from(Limiter::retry_after_ms(draw.unit(), &self.tuning)) * 1_000
    }
}

/// The quantile in ms, `None` of nothing. Reorders its input.
pub(super) fn quantile_ms(latencies_us: &mut [u32], share: f64) -> Option<f64> {
    if latencies_us.is_empty() {
        return None;
    }
    let rank = (share * latencies_us.len() as f64).ceil() as usize;
    let index = rank.clamp(1, latencies_us.len()) - 1;
    let (_, value, _) = latencies_us.select_nth_unstable(index);
    Some(f64::from(*value) / 1_000.0)
}
