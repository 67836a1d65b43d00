//! Is this process alive, and should it be sent work?

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::api::openapi::Refusal;
use crate::state::Edge;

/// No dependencies: an outage of Redis must not have the process killed.
#[utoipa::path(
    get,
    operation_id = "health_live",
    path = "/health/live",
    tag = "plumbing",
    responses((status = 200, description = "Done", body = Object), (status = "default", description = "Refused", body = Refusal)),
)]
pub async fn live() -> Json<Value> {
    Json(json!({ "status": "live" }))
}

/// Whether this process answers well at the moment. It stays ready without
/// Redis, because the page has to stay up and say that places are kept.
#[utoipa::path(
    get,
    operation_id = "health_ready",
    path = "/health/ready",
    tag = "plumbing",
    responses((status = 200, description = "Done", body = Object), (status = 503, description = "Draining", body = Object), (status = "default", description = "Refused", body = Refusal)),
)]
pub async fn ready(State(edge): State<Arc<Edge>>) -> (StatusCode, Json<Value>) {
    if edge.draining.is_cancelled() {
        let body = json!({ "status": "draining" });
        return (StatusCode::SERVICE_UNAVAILABLE, Json(body));
    }
    let redis = edge
        .redis
        .command::<String>(redis::cmd("PING"))
        .await
        .is_ok();
    let body = json!({ "status": "ready", "redis": if redis { "up" } else { "away" } });
    (StatusCode::OK, Json(body))
}
