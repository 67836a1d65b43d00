//! Phases and the message to the line.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use usher_base::redis::{Hint, HintKind};
use usher_base::{EventId, Timestamp};
use usher_queue::pg::{LineRow, StoreError};
use usher_queue::{Identity, LaneSetup, Ordering, Phase, Room, Setup};
use utoipa::ToSchema;

use crate::api::openapi::Refusal;
use crate::body::JsonBody;
use crate::error::{ApiError, ApiResult, sentence};
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
    let put = lines.put_message(event, message.as_deref()).await;
    let row = put.map_err(refusal)?;
    lines.mirror(&edge.line, &row).await.map_err(refusal)?;
    // A lost hint costs the fans a tick.
    let kind = HintKind::Changed;
    let _ = edge.redis.hint(Hint { event, kind }).await;
    let details = json!({ "message": message });
    edge.note(&operator, "message_changed", event.to_string(), details)
        .await;
    Ok(Json(MessageForm { message }))
}

/// How an event's line is set up.
#[derive(Serialize, ToSchema)]
pub struct LineAnswer {
    /// `fifo` or `lottery`
    #[schema(value_type = String)]
    ordering: Ordering,
    /// `on` or `off`
    #[schema(value_type = String)]
    room: Room,
    #[schema(value_type = Option<String>)]
    gathers_at: Option<Timestamp>,
    #[schema(value_type = Option<String>)]
    opens_at: Option<Timestamp>,
    #[schema(value_type = Option<String>)]
    closes_at: Option<Timestamp>,
    claim_seconds: u64,
    session_seconds: u64,
    grace_seconds: u64,
    max_waiting: u32,
    /// `off`, `optional` or `required`
    #[schema(value_type = String)]
    identity: Identity,
    /// Whether the shop's public keys are set
    has_shop_keys: bool,
    /// Hashes that a join costs on average
    puzzle: u32,
    /// Whether a join has to bring a CAPTCHA's token
    captcha: bool,
    /// lane, weight, needs_code
    #[schema(value_type = Vec<Object>)]
    lanes: Vec<LaneSetup>,
}

impl From<LineRow> for LineAnswer {
    fn from(row: LineRow) -> Self {
        let Setup {
            settings,
            schedule,
            lanes,
        } = row.setup();
        Self {
            ordering: settings.ordering,
            room: settings.room,
            gathers_at: schedule.gathers_at,
            opens_at: schedule.opens_at,
            closes_at: schedule.closes_at,
            claim_seconds: settings.claim_window.as_secs(),
            session_seconds: settings.session.as_secs(),
            grace_seconds: settings.grace.as_secs(),
            max_waiting: settings.max_waiting,
            identity: settings.identity,
            has_shop_keys: settings.shop_keys.is_some(),
            puzzle: settings.puzzle,
            captcha: settings.captcha,
            lanes,
        }
    }
}

pub fn refusal(error: StoreError) -> ApiError {
    match error {
        StoreError::NoLine => ApiError::not_found("event"),
        StoreError::Phase(refused) => {
            let message = format!("{refused}.");
            ApiError::new(StatusCode::CONFLICT, "phase_refused", message)
        }
        StoreError::Unbound => {
            ApiError::new(StatusCode::CONFLICT, "draw_unbound", sentence(&error))
        }
        StoreError::TooManyInvites => {
            ApiError::new(StatusCode::CONFLICT, "too_many_invites", sentence(&error))
        }
        StoreError::Setup(refused) if refused.is_invalid() => ApiError::invalid(sentence(&refused)),
        StoreError::Setup(refused) => {
            ApiError::new(StatusCode::CONFLICT, "line_settled", sentence(&refused))
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
