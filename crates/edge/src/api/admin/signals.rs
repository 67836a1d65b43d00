//! Signals that a backend other than usher's own pushes to the leader.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use usher_admission::signals::PushedSignals;
use usher_base::EventId;

use crate::api::openapi::Refusal;
use crate::body::JsonBody;
use crate::error::{ApiError, ApiResult};
use crate::operators::Operator;
use crate::state::Edge;

#[utoipa::path(
    post,
    operation_id = "operators_signals_push",
    path = "/api/v1/admin/events/{event}/signals",
    tag = "operators",
    summary = "Signals of another backend than our own",
    params(("event" = String, Path, description = "An event's id")),
    request_body = Object,
    responses((status = 204, description = "Taken"), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn push(
    State(edge): State<Arc<Edge>>,
    _operator: Operator,
    Path(event): Path<EventId>,
    JsonBody(pushed): JsonBody<PushedSignals>,
) -> ApiResult<StatusCode> {
    edge.live_event(event)?;
    let accepted = pushed.accept(edge.clock.now());
    let (node, report) = accepted.map_err(|error| ApiError::invalid(error.to_string()))?;
    report.publish(&edge.redis, event, node).await?;
    Ok(StatusCode::NO_CONTENT)
}
