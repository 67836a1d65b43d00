//! The draw as everybody may check it: what is announced, a fan's own receipt
//! and inclusion proof, and the whole record once the numbers are out.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use serde::Serialize;
use usher_base::{EventId, Lane};
use usher_queue::draw::{Announcement, InclusionProof, Receipt, Signed};
use usher_queue::{Place, QueueClaims};
use utoipa::ToSchema;

use crate::api::openapi::Refusal;
use crate::draws::Published;
use crate::error::{ApiError, ApiResult};
use crate::live::LiveEvent;
use crate::state::Edge;

/// A record never changes.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// One lane's draw.
#[derive(Serialize, ToSchema)]
pub struct DrawAnswer {
    #[schema(value_type = String)]
    lane: Lane,
    /// Rule and commitment; the signed root, the entropy, once they are there
    #[schema(value_type = Object)]
    #[serde(flatten)]
    announced: Announcement,
    /// Where the record is, once everybody has a number
    record_url: Option<String>,
}

#[utoipa::path(
    get,
    operation_id = "draw_show",
    path = "/api/v1/events/{event}/draw",
    tag = "draw",
    summary = "What is public of the draw at this moment, by lane",
    params(("event" = String, Path, description = "An event's id")),
    responses((status = 200, description = "Done", body = Vec<DrawAnswer>), (status = "default", description = "Refused", body = Refusal)),
)]
pub async fn show(
    State(edge): State<Arc<Edge>>,
    Path(event): Path<EventId>,
) -> ApiResult<Json<Vec<DrawAnswer>>> {
    let live = edge.live_event(event)?;
    let view = edge.view(&live)?;
    let answer = |of: &usher_queue::LaneBoard| {
        let announced = of.draw.clone()?;
        let has_record = announced.is_finished && !announced.opened_as_fifo;
        let record_url = has_record.then(|| record_url(&edge, event, &of.lane));
        Some(DrawAnswer {
            lane: of.lane.clone(),
            announced,
            record_url,
        })
    };
    Ok(Json(view.board().lanes.iter().filter_map(answer).collect()))
}

fn record_url(edge: &Edge, event: EventId, lane: &Lane) -> String {
    let base = &edge.settings.public_url;
    format!("{base}/api/v1/events/{event}/draw/{lane}/record")
}

/// A receipt for a fan who gathers for a draw that was committed to.
pub fn receipt(
    edge: &Edge,
    live: &LiveEvent,
    claims: &QueueClaims,
    place: &Place,
) -> Option<Signed<Receipt>> {
    let Place::Gathering { index } = place else {
        return None;
    };
    let view = live.view()?;
    let commitment = view.board().lane(&claims.lane)?.draw.as_ref()?.commitment;
    let receipt = Receipt {
        event: live.id,
        lane: claims.lane.clone(),
        fan: claims.sub,
        provisional_index: *index,
        commitment,
        received_at: edge.clock.now(),
    };
    Some(Signed::new(receipt, |bytes| edge.keys.sign_bytes(bytes)))
}

#[utoipa::path(
    get,
    operation_id = "draw_receipt",
    path = "/api/v1/events/{event}/queue/receipt",
    tag = "draw",
    summary = "A signed receipt for gathering: proof of fraud if the list lacks its fan",
    params(("event" = String, Path, description = "An event's id")),
    responses((status = 200, description = "statement, kid, signature", body = Object), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn own_receipt(
    State(edge): State<Arc<Edge>>,
    Path(event): Path<EventId>,
    headers: HeaderMap,
) -> ApiResult<Json<Signed<Receipt>>> {
    let live = edge.live_event(event)?;
    let claims = edge.queue_claims_of(event, &headers)?;
    let place = live.look_up(&claims.lane, claims.sub).await?;
    let receipt = receipt(&edge, &live, &claims, &place);
    receipt.map(Json).ok_or_else(|| {
        let message = "Receipts are given while people gather for a draw, to those who gathered.";
        ApiError::new(StatusCode::CONFLICT, "no_receipt", message)
    })
}

#[derive(Serialize, ToSchema)]
pub struct ProofAnswer {
    #[schema(value_type = String)]
    fan_id: usher_base::FanId,
    /// index, size, path: as RFC 9162 walks it
    #[schema(value_type = Object)]
    proof: InclusionProof,
}

#[utoipa::path(
    get,
    operation_id = "draw_proof",
    path = "/api/v1/events/{event}/draw/{lane}/proof",
    tag = "draw",
    summary = "Proof that the signed root contains the asking fan",
    params(("event" = String, Path, description = "An event's id"), ("lane" = String, Path, description = "A lane's name")),
    responses((status = 200, description = "Done", body = ProofAnswer), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn own_proof(
    State(edge): State<Arc<Edge>>,
    Path((event, lane)): Path<(EventId, Lane)>,
    headers: HeaderMap,
) -> ApiResult<Json<ProofAnswer>> {
    let claims = edge.queue_claims_of(event, &headers)?;
    let desk = edge.desk()?;
    let list = desk.draws.list(&desk.lines, event, &lane).await?;
    let proof = list.proof(&claims.sub).ok_or_else(|| {
        let message =
            "You are not in this list. If you hold a receipt for it, keep it: it is proof.";
        ApiError::new(StatusCode::NOT_FOUND, "not_in_list", message)
    })?;
    Ok(Json(ProofAnswer {
        fan_id: claims.sub,
        proof,
    }))
}

#[utoipa::path(
    get,
    operation_id = "draw_record",
    path = "/api/v1/events/{event}/draw/{lane}/record",
    tag = "draw",
    summary = "The whole draw: everything it hangs on, then one line a fan",
    params(("event" = String, Path, description = "An event's id"), ("lane" = String, Path, description = "A lane's name")),
    responses((status = 200, description = "docs/draw.md describes it", body = String, content_type = "text/plain"), (status = "default", description = "Refused", body = Refusal)),
)]
pub async fn record(
    State(edge): State<Arc<Edge>>,
    Path((event, lane)): Path<(EventId, Lane)>,
) -> ApiResult<impl IntoResponse> {
    let desk = edge.desk()?;
    let Published(bytes) = desk.draws.record(&desk.lines, event, &lane).await?;
    let about = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CACHE_CONTROL, FOR_EVER),
    ];
    Ok((about, Bytes::clone(&bytes)))
}
