//! Signals that a backend other than usher's own pushes to the leader.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use usher_admission::signals::PushedSignals;
use usher_base::EventId;

use crate::error::{ApiError, ApiResult};
use crate::operators::Operator;
use crate::state::Edge;

pub async fn push(
    State(edge): State<Arc<Edge>>,
    _operator: Operator,
    Path(event): Path<EventId>,
    Json(pushed): Json<PushedSignals>,
) -> ApiResult<StatusCode> {
    edge.live_event(event)?;
    let accepted = pushed.accept(edge.clock.now());
    let (node, report) = accepted.map_err(|error| ApiError::invalid(error.to_string()))?;
    report.publish(&edge.redis, event, node).await?;
    Ok(StatusCode::NO_CONTENT)
}
