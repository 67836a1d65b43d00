//! What operators do with a draw: choose its rule before anybody gathers, enter
//! the entropy that the rule names, or open without it, marked for ever.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use rand::Rng as _;
use serde::{Deserialize, Serialize};
use serde_json::json;
use usher_base::{EventId, Lane};
use usher_queue::Phase;
use usher_queue::draw::{DrawSecret, EntropyRule, Evidence};
use usher_queue::pg::GiveEntropyError;
use utoipa::ToSchema;

use super::lines::refusal;
use crate::api::openapi::Refusal;
use crate::error::{ApiError, ApiResult};
use crate::operators::Operator;
use crate::state::Edge;

#[derive(Serialize, ToSchema)]
pub struct CommitmentAnswer {
    /// In hexadecimal; it never changes
    commitment: String,
}

#[utoipa::path(
    put,
    operation_id = "operators_draw_commit",
    path = "/api/v1/admin/events/{event}/draw/{lane}/rule",
    tag = "operators",
    summary = "Bind the draw to a rule for its entropy, once and before gathering",
    params(("event" = String, Path, description = "An event's id"), ("lane" = String, Path, description = "A lane's name")),
    request_body(content = Object, description = "The rule as docs/draw.md spells it"),
    responses((status = 200, description = "Bound", body = CommitmentAnswer), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn commit(
    State(edge): State<Arc<Edge>>,
    operator: Operator,
    Path((event, lane)): Path<(EventId, Lane)>,
    Json(rule): Json<EntropyRule>,
) -> ApiResult<Json<CommitmentAnswer>> {
    let invalid = |error| ApiError::invalid(format!("The rule cannot be used: {error}."));
    rule.validate().map_err(invalid)?;
    let lines = &edge.desk()?.lines;
    let row = lines.line(event).await.map_err(refusal)?;
    if !row.lane_names().contains(&lane) {
        return Err(ApiError::not_found("lane"));
    }
    let known = lines.draw(event, &lane).await.map_err(refusal)?;
    if known.is_some() || !matches!(row.phase, Phase::Draft | Phase::Scheduled) {
        let message = "The draw is bound to its rule already, or people gather by now.";
        return Err(ApiError::new(StatusCode::CONFLICT, "draw_bound", message));
    }
    let mut secret = [0; 32];
    rand::rng().fill_bytes(&mut secret);
    let secret = DrawSecret::from_bytes(secret);
    let commitment = lines.commit_draw(event, &lane, &rule, &secret).await;
    let commitment = hex::encode(commitment.map_err(refusal)?);
    let details = json!({ "lane": lane, "rule": rule, "commitment": commitment });
    edge.note(&operator, "draw_bound", event.to_string(), details)
        .await;
    Ok(Json(CommitmentAnswer { commitment }))
}

#[utoipa::path(
    post,
    operation_id = "operators_draw_entropy",
    path = "/api/v1/admin/events/{event}/draw/{lane}/entropy",
    tag = "operators",
    summary = "Enter the entropy that the draw's rule names",
    params(("event" = String, Path, description = "An event's id"), ("lane" = String, Path, description = "A lane's name")),
    request_body(content = Object, description = "The entropy as docs/draw.md spells it"),
    responses((status = 200, description = "The entropy that decides", body = Object), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn give_entropy(
    State(edge): State<Arc<Edge>>,
    operator: Operator,
    Path((event, lane)): Path<(EventId, Lane)>,
    Json(evidence): Json<Evidence>,
) -> ApiResult<Json<Evidence>> {
    let lines = &edge.desk()?.lines;
    let now = edge.clock.now();
    let given = lines.give_entropy(event, &lane, &evidence, now).await;
    given.map_err(entropy_refusal)?;
    let draw = lines.draw(event, &lane).await.map_err(refusal)?;
    // Another one may have been first: the first stays.
    if draw.and_then(|draw| draw.evidence).as_ref() != Some(&evidence) {
        let message = "This draw is decided already, by other entropy or without any.";
        return Err(ApiError::new(StatusCode::CONFLICT, "draw_decided", message));
    }
    let details = json!({ "lane": lane, "entropy": evidence });
    edge.note(&operator, "draw_entropy_given", event.to_string(), details)
        .await;
    Ok(Json(evidence))
}

fn entropy_refusal(error: GiveEntropyError) -> ApiError {
    match error {
        GiveEntropyError::Store(error) => refusal(error),
        GiveEntropyError::NoRoot => {
            let message = "The list is not final yet, so nothing can decide the draw.";
            ApiError::new(StatusCode::CONFLICT, "draw_without_root", message)
        }
        GiveEntropyError::TooEarly { not_before } => {
            let message = "The draw's rule names a value that is not known yet; enter it from `not_before` on.";
            ApiError::new(StatusCode::CONFLICT, "entropy_too_early", message)
                .detail("not_before", not_before.to_rfc3339())
        }
        GiveEntropyError::Entropy(error) => {
            let message = format!("This is not the entropy that the rule names: {error}.");
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            ApiError::new(status, "entropy_refused", message)
        }
    }
}

#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FifoForm {
    /// True, to say that it is meant: it is public for ever
    confirm: bool,
}

#[utoipa::path(
    post,
    operation_id = "operators_draw_open_as_fifo",
    path = "/api/v1/admin/events/{event}/draw/{lane}/open-as-fifo",
    tag = "operators",
    summary = "Give numbers in the order of arrival, because no entropy came",
    params(("event" = String, Path, description = "An event's id"), ("lane" = String, Path, description = "A lane's name")),
    request_body = FifoForm,
    responses((status = 200, description = "Done, and publicly marked", body = FifoForm), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn open_as_fifo(
    State(edge): State<Arc<Edge>>,
    operator: Operator,
    Path((event, lane)): Path<(EventId, Lane)>,
    Json(form): Json<FifoForm>,
) -> ApiResult<Json<FifoForm>> {
    if !form.confirm {
        return Err(ApiError::invalid("Send `confirm: true` if this is meant."));
    }
    let lines = &edge.desk()?.lines;
    let opened = lines.open_draw_as_fifo(event, &lane).await;
    if !opened.map_err(refusal)? {
        let message = "The draw has no final list yet, or is decided already.";
        return Err(ApiError::new(StatusCode::CONFLICT, "draw_decided", message));
    }
    let details = json!({ "lane": lane });
    edge.note(&operator, "draw_opened_as_fifo", event.to_string(), details)
        .await;
    Ok(Json(form))
}
