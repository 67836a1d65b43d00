//! How a sale goes: what was sold in each minute of late.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use usher_base::{EventId, Timestamp};
use usher_booking::pg::views::SalesMinute;
use utoipa::{IntoParams, ToSchema};

use crate::api::openapi::Refusal;
use crate::desk::database_unavailable;
use crate::error::ApiResult;
use crate::state::Edge;

const DEFAULT_MINUTES: u32 = 60;
/// A day.
const MAX_MINUTES: u32 = 1_440;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SalesQuery {
    /// How far back; 60 unless said, at most 1440
    minutes: Option<u32>,
}

#[derive(Serialize, ToSchema)]
pub struct SalesAnswer {
    currency: String,
    /// Oldest first, without the minutes in which nothing was sold: `minute`,
    /// `orders`, `tickets`, `amount`. What was cancelled since is in them
    #[schema(value_type = Vec<Object>)]
    data: Vec<SalesMinute>,
    #[schema(value_type = String)]
    at: Timestamp,
}

#[utoipa::path(
    get,
    operation_id = "operators_sales_show",
    path = "/api/v1/admin/events/{event}/sales",
    tag = "operators",
    summary = "Sales per minute",
    params(("event" = String, Path, description = "An event's id"), SalesQuery),
    responses((status = 200, description = "Done", body = SalesAnswer), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn show(
    State(edge): State<Arc<Edge>>,
    Path(event): Path<EventId>,
    Query(query): Query<SalesQuery>,
) -> ApiResult<Json<SalesAnswer>> {
    let on_sale = edge.on_sale(event)?;
    let minutes = query.minutes.unwrap_or(DEFAULT_MINUTES).min(MAX_MINUTES);
    let at = edge.clock.now();
    let back = Duration::from_secs(u64::from(minutes) * 60);
    let since = Timestamp::from_millis(at.millis() - back.as_millis() as i64);
    let data = edge.desk()?.orders.sales(event, since).await;
    Ok(Json(SalesAnswer {
        currency: on_sale.event.currency.clone(),
        data: data.map_err(database_unavailable)?,
        at,
    }))
}
