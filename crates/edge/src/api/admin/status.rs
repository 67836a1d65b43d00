//! What happens now: the leader's status of each second, once or as a stream.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use tokio::time::MissedTickBehavior;
use usher_admission::Status;
use usher_base::EventId;

use crate::api::openapi::Refusal;
use crate::cross_site;
use crate::error::{ApiError, ApiResult};
use crate::operators::Operator;
use crate::state::Edge;

const EVERY: Duration = Duration::from_secs(1);
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_MESSAGE_BYTES: usize = 1_024;

#[utoipa::path(
    get,
    operation_id = "operators_status_show",
    path = "/api/v1/admin/events/{event}/status",
    tag = "operators",
    summary = "What happens now",
    params(("event" = String, Path, description = "An event's id")),
    responses((status = 200, description = "Done", body = Object), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn show(
    State(edge): State<Arc<Edge>>,
    _operator: Operator,
    Path(event): Path<EventId>,
) -> ApiResult<Json<Status>> {
    edge.live_event(event)?;
    let status = Status::read(&edge.redis, event).await?;
    status.map(Json).ok_or_else(no_leader)
}

fn no_leader() -> ApiError {
    let message = "No leader has reported on this event yet; it should within some seconds. \
                   If not, check that a process with the role admission runs.";
    ApiError::unavailable("no_leader", message, EVERY)
}

#[utoipa::path(
    get,
    operation_id = "operators_status_stream",
    path = "/api/v1/admin/events/{event}/status/stream",
    tag = "operators",
    summary = "What happens now, each second: a WebSocket",
    params(("event" = String, Path, description = "An event's id")),
    responses((status = 101, description = "A WebSocket"), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn stream(
    State(edge): State<Arc<Edge>>,
    _operator: Operator,
    Path(event): Path<EventId>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> ApiResult<Response> {
    if cross_site::is_foreign(&headers) {
        return Err(cross_site::refusal());
    }
    edge.live_event(event)?;
    let upgrade = upgrade.max_message_size(MAX_MESSAGE_BYTES);
    Ok(upgrade.on_upgrade(move |socket| follow(edge, event, socket)))
}

/// Until the operator or this process goes.
async fn follow(edge: Arc<Edge>, event: EventId, mut socket: WebSocket) {
    let mut interval = tokio::time::interval(EVERY);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let draining = edge.draining.clone();
    loop {
        tokio::select! {
            _ = interval.tick() => {}
            message = socket.recv() => match message {
                Some(Ok(_)) => continue,
                _ => return,
            },
            () = draining.cancelled() => return,
        }
        // A second without a status is skipped: the page says how old its numbers are.
        let Ok(Some(status)) = Status::read(&edge.redis, event).await else {
            continue;
        };
        let Ok(text) = serde_json::to_string(&status) else {
            continue;
        };
        let sending = socket.send(Message::Text(text.into()));
        if !matches!(
            tokio::time::timeout(WRITE_TIMEOUT, sending).await,
            Ok(Ok(()))
        ) {
            return;
        }
    }
}
