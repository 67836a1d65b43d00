//! Joining the line, asking for the own place, leaving, and claiming the turn.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use usher_base::{EventId, FanId, Lane, Timestamp};
use usher_queue::{
    AccessClaims, ClaimError, JoinError, JoinOrder, Place, QUEUE_TOKEN_LIFETIME, QueueClaims,
};
use utoipa::ToSchema;

use crate::answers::{JoinAnswer, PlaceAnswer};
use crate::api::openapi::Refusal;
use crate::api::{draw, transfer};
use crate::body::JsonBody;
use crate::cookies;
use crate::error::{ApiError, ApiResult};
use crate::identity;
use crate::live::LiveEvent;
use crate::places::{self, Stand};
use crate::state::Edge;

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JoinRequest {
    /// For clients without cookies: the same id gives the same place
    client_join_id: Option<String>,
    /// Another lane than `main`
    #[schema(value_type = Option<String>)]
    lane: Option<Lane>,
    /// Begin anew after a session that ended
    #[serde(default)]
    again: bool,
}

impl JoinRequest {
    /// What pressing the button means: in line, whatever was before.
    pub fn again() -> Self {
        Self {
            again: true,
            ..Self::default()
        }
    }
}

type SetCookie = (HeaderName, HeaderValue);

/// A join as routes and pages make it.
pub struct JoinedPlace {
    pub answer: JoinAnswer,
    pub is_new: bool,
    pub cookies: Vec<SetCookie>,
}

