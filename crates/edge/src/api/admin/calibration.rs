//! `GET .../calibration`: what the backend was measured to bear before the sale.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use usher_admission::Calibration;
use usher_base::EventId;

use crate::api::openapi::Refusal;
use crate::desk::database_unavailable;
use crate::error::{ApiError, ApiResult};
use crate::operators::Operator;
use crate::state::Edge;

#[utoipa::path(
    get,
    operation_id = "operators_calibration_show",
    path = "/api/v1/admin/events/{event}/calibration",
    tag = "operators",
    summary = "What the backend was measured to bear, and the steps that show it",
    params(("event" = String, Path, description = "An event's id")),
    responses((status = 200, description = "Done", body = Object), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn show(
    State(edge): State<Arc<Edge>>,
    _operator: Operator,
    Path(event): Path<EventId>,
) -> ApiResult<Json<Calibration>> {
    let known = edge.desk()?.calibrations.get(event).await;
    let known = known.map_err(database_unavailable)?;
    known.map(Json).ok_or_else(|| {
        let message = "This event was not calibrated: run `usher calibrate` before the sale, \
                       or let auto find out by itself.";
        ApiError::new(StatusCode::NOT_FOUND, "not_calibrated", message)
    })
}
