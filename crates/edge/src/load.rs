//! What admitted fans ask of a booking node: counted as the signals that the
//! admission goes by, and turned away early when the node has enough to do.
//! Whoever shows no valid access is refused by the handlers at no cost, and is
//! no sign of how many people may be inside.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, RawPathParams, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use usher_admission::Gate;
use usher_admission::control::Priority;
use usher_admission::signals::{Outcome, Recorders, SignalRecorder};
use usher_base::EventId;
use usher_queue::{AccessClaims, SessionId};

use crate::error::ApiError;
use crate::live::LiveEvent;
use crate::shopping;
use crate::state::Edge;

/// Sessions remembered as turned away; past this, all are forgotten and their
/// repetitions count as new wishes.
const MAX_TURNED_AWAY: usize = 20_000;
/// A request that ends unanswered after so long is our failure; before it, a
/// client who changed its mind.
const FAILED_AFTER: Duration = Duration::from_secs(5);

/// The inner limiter and the signals of one booking node.
pub struct Load {
    pub gate: Arc<Gate>,
    pub recorders: Arc<Recorders>,
    /// Their next request is the same wish once more.
    turned_away: Mutex<HashSet<SessionId>>,
}

impl Load {
    pub fn new(gate: Arc<Gate>) -> Self {
        Self {
            gate,
            recorders: Arc::default(),
            turned_away: Mutex::default(),
        }
    }

    /// Whether the session's last request was turned away.
    fn remember(&self, session: SessionId, turned_away: bool) -> bool {
        let lock = self.turned_away.lock();
        let mut known = lock.unwrap_or_else(PoisonError::into_inner);
        if !turned_away {
            return known.remove(&session);
        }
        if known.len() >= MAX_TURNED_AWAY {
            known.clear();
        }
        !known.insert(session)
    }
}

/// Middleware of catalog and shop.
pub async fn guard(
    State(edge): State<Arc<Edge>>,
    params: RawPathParams,
    request: Request,
    next: Next,
) -> Response {
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map(MatchedPath::as_str).unwrap_or_default();
    let Some(priority) = priority_of(request.method(), route) else {
        return next.run(request).await;
    };
    let Some(load) = edge.desk.as_ref().map(|desk| &desk.load) else {
        return next.run(request).await;
    };
    let Some((live, access)) = who_asks(&edge, &params, &request) else {
        return next.run(request).await;
    };
    let recorder = load.recorders.of(live.id, edge.clock.now());
    let entered = load.gate.try_enter(priority);
    let is_retry = load.remember(access.session, entered.is_err());
    let mut request_seen = Seen::new(recorder, is_retry);
    match entered {
        Ok(permit) => {
            let response = next.run(request).await;
            drop(permit);
            request_seen.ends(outcome_of(response.status()));
            response
        }
        Err(refused) => {
            request_seen.ends(Outcome::Rejected);
            let message = "Many people are choosing at this moment. Try again in some seconds.";
            ApiError::unavailable("overloaded", message, refused.retry_after).into_response()
        }
    }
}

/// Streams and what opens without a session are not counted.
fn priority_of(method: &Method, route: &str) -> Option<Priority> {
    if route.ends_with("/stream") {
        return None;
    }
    Some(match (method, route) {
        (_, "/api/v1/reservations/{id}/commit") => Priority::Commit,
        (&Method::GET, _) => Priority::Browse,
        _ => Priority::Hold,
    })
}

/// The session behind a request, if it shows one that is alive: that of the
/// event in the path, or else the first of those it shows.
fn who_asks(
    edge: &Edge,
    params: &RawPathParams,
    request: &Request,
) -> Option<(Arc<LiveEvent>, AccessClaims)> {
    let headers = request.headers();
    let named = params.iter().find(|(name, _)| *name == "event");
    let events: Vec<EventId> = match named {
        Some((_, event)) => event.parse().into_iter().collect(),
        None => shopping::shown_events(headers),
    };
    events.into_iter().find_map(|event| {
        let live = edge.live.event(event)?;
        let access = edge.access_of(&live, headers).ok()?;
        Some((live, access))
    })
}

fn outcome_of(status: StatusCode) -> Outcome {
    match status {
        StatusCode::SERVICE_UNAVAILABLE => Outcome::Rejected,
        status if status.is_server_error() => Outcome::Failed,
        _ => Outcome::Served,
    }
}

/// One request, recorded however it ends: answered, or dropped by our timeout.
struct Seen {
    recorder: Option<Arc<SignalRecorder>>,
    is_retry: bool,
    began: Instant,
}

impl Seen {
    fn new(recorder: Option<Arc<SignalRecorder>>, is_retry: bool) -> Self {
        Self {
            recorder,
            is_retry,
            began: Instant::now(),
        }
    }

    fn ends(&mut self, outcome: Outcome) {
        let Some(recorder) = self.recorder.take() else {
            return;
        };
        let latency = self.began.elapsed();
        if self.is_retry {
            recorder.record_retry(latency, outcome);
        } else {
            recorder.record(latency, outcome);
        }
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        if self.began.elapsed() >= FAILED_AFTER {
            self.ends(Outcome::Failed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paying_comes_before_holding_before_looking_and_streams_are_not_counted() {
        let of = |method: &Method, route| priority_of(method, route);
        let reservation = "/api/v1/reservations/{id}";
        let commit = "/api/v1/reservations/{id}/commit";
        assert_eq!(of(&Method::POST, commit), Some(Priority::Commit));
        assert_eq!(of(&Method::DELETE, reservation), Some(Priority::Hold));
        assert_eq!(of(&Method::GET, reservation), Some(Priority::Browse));
        let stream = "/api/v1/events/{event}/seatmap/stream";
        assert_eq!(of(&Method::GET, stream), None);
    }

    #[test]
    fn our_own_refusals_and_failures_are_told_apart() {
        assert_eq!(outcome_of(StatusCode::CONFLICT), Outcome::Served);
        let unavailable = StatusCode::SERVICE_UNAVAILABLE;
        assert_eq!(outcome_of(unavailable), Outcome::Rejected);
        let internal = StatusCode::INTERNAL_SERVER_ERROR;
        assert_eq!(outcome_of(internal), Outcome::Failed);
    }
}
