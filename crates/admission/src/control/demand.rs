//! What people inside ask of the backend: requests/s each (lambda), requests in one session (R), session ends/s (d).

use serde::{Deserialize, Serialize};

use super::ewma::Ewma;
use super::signals::share;
use super::tuning::Tuning;

/// People that the assumed lambda counts as: in a filling room everybody has just made a first request, and lambda
/// looks high.
const PRIOR_PEOPLE: f64 = 50.0;
/// Sessions that the assumed R counts as.
const PRIOR_SESSIONS: f64 = 20.0;
/// Time constant of R in seconds: several sessions long.
const SESSION_MEMORY_S: f64 = 600.0;
/// About half a session, in seconds.
const HALF_SESSION_S: f64 = 60.0;

/// Estimates of demand.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Demand {
    requests: Ewma,
    inside: Ewma,
    ends: Ewma,
    begun: Ewma,
    requests_sum: f64,
    sessions_sum: f64,
}

impl Demand {
    /// Takes one tick with signals: first attempts/s, people inside. While the backend rejects, fans are held up in
    /// retries and make fewer first attempts than they would; lambda may then rise but not fall.
    pub fn observe(
        &mut self,
        requests: f64,
        inside: f64,
        rejecting: bool,
        dt_s: f64,
        tuning: &Tuning,
    ) {
        let floor = if rejecting {
            self.per_inside(tuning) * inside
        } else {
            0.0
        };
        self.requests
            .push(requests.max(floor), dt_s, tuning.demand_ewma_s);
        self.inside.push(inside, dt_s, tuning.demand_ewma_s);
    }

    /// Takes the session ends of a tick.
    pub fn ended(&mut self, ends: f64, dt_s: f64, tuning: &Tuning) {
        self.ends.push(ends / dt_s, dt_s, tuning.ends_ewma_s);
    }

    /// Counts requests against sessions begun, these later by about half a session: requests follow the beginning,
    /// and a filling room would make sessions look short. Ends would mislead where fans leave silently.
    pub fn count_sessions(&mut self, requests: f64, begun: f64, dt_s: f64) {
        let keep = (-dt_s / SESSION_MEMORY_S).exp();
        self.begun.push(begun / dt_s, dt_s, HALF_SESSION_S);
        self.requests_sum = self.requests_sum * keep + requests * dt_s;
        self.sessions_sum = self.sessions_sum * keep + self.begun.get() * dt_s;
    }

    /// Requests/s of one person inside (lambda), never 0.
    pub fn per_inside(&self, tuning: &Tuning) -> f64 {
        let prior = PRIOR_PEOPLE * tuning.requests_per_inside_prior;
        let lambda = (self.requests.get() + prior) / (self.inside.get() + PRIOR_PEOPLE);
        lambda.max(1e-6)
    }

    /// Requests in one session (R), at least 1.
    pub fn per_session(&self, tuning: &Tuning) -> f64 {
        let prior = PRIOR_SESSIONS * tuning.requests_per_session_prior;
        share(
            self.requests_sum + prior,
            self.sessions_sum + PRIOR_SESSIONS,
        )
        .max(1.0)
    }

    /// Session ends/s (d).
    pub fn ends_per_s(&self) -> f64 {
        self.ends.get()
    }

    /// People/s who stop asking for more, seen to end or not: silent leavers only show in the requests they do not
    /// make, and the rate that replaces them must not wait for their sessions to expire.
    pub fn leaving_per_s(&self, tuning: &Tuning) -> f64 {
        self.ends
            .get()
            .max(self.requests.get() / self.per_session(tuning))
    }
}
