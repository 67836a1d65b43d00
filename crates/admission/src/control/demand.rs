//! What people inside ask of the backend: requests/s each (lambda), requests in one session (R), session ends/s (d).

use serde::{Deserialize, Serialize};

use super::ewma::Ewma;
use super::signals::{Signals, share};
use super::tuning::Tuning;

/// People that the assumed lambda counts as before anybody was seen: in a filling room everybody has just made a first
/// request, and lambda looks high.
const PRIOR_PEOPLE: f64 = 50.0;
/// Sessions seen that halve their weight: a crowd that asks for little would else never be believed.
const PRIOR_FADES_OVER: f64 = 50.0;
/// Share of the people inside who ask for something new, at least, however many are refused.
const ASKING_MIN: f64 = 0.3;
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
    /// Takes one tick with signals, and the people inside. Who was refused waits to try again and asks for nothing new
    /// meanwhile; counted as a quiet person, the crowd would seem to ask for less, and more would be let in into the
    /// overload.
    pub fn observe(&mut self, signals: &Signals, inside: f64, dt_s: f64, tuning: &Tuning) {
        let held_up = signals.rejects * tuning.retry_after_ms / 1_000.0;
        let asking = (inside - held_up).max(ASKING_MIN * inside);
        self.requests
            .push(signals.requests, dt_s, tuning.demand_ewma_s);
        self.inside.push(asking, dt_s, tuning.demand_ewma_s);
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
        let people = PRIOR_PEOPLE * PRIOR_FADES_OVER / (PRIOR_FADES_OVER + self.sessions_sum);
        let prior = people * tuning.requests_per_inside_prior;
        let lambda = (self.requests.get() + prior) / (self.inside.get() + people);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Lambda after ten minutes of these seconds, in a room that begins one session a second.
    fn lambda(signals: &Signals, inside: f64) -> f64 {
        let tuning = Tuning::default();
        let mut demand = Demand::default();
        for _ in 0..600 {
            demand.observe(signals, inside, 1.0, &tuning);
            demand.count_sessions(signals.requests, 1.0, 1.0);
        }
        demand.per_inside(&tuning)
    }

    fn second(requests: f64, completed: f64, rejects: f64) -> Signals {
        Signals {
            requests,
            completed,
            rejects,
            ..Signals::default()
        }
    }

    #[test]
    fn who_waits_to_try_again_is_not_taken_for_quiet() {
        // 100 refused a second wait 2 s each: 200 of the 1,000 ask for nothing new.
        let calm = lambda(&second(100.0, 100.0, 0.0), 1_000.0);
        let refused = lambda(&second(80.0, 80.0, 100.0), 1_000.0);
        assert!((refused / calm - 1.0).abs() < 0.01, "{calm} {refused}");
    }

    #[test]
    fn a_storm_of_retries_leaves_some_who_ask() {
        let lambda = lambda(&second(10.0, 10.0, 10_000.0), 1_000.0);
        assert!(lambda < 10.0 / (ASKING_MIN * 1_000.0) * 1.1, "{lambda}");
    }

    #[test]
    fn a_crowd_that_asks_for_little_is_believed_once_it_was_seen() {
        let lambda = lambda(&second(1.0, 1.0, 0.0), 100.0);
        assert!((lambda - 0.01).abs() < 0.005, "{lambda}");
    }
}
