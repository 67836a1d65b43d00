//! Whom an event's happenings are told over HTTP, and what they did not take:
//! endpoints made, listed and removed, dead letters seen and sent again.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use usher_base::EventId;
use usher_booking::pg::deliveries::DeadLetter;
use usher_booking::pg::webhooks::{EndpointError, Listed, NewEndpoint};
use usher_booking::webhooks::{Kinds, Secret};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::api::openapi::Refusal;
use crate::body::JsonBody;
use crate::desk::database_unavailable;
use crate::error::{ApiError, ApiResult};
use crate::operators::Operator;
use crate::state::Edge;

const DEFAULT_PAGE: u32 = 50;
const MAX_PAGE: u32 = 200;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookForm {
    /// https://, a public address
    url: String,
    /// Kinds of the ledger's entries, such as `BookingConfirmed`; none: all
    #[serde(default)]
    kinds: Vec<String>,
}

#[derive(Serialize, ToSchema)]
pub struct NewWebhook {
    #[schema(value_type = String)]
    id: Uuid,
    /// Signs every delivery; shown this once
    secret: String,
}

#[derive(Serialize, ToSchema)]
pub struct WebhookList {
    #[schema(value_type = Vec<Object>)]
    data: Vec<Listed>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DeadQuery {
    /// `next` of the page before
    after: Option<String>,
    limit: Option<u32>,
}

#[derive(Serialize, ToSchema)]
pub struct DeadLetters {
    #[schema(value_type = Vec<Object>)]
    data: Vec<DeadLetter>,
    /// Where the next page begins; none after the last
    next: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RedeliverForm {
    /// The `event.id` of one dead letter; left out: all of this webhook
    delivery: Option<i64>,
}

#[derive(Serialize, ToSchema)]
pub struct Redelivered {
    count: u64,
}

#[utoipa::path(
    get,
    operation_id = "operators_webhooks_list",
    path = "/api/v1/admin/events/{event}/webhooks",
    tag = "operators",
    summary = "Who is told what happens, and how that goes",
    params(("event" = String, Path, description = "An event's id")),
    responses((status = 200, description = "Done", body = WebhookList), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn list(
    State(edge): State<Arc<Edge>>,
    Path(event): Path<EventId>,
) -> ApiResult<Json<WebhookList>> {
    let data = edge.desk()?.webhooks.list(event).await;
    let data = data.map_err(database_unavailable)?;
    Ok(Json(WebhookList { data }))
}

#[utoipa::path(
    post,
    operation_id = "operators_webhooks_add",
    path = "/api/v1/admin/events/{event}/webhooks",
    tag = "operators",
    summary = "Tell an address what happens from now on",
    params(("event" = String, Path, description = "An event's id")),
    request_body = WebhookForm,
    responses((status = 201, description = "Made", body = NewWebhook), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn add(
    State(edge): State<Arc<Edge>>,
    operator: Operator,
    Path(event): Path<EventId>,
    JsonBody(form): JsonBody<WebhookForm>,
) -> ApiResult<(StatusCode, Json<NewWebhook>)> {
    let desk = edge.desk()?;
    edge.on_sale(event)?;
    let invalid = |error: String| ApiError::invalid(error);
    let checked = desk.webhook_targets.check(&form.url);
    checked.map_err(|error| invalid(error.to_string()))?;
    let kinds = Kinds::parse(&form.kinds).map_err(|error| invalid(error.to_string()))?;
    let new = NewEndpoint {
        event,
        url: form.url,
        kinds,
        secret: Secret::random(&mut rand::rng()),
    };
    let id = desk.webhooks.add(&new, &operator.name).await;
    let made = NewWebhook {
        id: id.map_err(refusal)?,
        secret: new.secret.shown().to_owned(),
    };
    Ok((StatusCode::CREATED, Json(made)))
}

#[utoipa::path(
    delete,
    operation_id = "operators_webhooks_remove",
    path = "/api/v1/admin/events/{event}/webhooks/{id}",
    tag = "operators",
    summary = "Tell it nothing more, not even what waits",
    params(("event" = String, Path, description = "An event's id"), ("id" = String, Path, description = "A webhook's id")),
    responses((status = 204, description = "Gone"), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn remove(
    State(edge): State<Arc<Edge>>,
    operator: Operator,
    Path((event, id)): Path<(EventId, Uuid)>,
) -> ApiResult<StatusCode> {
    let removing = edge.desk()?.webhooks.remove(event, id, &operator.name);
    removing.await.map_err(refusal)?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(
    get,
    operation_id = "operators_webhooks_dead",
    path = "/api/v1/admin/events/{event}/webhooks/dead",
    tag = "operators",
    summary = "Dead letters: what was not taken in time, and why",
    params(("event" = String, Path, description = "An event's id"), DeadQuery),
    responses((status = 200, description = "Done", body = DeadLetters), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn dead(
    State(edge): State<Arc<Edge>>,
    Path(event): Path<EventId>,
    Query(query): Query<DeadQuery>,
) -> ApiResult<Json<DeadLetters>> {
    let limit = query.limit.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE);
    let after = query.after.as_deref().map(|text| {
        cursor(text).ok_or_else(|| ApiError::invalid("after must be the `next` of a page."))
    });
    let listing = edge.desk()?.webhooks.dead(event, after.transpose()?, limit);
    let data = listing.await.map_err(database_unavailable)?;
    let last = data.last().filter(|_| data.len() >= limit as usize);
    let next = last.map(|letter| format!("{}.{}", letter.endpoint_id, letter.event.id));
    Ok(Json(DeadLetters { next, data }))
}

/// `<webhook>.<delivery>`
fn cursor(text: &str) -> Option<(Uuid, i64)> {
    let (endpoint, id) = text.split_once('.')?;
    Some((endpoint.parse().ok()?, id.parse().ok()?))
}

#[utoipa::path(
    post,
    operation_id = "operators_webhooks_redeliver",
    path = "/api/v1/admin/events/{event}/webhooks/{id}/redeliver",
    tag = "operators",
    summary = "Send dead letters again",
    params(("event" = String, Path, description = "An event's id"), ("id" = String, Path, description = "A webhook's id")),
    request_body = RedeliverForm,
    responses((status = 200, description = "On their way", body = Redelivered), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn redeliver(
    State(edge): State<Arc<Edge>>,
    operator: Operator,
    Path((event, id)): Path<(EventId, Uuid)>,
    JsonBody(form): JsonBody<RedeliverForm>,
) -> ApiResult<Json<Redelivered>> {
    let webhooks = &edge.desk()?.webhooks;
    let count = webhooks.redeliver(event, id, form.delivery, &operator.name);
    let count = count.await.map_err(refusal)?;
    Ok(Json(Redelivered { count }))
}

fn refusal(error: EndpointError) -> ApiError {
    let message = error.to_string();
    match error {
        EndpointError::TooMany => ApiError::new(StatusCode::CONFLICT, "too_many_webhooks", message),
        EndpointError::NotFound => ApiError::new(StatusCode::NOT_FOUND, "not_found", message),
        EndpointError::Sql(error) => database_unavailable(error),
    }
}
