//! Joining with an invite code: its own path, because each use is counted in
//! Postgres and so only the booking role can take it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use usher_base::EventId;
use utoipa::ToSchema;

use super::queue::JoinRequest;
use crate::answers::JoinAnswer;
use crate::api::openapi::Refusal;
use crate::body::JsonBody;
use crate::error::ApiResult;
use crate::joining::join_with_code;
use crate::state::Edge;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CodeForm {
    /// As the organiser gave it
    code: String,
    /// For clients without cookies: the same id gives the same place
    client_join_id: Option<String>,
    /// Begin anew after a session that ended
    #[serde(default)]
    again: bool,
    /// A JWT of the shop that says who this is: docs/identity.md
    assertion: Option<String>,
    /// The solution of the puzzle, where joining asks for one: docs/abuse.md
    puzzle: Option<String>,
    /// The token of the CAPTCHA, where joining asks for one: docs/abuse.md
    captcha: Option<String>,
}

/// The lane is the one that the code opens. The same fan again uses nothing up.
#[utoipa::path(
    post,
    operation_id = "queue_join_with_code",
    path = "/api/v1/events/{event}/queue/code",
    tag = "line",
    summary = "Join the lane that an invite code opens",
    params(("event" = String, Path, description = "An event's id")),
    request_body = CodeForm,
    responses((status = 201, description = "In line", body = JoinAnswer), (status = 200, description = "The place that was there already", body = JoinAnswer), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn join(
    State(edge): State<Arc<Edge>>,
    Path(event): Path<EventId>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    JsonBody(form): JsonBody<CodeForm>,
) -> ApiResult<Response> {
    let request = JoinRequest {
        client_join_id: form.client_join_id,
        lane: None,
        again: form.again,
        assertion: form.assertion,
        puzzle: form.puzzle,
        captcha: form.captcha,
    };
    let joined = join_with_code(&edge, event, peer, &headers, &form.code, request).await?;
    Ok(joined.into_answer())
}
