//! Joining: who arrives (a token, a client's id, a browser), by which door, and the
//! place that is given. Routes and pages, with and without an invite code, join here.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use usher_base::{EventId, FanId, Lane};
use usher_queue::pg::InviteError;
use usher_queue::{Identity, JoinError, JoinOrder, Place, QUEUE_TOKEN_LIFETIME, QueueClaims};

use crate::answers::JoinAnswer;
use crate::api::admin::lines::refusal;
use crate::api::draw;
use crate::api::queue::JoinRequest;
use crate::cookies;
use crate::error::{ApiError, ApiResult, sentence};
use crate::identity;
use crate::live::LiveEvent;
use crate::places::{self, Stand};
use crate::shop;
use crate::state::Edge;

type SetCookie = (HeaderName, HeaderValue);

/// A join as routes and pages make it.
pub struct JoinedPlace {
    pub answer: JoinAnswer,
    pub is_new: bool,
    pub cookies: Vec<SetCookie>,
}

impl JoinedPlace {
    pub fn into_answer(self) -> Response {
        let status = if self.is_new {
            StatusCode::CREATED
        } else {
            StatusCode::OK
        };
        let cookies: HeaderMap = self.cookies.into_iter().collect();
        (status, cookies, Json(self.answer)).into_response()
    }
}

/// Somebody who wants to join and may ask so often.
struct Arrival {
    live: Arc<LiveEvent>,
    from: IpAddr,
    fan: FanId,
    browser_cookie: Option<HeaderValue>,
    returning: Option<QueueClaims>,
    /// By the shop's word.
    is_known: bool,
}

pub async fn join_line(
    edge: &Edge,
    event: EventId,
    peer: SocketAddr,
    headers: &HeaderMap,
    request: JoinRequest,
) -> ApiResult<JoinedPlace> {
    let arrival = arrive(edge, event, peer, headers, &request)?;
    let cookie = arrival.browser_cookie.clone();
    let joined = at_the_door(edge, arrival, request).await;
    joined.map_err(|refused| refused.with_cookie(cookie))
}

async fn at_the_door(
    edge: &Edge,
    arrival: Arrival,
    request: JoinRequest,
) -> ApiResult<JoinedPlace> {
    arrival.prove(edge, &request).await?;
    let own = arrival.own_place();
    let lane = request
        .lane
        .or_else(|| own.map(|claims| claims.lane.clone()))
        .unwrap_or_else(Lane::main);
    let door = arrival.live.door(&lane);
    let door = door.ok_or_else(|| ApiError::not_found("lane"))?;
    // Whoever stood in this lane was let in by its door.
    if door.needs_code && own.is_none_or(|claims| claims.lane != lane) {
        return Err(code_required(&lane));
    }
    enter(edge, arrival, &lane, request.again).await
}

/// Joins the lane that an invite code opens. Only roles with Postgres can: each
/// use is counted there.
pub async fn join_with_code(
    edge: &Edge,
    event: EventId,
    peer: SocketAddr,
    headers: &HeaderMap,
    code: &str,
    request: JoinRequest,
) -> ApiResult<JoinedPlace> {
    edge.desk()?;
    let arrival = arrive(edge, event, peer, headers, &request)?;
    let cookie = arrival.browser_cookie.clone();
    let joined = at_the_code_door(edge, arrival, code, &request).await;
    joined.map_err(|refused| refused.with_cookie(cookie))
}

async fn at_the_code_door(
    edge: &Edge,
    arrival: Arrival,
    code: &str,
    request: &JoinRequest,
) -> ApiResult<JoinedPlace> {
    arrival.prove(edge, request).await?;
    let (event, now) = (arrival.live.id, edge.clock.now());
    let desk = edge.desk()?;
    let turn = desk.code_turns.take().await?;
    // The same fan again uses nothing up, so a join that is refused below may be repeated.
    let used = desk.lines.use_invite(event, code, arrival.fan, now);
    let lane = used.await.map_err(invite_refusal)?;
    drop(turn);
    enter(edge, arrival, &lane, request.again).await
}

fn arrive(
    edge: &Edge,
    event: EventId,
    peer: SocketAddr,
    headers: &HeaderMap,
    request: &JoinRequest,
) -> ApiResult<Arrival> {
    let client = edge.settings.proxies.client(peer, headers);
    edge.join_limit.check(client)?;
    edge.network_join_limit.check(client)?;
    let live = edge.live_event(event)?;
    // A token that is there but cannot be read is an error, not a new place.
    let returning = match cookies::bearer(headers) {
        Some(token) => Some(edge.queue_claims(event, token)?),
        None => cookies::read(headers, &cookies::queue(event))
            .and_then(|token| edge.queue_claims(event, token).ok()),
    };
    let vouched = match &request.assertion {
        Some(assertion) => Some(edge.vouched(&live, assertion)?),
        None if cookies::bearer(headers).is_none() => edge.known_to_shop(&live, headers),
        None => None,
    };
    let (fan, browser_cookie) = match vouched {
        Some(fan) => (fan, None),
        None => joining_fan(edge, &live, headers, request, returning.as_ref())?,
    };
    Ok(Arrival {
        live,
        from: client,
        fan,
        browser_cookie,
        returning,
        is_known: vouched.is_some(),
    })
}

impl Arrival {
    /// Whoever is vouched for, or comes back with a token, has nothing to prove.
    async fn prove(&self, edge: &Edge, request: &JoinRequest) -> ApiResult<()> {
        edge.join_pace.count(edge.clock.now());
        if self.is_known || self.own_place().is_some() {
            return Ok(());
        }
        let fan = self.fan;
        edge.ask_for_proof(&self.live, fan, self.from, request)
            .await
    }

