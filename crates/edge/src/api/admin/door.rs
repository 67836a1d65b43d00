//! Check-in: scans with network, the list for a door without, and what that
//! door scanned meanwhile.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use usher_base::EventId;
use usher_booking::orders::TicketRow;
use usher_booking::pg::tickets::MAX_PAGE;
use usher_booking::tickets::{Door, MAX_OFFLINE_SCANS, OfflineScan, Scan, TicketNumber};
use utoipa::{IntoParams, ToSchema};

use crate::api::openapi::Refusal;
use crate::body::JsonBody;
use crate::desk::database_unavailable;
use crate::error::{ApiError, ApiResult};
use crate::operators::Operator;
use crate::state::Edge;

/// The body of a sync: `MAX_OFFLINE_SCANS` with codes, names and times.
pub const MAX_SYNC_BYTES: usize = 1024 * 1024;
const MAX_NAME_CHARS: usize = 64;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScanForm {
    /// What the QR says, or the ticket's number as printed beside it
    code: String,
    gate: String,
    /// Who scans; the operator's key if not said
    #[serde(default)]
    staff: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DoorQuery {
    /// `next` of the page before
    #[param(value_type = Option<String>)]
    after: Option<TicketNumber>,
    limit: Option<u32>,
}

#[derive(Serialize, ToSchema)]
pub struct DoorList {
    #[schema(value_type = Vec<Object>)]
    data: Vec<TicketRow>,
    #[schema(value_type = Option<String>)]
    next: Option<TicketNumber>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SyncForm {
    /// At most 1000, in the order in which they were made:
    /// `{code, at, staff, gate}`
    #[schema(value_type = Vec<Object>)]
    scans: Vec<OfflineScan>,
}

#[derive(Serialize, ToSchema)]
pub struct SyncAnswer {
    /// One for each scan, in their order
    #[schema(value_type = Vec<Object>)]
    results: Vec<Scan>,
    /// Scans that the door let in and should not have
    conflicts: usize,
}

#[utoipa::path(
    post,
    operation_id = "operators_door_scan",
    path = "/api/v1/admin/events/{event}/checkin",
    tag = "door",
    summary = "Check one ticket in",
    params(("event" = String, Path, description = "An event's id")),
    request_body = ScanForm,
    responses((status = 200, description = "Done", body = Object), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn scan(
    State(edge): State<Arc<Edge>>,
    operator: Operator,
    Path(event): Path<EventId>,
    JsonBody(form): JsonBody<ScanForm>,
) -> ApiResult<Json<Scan>> {
    let door = Door {
        staff: form.staff.unwrap_or(operator.name),
        gate: form.gate,
    };
    check_in(&edge, event, &form.code, &door).await.map(Json)
}

pub async fn check_in(edge: &Edge, event: EventId, code: &str, door: &Door) -> ApiResult<Scan> {
    check_names(door)?;
    let (desk, now) = (edge.desk()?, edge.clock.now());
    let round = desk.arrived.round(event);
    let scan = desk.orders.scan((&*edge.keys, event), code, door, now);
    let scan = scan.await.map_err(database_unavailable)?;
    metrics::counter!("usher_scans_total", "result" => word(&scan)).increment(1);
    if matches!(scan, Scan::Valid { .. }) {
        desk.arrived.one_more(event, round);
    }
    Ok(scan)
}

fn check_names(door: &Door) -> ApiResult<()> {
    let fits = |name: &str| (1..=MAX_NAME_CHARS).contains(&name.trim().chars().count());
    if fits(&door.staff) && fits(&door.gate) {
        return Ok(());
    }
    Err(ApiError::invalid(
        "gate and staff must have 1 to 64 characters.",
    ))
}

const fn word(scan: &Scan) -> &'static str {
    match scan {
        Scan::Valid { .. } => "valid",
        Scan::AlreadyUsed { .. } => "already_used",
        Scan::WrongEvent { .. } => "wrong_event",
        Scan::Cancelled { .. } => "cancelled",
        Scan::Forged => "forged",
    }
}

#[utoipa::path(
    get,
    operation_id = "operators_door_list",
    path = "/api/v1/admin/events/{event}/checkin",
    tag = "door",
    summary = "The tickets, for a door without network",
    params(("event" = String, Path, description = "An event's id"), DoorQuery),
    responses((status = 200, description = "Done", body = DoorList), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn list(
    State(edge): State<Arc<Edge>>,
    _operator: Operator,
    Path(event): Path<EventId>,
    Query(query): Query<DoorQuery>,
) -> ApiResult<Json<DoorList>> {
    let limit = query.limit.unwrap_or(MAX_PAGE).clamp(1, MAX_PAGE);
    let listing = edge
        .desk()?
        .orders
        .door_list(event, query.after.as_ref(), limit);
    let data = listing.await.map_err(database_unavailable)?;
    let is_full = data.len() >= limit as usize;
    let next = data
        .last()
        .filter(|_| is_full)
        .map(|last| last.number.clone());
    Ok(Json(DoorList { data, next }))
}

#[utoipa::path(
    post,
    operation_id = "operators_door_sync",
    path = "/api/v1/admin/events/{event}/checkin/sync",
    tag = "door",
    summary = "Bring in what was scanned without network",
    params(("event" = String, Path, description = "An event's id")),
    request_body = SyncForm,
    responses((status = 200, description = "Done", body = SyncAnswer), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn sync(
    State(edge): State<Arc<Edge>>,
    _operator: Operator,
    Path(event): Path<EventId>,
    JsonBody(form): JsonBody<SyncForm>,
) -> ApiResult<Json<SyncAnswer>> {
    if form.scans.len() > MAX_OFFLINE_SCANS {
        return Err(ApiError::invalid("Send at most 1000 scans at once."));
    }
    for scan in &form.scans {
        check_names(&scan.door)?;
    }
    let at = (&*edge.keys, event);
    let bringing = edge.desk()?.orders.bring_in(at, &form.scans);
    let results = bringing.await.map_err(database_unavailable)?;
    let conflicts = form.scans.iter().zip(&results);
    let conflicts = conflicts.filter(|(made, result)| is_conflict(made, result));
    Ok(Json(SyncAnswer {
        conflicts: conflicts.count(),
        results,
    }))
}

/// A scan that is brought in a second time finds itself, which is none.
fn is_conflict(made: &OfflineScan, result: &Scan) -> bool {
    match result {
        Scan::Valid { .. } => false,
        Scan::AlreadyUsed { first, .. } => {
            (first.at, &first.staff, &first.gate) != (made.at, &made.door.staff, &made.door.gate)
        }
        _ => true,
    }
}
