//! One fan's way through the line, from the record of releases: when let in, by
//! what decision, how many before, and which releases went past meanwhile.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use usher_base::{EventId, FanId, Lane, Number, Timestamp};
use usher_queue::Place;
use usher_queue::pg::{Explanation, LetIn, PassedOver};
use utoipa::ToSchema;

use super::lines::refusal;
use crate::api::openapi::Refusal;
use crate::error::ApiResult;
use crate::live::LiveEvent;
use crate::operators::Operator;
use crate::state::Edge;

#[derive(Serialize, ToSchema)]
pub struct ExplainAnswer {
    /// Every time the fan was let in; more than once after missed claims
    let_in: Vec<LetInAnswer>,
    /// Releases that went past the fan's number: the fan was absent, or had just missed a claim
    passed_over: Vec<PassedOverAnswer>,
    ended: Vec<EndAnswer>,
}

#[derive(Serialize, ToSchema)]
pub struct LetInAnswer {
    #[schema(value_type = String)]
    at: Timestamp,
    #[schema(value_type = String)]
    lane: Lane,
    #[schema(value_type = u32)]
    number: Number,
    /// Let in through this lane before this release
    let_in_before: u64,
    leader: String,
    /// The decision why as many as these
    #[schema(value_type = Object)]
    reason: serde_json::Value,
}

#[derive(Serialize, ToSchema)]
pub struct PassedOverAnswer {
    #[schema(value_type = String)]
    at: Timestamp,
    /// The largest number that was let in
    #[schema(value_type = u32)]
    up_to: Number,
}

#[derive(Serialize, ToSchema)]
pub struct EndAnswer {
    #[schema(value_type = String)]
    at: Timestamp,
    reason: &'static str,
}

impl From<LetIn> for LetInAnswer {
    fn from(one: LetIn) -> Self {
        Self {
            at: one.at,
            lane: one.lane,
            number: one.number,
            let_in_before: one.let_in_before,
            leader: one.leader,
            reason: one.reason,
        }
    }
}

impl From<PassedOver> for PassedOverAnswer {
    fn from(one: PassedOver) -> Self {
        Self {
            at: one.at,
            up_to: one.up_to,
        }
    }
}

impl From<Explanation> for ExplainAnswer {
    fn from(of: Explanation) -> Self {
        let ended = of.ended.into_iter().map(|(at, end)| EndAnswer {
            at,
            reason: end.reason.as_str(),
        });
        Self {
            let_in: of.let_in.into_iter().map(Into::into).collect(),
            passed_over: of.passed_over.into_iter().map(Into::into).collect(),
            ended: ended.collect(),
        }
    }
}

#[utoipa::path(
    get,
    operation_id = "operators_explain",
    path = "/api/v1/admin/events/{event}/fans/{fan}/explain",
    tag = "operators",
    summary = "Why a fan was let in when they were, or was not yet",
    params(("event" = String, Path, description = "An event's id"), ("fan" = String, Path, description = "A fan's id")),
    responses((status = 200, description = "Done", body = ExplainAnswer), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn show(
    State(edge): State<Arc<Edge>>,
    _: Operator,
    Path((event, fan)): Path<(EventId, FanId)>,
) -> ApiResult<Json<ExplainAnswer>> {
    let live = edge.live_event(event)?;
    let standing = standing(&live, fan).await?;
    let found = edge.desk()?.lines.explain(event, fan, standing).await;
    Ok(Json(found.map_err(refusal)?.into()))
}

/// Where the fan waits now, in whichever lane.
async fn standing(live: &LiveEvent, fan: FanId) -> ApiResult<Option<(Lane, Number)>> {
    for lane in &live.lanes() {
        if let Place::Waiting { number } = live.look_up(lane, fan).await? {
            return Ok(Some((lane.clone(), number)));
        }
    }
    Ok(None)
}
