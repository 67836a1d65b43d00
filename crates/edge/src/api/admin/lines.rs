//! Phases and the message to the line.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use usher_base::EventId;
use usher_base::redis::{Hint, HintKind};
use usher_queue::Phase;
use usher_queue::pg::StoreError;
use utoipa::ToSchema;

use crate::api::openapi::Refusal;
use crate::body::JsonBody;
use crate::error::{ApiError, ApiResult};
use crate::operators::Operator;
use crate::state::Edge;

/// A message has to be read on a phone, while waiting.
const MAX_MESSAGE_CHARS: usize = 500;

#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PhaseForm {
    #[schema(value_type = String)]
    phase: Phase,
}

#[utoipa::path(
    post,
    operation_id = "operators_lines_change_phase",
    path = "/api/v1/admin/events/{event}/phase",
    tag = "operators",
    summary = "Open, pause, close, ...",
    params(("event" = String, Path, description = "An event's id")),
    request_body = PhaseForm,
    responses((status = 200, description = "Done", body = PhaseForm), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn change_phase(
    State(edge): State<Arc<Edge>>,
    operator: Operator,
    Path(event): Path<EventId>,
    JsonBody(form): JsonBody<PhaseForm>,
) -> ApiResult<Json<PhaseForm>> {
    let lines = &edge.desk()?.lines;
    lines
        .change_phase(&edge.line, event, form.phase)
        .await
        .map_err(refusal)?;
    let details = json!({ "phase": form.phase });
    edge.note(&operator, "phase_changed", event.to_string(), details)
        .await;
    Ok(Json(form))
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MessageForm {
    /// What everybody in line reads; empty takes it back
    message: Option<String>,
}

#[utoipa::path(
    put,
    operation_id = "operators_lines_change_message",
    path = "/api/v1/admin/events/{event}/message",
    tag = "operators",
    summary = "Tell everybody in line something",
    params(("event" = String, Path, description = "An event's id")),
    request_body = MessageForm,
    responses((status = 200, description = "Done", body = MessageForm), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn change_message(
    State(edge): State<Arc<Edge>>,
    operator: Operator,
    Path(event): Path<EventId>,
    JsonBody(form): JsonBody<MessageForm>,
) -> ApiResult<Json<MessageForm>> {
    let message = form
        .message
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty());
    if message
        .as_ref()
        .is_some_and(|text| text.chars().count() > MAX_MESSAGE_CHARS)
    {
        return Err(ApiError::invalid(
            "The message must have at most 500 characters.",
        ));
    }
    let lines = &edge.desk()?.lines;
    let mut row = lines.line(event).await.map_err(refusal)?;
    row.settings.message.clone_from(&message);
    lines
        .put_settings(event, &row.settings, &row.schedule)
        .await
        .map_err(refusal)?;
    edge.line.set_settings(event, &row.settings).await?;
    // A lost hint costs the fans a tick.
    let kind = HintKind::Changed;
    let _ = edge.redis.hint(Hint { event, kind }).await;
    let details = json!({ "message": message });
    edge.note(&operator, "message_changed", event.to_string(), details)
        .await;
    Ok(Json(MessageForm { message }))
}

pub fn refusal(error: StoreError) -> ApiError {
    match error {
        StoreError::NoLine => ApiError::not_found("event"),
        StoreError::Phase(refused) => {
            let message = format!("{refused}.");
            ApiError::new(StatusCode::CONFLICT, "phase_refused", message)
        }
        StoreError::Redis(error) => error.into(),
        StoreError::Database(_) => {
            tracing::error!(%error, "the line's settings cannot be stored");
            let message = "The database does not answer; repeat the change in a moment.";
            ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "database_unavailable",
                message,
            )
        }
        StoreError::Corrupt(_) | StoreError::NumbersUsedUp => ApiError::internal(error),
    }
}
