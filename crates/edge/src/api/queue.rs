//! Joining the line, asking for the own place, leaving, and claiming the turn.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use usher_base::{EventId, Lane, Timestamp};
use usher_queue::{AccessClaims, ClaimError, QueueClaims};
use utoipa::ToSchema;

use crate::answers::{JoinAnswer, PlaceAnswer};
use crate::api::openapi::Refusal;
use crate::api::transfer;
use crate::body::JsonBody;
use crate::cookies;
use crate::error::{ApiError, ApiResult, sentence};
use crate::joining::join_line;
use crate::live::LiveEvent;
use crate::places::{self, Stand};
use crate::state::Edge;

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JoinRequest {
    /// For clients without cookies, a secret nobody guesses: the same id gives the same place
    pub client_join_id: Option<String>,
    /// Another lane than `main`
    #[schema(value_type = Option<String>)]
    pub lane: Option<Lane>,
    /// Begin anew after a session that ended
    #[serde(default)]
    pub again: bool,
    /// A JWT of the shop that says who this is: docs/identity.md
    pub assertion: Option<String>,
    /// The solution of the puzzle, where joining asks for one: docs/abuse.md
    pub puzzle: Option<String>,
    /// The token of the CAPTCHA, where joining asks for one: docs/abuse.md
    pub captcha: Option<String>,
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
    Ok(joined.into_answer())
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
    let message = sentence(&error);
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
