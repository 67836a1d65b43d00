//! `GET | PUT | DELETE .../prometheus`: the queries that tell how the event's backend
//! is. Whom they are asked is a setting of the deployment: nobody who may call this
//! can make usher ask another address.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::json;
use usher_admission::signals::{PrometheusQueries, PrometheusSources};
use usher_base::EventId;

use crate::api::openapi::Refusal;
use crate::body::JsonBody;
use crate::desk::database_unavailable;
use crate::error::{ApiError, ApiResult};
use crate::operators::Operator;
use crate::state::Edge;

fn sources(edge: &Edge) -> ApiResult<&PrometheusSources> {
    edge.desk()?.prometheus.as_ref().ok_or_else(|| {
        let message = "No Prometheus is set: give its address with the setting prometheus_url.";
        ApiError::new(StatusCode::CONFLICT, "no_prometheus", message)
    })
}

#[utoipa::path(
    get,
    operation_id = "operators_prometheus_show",
    path = "/api/v1/admin/events/{event}/prometheus",
    tag = "operators",
    summary = "The queries that tell how the backend is",
    params(("event" = String, Path, description = "An event's id")),
    responses((status = 200, description = "Done", body = Object), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn show(
    State(edge): State<Arc<Edge>>,
    _operator: Operator,
    Path(event): Path<EventId>,
) -> ApiResult<Json<PrometheusQueries>> {
    let known = sources(&edge)?.get(event).await;
    let known = known.map_err(database_unavailable)?;
    known.map(Json).ok_or_else(|| {
        let message = "No queries are set for this event: its own booking nodes tell how it is.";
        ApiError::new(StatusCode::NOT_FOUND, "no_queries", message)
    })
}

#[utoipa::path(
    put,
    operation_id = "operators_prometheus_change",
    path = "/api/v1/admin/events/{event}/prometheus",
    tag = "operators",
    summary = "Set the queries that tell how the backend is",
    params(("event" = String, Path, description = "An event's id")),
    request_body = Object,
    responses((status = 204, description = "Set; asked within some seconds"), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn change(
    State(edge): State<Arc<Edge>>,
    operator: Operator,
    Path(event): Path<EventId>,
    JsonBody(queries): JsonBody<PrometheusQueries>,
) -> ApiResult<StatusCode> {
    edge.live_event(event)?;
    let valid = queries.validate();
    valid.map_err(|error| ApiError::invalid(error.to_string()))?;
    let put = sources(&edge)?.put(event, &queries, &operator.name).await;
    put.map_err(database_unavailable)?;
    let (what, details) = ("prometheus_changed", json!(queries));
    edge.note(&operator, what, event.to_string(), details).await;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(
    delete,
    operation_id = "operators_prometheus_remove",
    path = "/api/v1/admin/events/{event}/prometheus",
    tag = "operators",
    summary = "Ask Prometheus no more about this event",
    params(("event" = String, Path, description = "An event's id")),
    responses((status = 204, description = "Done"), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn remove(
    State(edge): State<Arc<Edge>>,
    operator: Operator,
    Path(event): Path<EventId>,
) -> ApiResult<StatusCode> {
    let removed = sources(&edge)?.remove(event).await;
    removed.map_err(database_unavailable)?;
    let what = "prometheus_removed";
    edge.note(&operator, what, event.to_string(), json!({}))
        .await;
    Ok(StatusCode::NO_CONTENT)
}