    /// What the token proves, if it is this fan's.
    fn own_place(&self) -> Option<&QueueClaims> {
        self.returning
            .as_ref()
            .filter(|claims| claims.sub == self.fan)
    }
}

async fn enter(edge: &Edge, arrival: Arrival, lane: &Lane, again: bool) -> ApiResult<JoinedPlace> {
    let live = &arrival.live;
    let own = arrival.own_place();
    let generation = if arrival.is_known {
        // The shop's word is as good as the newest token of the place.
        edge.line.generation(live.id, arrival.fan).await?
    } else {
        own.map_or(0, |claims| claims.generation)
    };
    let order = JoinOrder {
        event: live.id,
        lane,
        other_lanes: &live.lanes_besides(lane),
        fan: arrival.fan,
        generation,
        old_place: own.and_then(QueueClaims::old_place),
        again,
    };
    let joined = edge.line.join(&order).await.map_err(join_refusal)?;
    metrics::counter!("usher_joins_total", "event" => live.id.to_string(), "new" => joined.is_new.to_string())
        .increment(1);
    let claims = claims_of(edge, order.fan, lane, &joined.place, order.generation);
    let mut answer = answer_join(edge, live, claims, joined.place, joined.is_new)?;
    answer
        .cookies
        .extend(arrival.browser_cookie.map(|cookie| (SET_COOKIE, cookie)));
    Ok(answer)
}

fn joining_fan(
    edge: &Edge,
    live: &LiveEvent,
    headers: &HeaderMap,
    request: &JoinRequest,
    returning: Option<&QueueClaims>,
) -> ApiResult<(FanId, Option<HeaderValue>)> {
    if let Some(claims) = returning {
        return Ok((claims.sub, None));
    }
    if shop::mode(&*edge.view(live)?) == Identity::Required {
        return Err(shop::assertion_required());
    }
    let event = live.id;
    if let Some(join_id) = &request.client_join_id {
        return Ok((identity::fan_of_join_id(event, join_id)?, None));
    }
    let (browser, cookie) = edge.browser(headers);
    Ok((identity::fan_of_browser(event, browser), cookie))
}

fn claims_of(edge: &Edge, fan: FanId, lane: &Lane, place: &Place, generation: u32) -> QueueClaims {
    let number = match place {
        Place::Waiting { number } | Place::Admitted { number, .. } => Some(*number),
        Place::Active(session) => Some(session.number),
        Place::Gathering { .. } | Place::Ended(_) | Place::Unknown => None,
    };
    QueueClaims {
        sub: fan,
        lane: lane.clone(),
        number,
        epoch: edge.redis.epoch(),
        generation,
    }
}

fn answer_join(
    edge: &Edge,
    live: &LiveEvent,
    claims: QueueClaims,
    place: Place,
    is_new: bool,
) -> ApiResult<JoinedPlace> {
    let view = edge.view(live)?;
    let now = edge.clock.now();
    let queue_token = claims.issue(&edge.tokens, live.id, now, &mut rand::rng());
    let receipt = draw::receipt(edge, live, &claims, &place);
    let stand = match place {
        Place::Waiting { number } => Stand::Waiting {
            number,
            ahead: places::ahead_of(&view, &claims, number),
        },
        Place::Gathering { .. } => Stand::Gathering,
        Place::Admitted { claim_by, .. } => Stand::Admitted { claim_by },
        Place::Active(session) => Stand::Inside(session),
        Place::Ended(_) | Place::Unknown => Stand::Absent,
    };
    live.polled(&claims, now);
    let lifetime = QUEUE_TOKEN_LIFETIME.as_secs() as u32;
    let cookie = edge
        .settings
        .jar
        .set(&cookies::queue(live.id), &queue_token, lifetime);
    let place = places::answer(edge, live, &view, &claims, &stand);
    Ok(JoinedPlace {
        answer: JoinAnswer {
            queue_token,
            receipt,
            place,
        },
        is_new,
        cookies: vec![(SET_COOKIE, cookie)],
    })
}

fn join_refusal(error: JoinError) -> ApiError {
    let message = sentence(&error);
    match error {
        JoinError::Call(error) => error.into(),
        JoinError::Full => ApiError::new(StatusCode::SERVICE_UNAVAILABLE, error.code(), message)
            .retry_after(Duration::from_secs(30)),
        JoinError::NotOpen => ApiError::new(StatusCode::CONFLICT, error.code(), message)
            .retry_after(Duration::from_secs(10)),
        JoinError::Closed => ApiError::new(StatusCode::GONE, error.code(), message),
        JoinError::Replaced => ApiError::new(StatusCode::UNAUTHORIZED, error.code(), message),
        JoinError::InAnotherLane(ref lane) => {
            let lane = lane.to_string();
            ApiError::new(StatusCode::CONFLICT, error.code(), message).detail("lane", lane)
        }
    }
}

fn code_required(lane: &Lane) -> ApiError {
    let message = "This lane is for invited fans; send its code to .../queue/code to join it.";
    ApiError::new(StatusCode::FORBIDDEN, "code_required", message).detail("lane", lane.as_str())
}

fn invite_refusal(error: InviteError) -> ApiError {
    let message = sentence(&error);
    match error {
        InviteError::Unknown => {
            ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, error.code(), message)
        }
        InviteError::Expired | InviteError::UsedUp => {
            ApiError::new(StatusCode::GONE, error.code(), message)
        }
        InviteError::Store(error) => refusal(error),
    }
}
