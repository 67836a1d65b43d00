//! Is this process alive, and should it be sent work?

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::state::Edge;

/// No dependencies: an outage of Redis must not have the process killed.
pub async fn live() -> Json<Value> {
    Json(json!({ "status": "live" }))
}

/// Whether this process answers well at the moment. It stays ready without
/// Redis, because the page has to stay up and say that places are kept.
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
