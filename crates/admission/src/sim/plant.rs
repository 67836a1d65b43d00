//! What is simulated: a backend, its fans and their habits. Two models: `A`, on which the defaults were found, and
//! `B`, which was written once and never tuned on: other service times, think times and sessions, and fans who
//! succeed think longer than those who only look.

use super::draw::Spread;

/// A backend and its fans.
#[derive(Debug, Clone)]
pub struct Plant {
    /// Short name, as in tables and file names.
    pub name: &'static str,
    /// Requests served at once.
    pub servers: u32,
    /// Service time in seconds.
    pub service: Spread,
    /// Time between a fan's requests in seconds, before the factors below.
    pub think: Spread,
    /// Think times of fans who will hold are so many times longer.
    pub buyer_think: f64,
    /// Think times of the others.
    pub browser_think: f64,
    /// Fewest and most requests in a session.
    pub requests: (u32, u32),
    /// Share of the released who never come.
    pub no_show: f64,
    /// Delay from release to claim in seconds.
    pub pickup: Spread,
    /// Share of sessions that want to hold seats.
    pub hold_share: f64,
    /// Share of holds that are left to expire.
    pub abandon: f64,
    /// Seconds a hold lasts.
    pub hold_s: f64,
    /// Share of sessions that end without a word.
    pub silent: f64,
    /// Seconds after which a session ends whatever its fan does.
    pub session_s: f64,
    /// Tries at one request before a fan gives up.
    pub tries: u32,
}

impl Plant {
    /// The model the defaults were found on: 20 servers of 100 ms.
    pub fn a() -> Self {
        Self {
            name: "A",
            servers: 20,
            service: Spread::Lognormal { mean: 0.1, cv: 0.5 },
            think: Spread::Exponential { mean: 10.0 },
            buyer_think: 1.0,
            browser_think: 1.0,
            requests: (4, 20),
            no_show: 0.3,
            pickup: Spread::Lognormal { mean: 8.0, cv: 0.8 },
            hold_share: 0.6,
            abandon: 0.1,
            hold_s: 300.0,
            silent: 0.1,
            session_s: 600.0,
            tries: 6,
        }
    }

    /// The model that nothing was tuned on: 18 servers of 80 ms, one request in eight four times slower than the
    /// rest, shorter sessions, longer and steadier think times, which tell buyers from lookers.
    pub fn b() -> Self {
        Self {
            name: "B",
            servers: 18,
            service: Spread::TwoKinds {
                mean: 0.08,
                slow_share: 0.125,
                slow_by: 4.0,
            },
            think: Spread::Lognormal {
                mean: 14.0,
                cv: 0.6,
            },
            buyer_think: 1.3,
            browser_think: 0.6,
            requests: (3, 13),
            no_show: 0.25,
            pickup: Spread::TwoKinds {
                mean: 10.0,
                slow_share: 0.2,
                slow_by: 5.0,
            },
            hold_share: 0.45,
            abandon: 0.15,
            hold_s: 300.0,
            silent: 0.2,
            session_s: 600.0,
            tries: 4,
        }
    }

    /// Requests/s it can serve.
    pub fn capacity(&self) -> f64 {
        f64::from(self.servers) / self.service.mean()
    }

    /// Mean requests of a session.
    pub fn requests_mean(&self) -> f64 {
        f64::from(self.requests.0 + self.requests.1) / 2.0
    }

    /// Mean seconds between the requests of one session, over all sessions.
    pub fn think_mean_s(&self) -> f64 {
        let factor =
            self.hold_share * self.buyer_think + (1.0 - self.hold_share) * self.browser_think;
        self.think.mean() * factor
    }

    /// Mean seconds a session lasts without overload.
    pub fn session_mean_s(&self) -> f64 {
        (self.requests_mean() - 1.0) * self.think_mean_s()
            + self.requests_mean() * self.service.mean()
    }

    /// The release rate, people/s, that just uses the capacity.
    pub fn perfect_rate(&self) -> f64 {
        self.capacity() / (self.requests_mean() * (1.0 - self.no_show))
    }

    /// People inside when the capacity is just used and sessions end as they are told.
    pub fn perfect_inside(&self) -> f64 {
        self.capacity() * self.session_mean_s() / self.requests_mean()
    }
}
