//! Taking a fan out of line and shop for good.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use serde_json::json;
use usher_base::redis::{Hint, HintKind};
use usher_base::{EventId, FanId};
use utoipa::ToSchema;

use super::lines;
use crate::api::openapi::Refusal;
use crate::body::JsonBody;
use crate::error::{ApiError, ApiResult};
use crate::operators::Operator;
use crate::state::Edge;

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeForm {
    #[schema(value_type = String)]
    fan_id: FanId,
}

#[derive(Serialize, ToSchema)]
pub struct RevokeAnswer {
    #[schema(value_type = String)]
    fan_id: FanId,
    /// Sessions and admissions that ended by it; their tokens open nothing now
    sessions_ended: usize,
}

#[utoipa::path(
    post,
    operation_id = "operators_sessions_revoke",
    path = "/api/v1/admin/events/{event}/revoke",
    tag = "operators",
    summary = "Take a fan out of line and shop",
    params(("event" = String, Path, description = "An event's id")),
    request_body = RevokeForm,
    responses((status = 200, description = "Done", body = RevokeAnswer), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn revoke(
    State(edge): State<Arc<Edge>>,
    operator: Operator,
    Path(event): Path<EventId>,
    JsonBody(form): JsonBody<RevokeForm>,
) -> ApiResult<Json<RevokeAnswer>> {
    let live = edge.live_event(event)?;
    let store = &edge.desk()?.lines;
    let (mut was_there, mut ended) = (false, Vec::new());
    for lane in &live.lanes() {
        if let Some(departed) = edge.line.revoke(event, lane, form.fan_id).await? {
            was_there = true;
            ended.extend(departed.ended);
        }
    }
    if !was_there {
        return Err(ApiError::not_found("fan in this line or shop"));
    }
    // The leader writes ends too; this one must outlive a loss of Redis at once.
    store
        .write_ended(event, &ended, edge.clock.now())
        .await
        .map_err(lines::refusal)?;
    // A lost hint costs a tick.
    let kind = HintKind::Changed;
    let _ = edge.redis.hint(Hint { event, kind }).await;
    let details = json!({ "fan_id": form.fan_id, "sessions_ended": ended.len() });
    edge.note(&operator, "fan_revoked", event.to_string(), details)
        .await;
    Ok(Json(RevokeAnswer {
        fan_id: form.fan_id,
        sessions_ended: ended.len(),
    }))
}
