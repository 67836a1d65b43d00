//! A place moves to another device: the old one makes a code, the new one uses
//! it, and from then on tokens of the old one are refused.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::http::header::SET_COOKIE;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use usher_base::redis::{Hint, HintKind};
use usher_base::signing::TokenError;
use usher_base::{EventId, Timestamp};
use usher_queue::{
    QUEUE_TOKEN_LIFETIME, QueueClaims, TRANSFER_LIFETIME, TransferError, TransferGrant,
};
use utoipa::ToSchema;

use crate::api::openapi::Refusal;
use crate::cookies;
use crate::error::{ApiError, ApiResult};
use crate::state::Edge;

#[derive(Serialize, ToSchema)]
pub struct TransferAnswer {
    /// Worth the place: show it to nobody
    pub code: String,
    /// A page that takes the code on the other device
    pub url: String,
    #[schema(value_type = String)]
    pub expires_at: Timestamp,
}

#[utoipa::path(
    post,
    operation_id = "queue_transfer",
    path = "/api/v1/events/{event}/queue/transfer",
    tag = "line",
    summary = "A code that moves the own place to another device, once and within two minutes",
    params(("event" = String, Path, description = "An event's id")),
    responses((status = 200, description = "Done", body = TransferAnswer), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn offer(
    State(edge): State<Arc<Edge>>,
    Path(event): Path<EventId>,
    headers: HeaderMap,
) -> ApiResult<Json<TransferAnswer>> {
    offer_place(&edge, event, &headers).await.map(Json)
}

pub async fn offer_place(
    edge: &Edge,
    event: EventId,
    headers: &HeaderMap,
) -> ApiResult<TransferAnswer> {
    let claims = edge.queue_claims_of(event, headers)?;
    still_here(edge, event, &claims).await?;
    let now = edge.clock.now();
    let code = TransferGrant(claims).issue(&edge.keys, event, now, &mut rand::rng());
    let base = &edge.settings.public_url;
    Ok(TransferAnswer {
        url: format!("{base}/e/{event}/here?code={code}"),
        expires_at: now.plus(TRANSFER_LIFETIME),
        code,
    })
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TransferForm {
    pub code: String,
}

#[derive(Serialize, ToSchema)]
pub struct MovedAnswer {
    /// Of the place on this device; older ones are refused
    queue_token: String,
}

#[utoipa::path(
    post,
    operation_id = "queue_transfer_take",
    path = "/api/v1/events/{event}/queue/transfer/take",
    tag = "line",
    summary = "Take a place over with its code",
    params(("event" = String, Path, description = "An event's id")),
    request_body = TransferForm,
    responses((status = 200, description = "Done", body = MovedAnswer), (status = "default", description = "Refused", body = Refusal)),
)]
pub async fn take(
    State(edge): State<Arc<Edge>>,
    Path(event): Path<EventId>,
    Json(form): Json<TransferForm>,
) -> ApiResult<impl IntoResponse> {
    let queue_token = take_place(&edge, event, &form.code).await?;
    let cookie = cookie_of(&edge, event, &queue_token);
    Ok(([(SET_COOKIE, cookie)], Json(MovedAnswer { queue_token })))
}

/// The queue token of the place on its new device.
pub async fn take_place(edge: &Edge, event: EventId, code: &str) -> ApiResult<String> {
    let now = edge.clock.now();
    let TransferGrant(mut claims) = TransferGrant::verify(&edge.keys, event, code, now)?;
    let moved = edge
        .line
        .transfer(event, claims.sub, claims.generation)
        .await;
    claims.generation = moved.map_err(|error| match error {
        TransferError::Replaced => TokenError::Replaced.into(),
        TransferError::Call(error) => ApiError::from(error),
    })?;
    metrics::counter!("usher_places_moved_total", "event" => event.to_string()).increment(1);
    // A lost hint lets the old device hear of it a tick later.
    let kind = HintKind::Changed;
    let _ = edge.redis.hint(Hint { event, kind }).await;
    Ok(claims.issue(&edge.tokens, event, now, &mut rand::rng()))
}

pub fn cookie_of(edge: &Edge, event: EventId, token: &str) -> axum::http::HeaderValue {
    let lifetime = QUEUE_TOKEN_LIFETIME.as_secs() as u32;
    edge.settings
        .jar
        .set(&cookies::queue(event), token, lifetime)
}

/// Refuses a token whose place moved on. Asks Redis, because an edge that began
/// after the move has not heard of it; for what happens once a fan, not each tick.
pub async fn still_here(edge: &Edge, event: EventId, claims: &QueueClaims) -> ApiResult<()> {
    if edge.line.generation(event, claims.sub).await? > claims.generation {
        return Err(TokenError::Replaced.into());
    }
    Ok(())
}
