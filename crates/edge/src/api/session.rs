//! The end of a visit by the fan's own word: whoever is done gives the place inside
//! back at once, and the next in line need not wait for the session's time to run out.
//! A shop that is not usher's calls it with the access token that its fan shows.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::IntoResponse;
use usher_base::EventId;
use usher_base::redis::{Hint, HintKind};

use crate::api::openapi::Refusal;
use crate::cookies;
use crate::error::ApiResult;
use crate::state::Edge;

#[utoipa::path(
    delete,
    operation_id = "session_finish",
    path = "/api/v1/events/{event}/session",
    tag = "line",
    summary = "Give the place inside back",
    description = "For fans who are done. Holds that are not paid for run out by themselves.",
    params(("event" = String, Path, description = "An event's id")),
    responses((status = 204, description = "The session is over"), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn finish(
    State(edge): State<Arc<Edge>>,
    Path(event): Path<EventId>,
    headers: HeaderMap,
) -> ApiResult<impl IntoResponse> {
    let cookie = finish_session(&edge, event, &headers).await?;
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, cookie)]))
}

/// The cookie that takes the access token from the browser.
pub async fn finish_session(
    edge: &Edge,
    event: EventId,
    headers: &HeaderMap,
) -> ApiResult<HeaderValue> {
    let live = edge.live_event(event)?;
    let access = edge.access_of(&live, headers)?;
    edge.line
        .finish(event, &access.lane, access.sub, access.number)
        .await?;
    // A lost hint costs a tick.
    let kind = HintKind::Changed;
    let _ = edge.redis.hint(Hint { event, kind }).await;
    Ok(edge.settings.jar.clear(&cookies::access(event)))
}