#[utoipa::path(
    post,
    operation_id = "queue_join",
    path = "/api/v1/events/{event}/queue",
    tag = "line",
    summary = "Join the line, or return to the own place",
    params(("event" = String, Path, description = "An event's id")),
    request_body = Option<JoinRequest>,
    responses((status = 201, description = "In line", body = JoinAnswer), (status = 200, description = "The place that was there already", body = JoinAnswer), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn join(
    State(edge): State<Arc<Edge>>,
    Path(event): Path<EventId>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Option<JsonBody<JoinRequest>>,
) -> ApiResult<impl IntoResponse> {
    let request = body.map(|JsonBody(request)| request).unwrap_or_default();
    let joined = join_line(&edge, event, peer, &headers, request).await?;
    let status = if joined.is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let cookies: HeaderMap = joined.cookies.into_iter().collect();
    Ok((status, cookies, Json(joined.answer)))
}

pub async fn join_line(
    edge: &Edge,
    event: EventId,
    peer: SocketAddr,
    headers: &HeaderMap,
    request: JoinRequest,
) -> ApiResult<JoinedPlace> {
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
    let (fan, browser_cookie) = joining_fan(edge, event, headers, &request, returning.as_ref())?;
    let lane = request
        .lane
        .or_else(|| returning.as_ref().map(|claims| claims.lane.clone()));
    let lane = lane.unwrap_or_else(Lane::main);
    if !live.lanes.contains(&lane) {
        return Err(ApiError::not_found("lane"));
    }
    let others: Vec<_> = live
        .lanes
        .iter()
        .filter(|other| **other != lane)
        .cloned()
        .collect();
    let own = returning.filter(|claims| claims.sub == fan);
    let order = JoinOrder {
        event,
        lane: &lane,
        other_lanes: &others,
        fan,
        generation: own.as_ref().map_or(0, |claims| claims.generation),
        old_place: own.as_ref().and_then(QueueClaims::old_place),
        again: request.again,
    };
    let joined = edge.line.join(&order).await.map_err(join_refusal)?;
    metrics::counter!("usher_joins_total", "event" => event.to_string(), "new" => joined.is_new.to_string())
        .increment(1);
    let generation = order.generation;
    let claims = claims_of(edge, fan, &lane, &joined.place, generation);
    let mut answer = answer_join(edge, &live, claims, joined.place, joined.is_new)?;
    answer
        .cookies
        .extend(browser_cookie.map(|cookie| (SET_COOKIE, cookie)));
    Ok(answer)
}

fn joining_fan(
    edge: &Edge,
    event: EventId,
    headers: &HeaderMap,
    request: &JoinRequest,
    returning: Option<&QueueClaims>,
) -> ApiResult<(FanId, Option<HeaderValue>)> {
    if let Some(claims) = returning {
        return Ok((claims.sub, None));
    }
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
    let message = format!("{}.", capitalised(&error.to_string()));
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

/// The own place, for clients without a stream.
#[utoipa::path(
    get,
    operation_id = "queue_place",
    path = "/api/v1/events/{event}/queue",
    tag = "line",
    params(("event" = String, Path, description = "An event's id")),
    responses((status = 200, description = "The place", body = PlaceAnswer), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn place(
    State(edge): State<Arc<Edge>>,
    Path(event): Path<EventId>,
    headers: HeaderMap,
) -> ApiResult<Json<PlaceAnswer>> {
    let live = edge.live_event(event)?;
    let claims = edge.queue_claims_of(event, &headers)?;
    own_place(&edge, &live, claims).await.map(Json)
}

pub async fn own_place(
    edge: &Edge,
    live: &LiveEvent,
    mut claims: QueueClaims,
) -> ApiResult<PlaceAnswer> {
    if live.was_moved(&claims) {
        return Err(usher_base::signing::TokenError::Replaced.into());
    }
    let view = edge.view(live)?;
    let stand = places::stand(edge, live, &view, &claims).await?;
    if let Stand::Waiting { number, .. } = stand {
        claims.number = Some(number);
        live.polled(&claims, edge.clock.now());
    }
    Ok(places::answer(edge, live, &view, &claims, &stand))
}

#[derive(Serialize, ToSchema)]
pub struct LeaveAnswer {
    /// False when there was no place to give up
    left: bool,
}

/// Gives the place up; everybody behind moves at once.
#[utoipa::path(
    delete,
    operation_id = "queue_leave",
    path = "/api/v1/events/{event}/queue",
    tag = "line",
    params(("event" = String, Path, description = "An event's id")),
    responses((status = 200, description = "Done", body = LeaveAnswer), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn leave(
    State(edge): State<Arc<Edge>>,
    Path(event): Path<EventId>,
    headers: HeaderMap,
) -> ApiResult<impl IntoResponse> {
    let claims = edge.queue_claims_of(event, &headers)?;
    let left = leave_line(&edge, event, &claims).await?;
    let cookie = edge.settings.jar.clear(&cookies::queue(event));
    Ok(([(SET_COOKIE, cookie)], Json(LeaveAnswer { left })))
}

pub async fn leave_line(edge: &Edge, event: EventId, claims: &QueueClaims) -> ApiResult<bool> {
    transfer::still_here(edge, event, claims).await?;
    let departed = edge.line.leave(event, &claims.lane, claims.sub).await?;
    Ok(departed.is_some())
}

#[derive(Serialize, ToSchema)]
pub struct ClaimAnswer {
    pub access_token: String,
    #[schema(value_type = String)]
    pub expires_at: Timestamp,
}

/// Opens the session of a fan whose turn it is; again gives the same session.
#[utoipa::path(
    post,
    operation_id = "queue_claim",
    path = "/api/v1/events/{event}/queue/claim",
    tag = "line",
    params(("event" = String, Path, description = "An event's id")),
    responses((status = 200, description = "The session", body = ClaimAnswer), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn claim(
    State(edge): State<Arc<Edge>>,
    Path(event): Path<EventId>,
    headers: HeaderMap,
) -> ApiResult<impl IntoResponse> {
    let claims = edge.queue_claims_of(event, &headers)?;
    let (answer, cookie) = claim_turn(&edge, event, &claims).await?;
    Ok(([(SET_COOKIE, cookie)], Json(answer)))
}

pub async fn claim_turn(
    edge: &Edge,
    event: EventId,
    claims: &QueueClaims,
) -> ApiResult<(ClaimAnswer, HeaderValue)> {
    transfer::still_here(edge, event, claims).await?;
    let session = edge
        .line
        .claim(event, claims.sub)
        .await
        .map_err(claim_refusal)?;
    metrics::counter!("usher_claims_total", "event" => event.to_string()).increment(1);
    let access = AccessClaims::of(claims.sub, &session);
    let (access_token, cookie) = edge.access_token(event, &access, session.ends_at);
    let answer = ClaimAnswer {
        access_token,
        expires_at: session.ends_at,
    };
    Ok((answer, cookie))
}

fn claim_refusal(error: ClaimError) -> ApiError {
    let message = format!("{}.", capitalised(&error.to_string()));
    match error {
        ClaimError::Call(error) => error.into(),
        ClaimError::Ended(reason) => {
            ApiError::new(StatusCode::GONE, error.code(), message).detail("reason", reason.as_str())
        }
        ClaimError::Closed => ApiError::new(StatusCode::GONE, error.code(), message),
        ClaimError::NotAdmitted | ClaimError::Missed => {
            ApiError::new(StatusCode::CONFLICT, error.code(), message)
        }
    }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string());
    first.unwrap_or_default() + chars.as_str()
}
