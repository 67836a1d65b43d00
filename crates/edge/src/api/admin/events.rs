//! Events made, seen, changed and taken away, with care for what is sold: what
//! cannot be is refused with what is in the way.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use usher_base::{EventId, Timestamp};
use usher_booking::catalog::pg::{CatalogError, Search};
use usher_booking::catalog::{Event, EventDraft, EventPatch, PatchError};
use usher_booking::inventory::SeatIndex;
use usher_queue::{Phase, SetupPatch};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::lines::{self, LineAnswer};
use crate::api::events::phase_of;
use crate::api::openapi::Refusal;
use crate::desk::database_unavailable;
use crate::error::{ApiError, ApiResult};
use crate::events::EventError;
use crate::operators::Operator;
use crate::state::Edge;

/// A layout of 60,000 seats as a pretix plan is about this large.
pub const MAX_DRAFT_BYTES: usize = 16 << 20;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AllQuery {
    /// Words of title, category, description, venue or city
    q: Option<String>,
    #[param(value_type = Option<String>)]
    from: Option<Timestamp>,
    #[param(value_type = Option<String>)]
    to: Option<Timestamp>,
    city: Option<String>,
    category: Option<String>,
    /// Id of a title: all its dates
    #[param(value_type = Option<String>)]
    title: Option<Uuid>,
    #[serde(default)]
    page: u32,
    #[serde(default)]
    limit: u32,
}

#[derive(Serialize, ToSchema)]
pub struct AllAnswer {
    data: Vec<EventLine>,
    total: i64,
    page: u32,
    limit: u32,
}

/// One event in the list.
#[derive(Serialize, ToSchema)]
pub struct EventLine {
    #[schema(value_type = String)]
    id: EventId,
    slug: String,
    title: String,
    /// Events of the same title share it
    #[schema(value_type = String)]
    title_id: Uuid,
    venue: String,
    city: String,
    #[schema(value_type = String)]
    start_time: Timestamp,
    #[schema(value_type = String)]
    phase: Phase,
}

#[derive(Serialize, ToSchema)]
pub struct WholeEvent {
    #[serde(flatten)]
    #[schema(value_type = Object)]
    event: Event,
    #[schema(value_type = String)]
    phase: Phase,
    line: LineAnswer,
    /// Seats that were to be blocked but are held just now: repeat the change
    /// once they are free
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_blocked_yet: Vec<String>,
}

#[utoipa::path(
    get,
    operation_id = "operators_events_list",
    path = "/api/v1/admin/events",
    tag = "operators",
    summary = "All events, drafts too",
    params(AllQuery),
    responses((status = 200, description = "Done", body = AllAnswer), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn list(
    State(edge): State<Arc<Edge>>,
    Query(query): Query<AllQuery>,
) -> ApiResult<Json<AllAnswer>> {
    let wanted = Search {
        q: query.q,
        from: query.from,
        to: query.to,
        city: query.city,
        category: query.category,
        title: query.title,
        page: query.page,
        limit: query.limit,
    };
    let found = edge.desk()?.events.search(&wanted).await;
    let found = found.map_err(refusal)?;
    let line = |event: Event| EventLine {
        id: event.id,
        phase: phase_of(&edge, event.id),
        slug: event.slug,
        title: event.title.name,
        title_id: event.title.id,
        venue: event.venue.name,
        city: event.venue.city,
        start_time: event.start_time,
    };
    Ok(Json(AllAnswer {
        data: found.events.into_iter().map(line).collect(),
        total: found.total,
        page: found.page,
        limit: found.limit,
    }))
}

/// The body is what `usher event import` reads: JSON or TOML, with a layout in
/// usher's simple form or as a pretix seating plan.
#[utoipa::path(
    post,
    operation_id = "operators_events_create",
    path = "/api/v1/admin/events",
    tag = "operators",
    summary = "Make an event, as a draft",
    request_body = String,
    responses((status = 201, description = "Made", body = WholeEvent), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn create(
    State(edge): State<Arc<Edge>>,
    operator: Operator,
    body: String,
) -> ApiResult<(StatusCode, Json<WholeEvent>)> {
    let draft = EventDraft::parse(&body).map_err(|error| ApiError::invalid(error.to_string()))?;
    let line = draft.line.as_ref();
    can_ask(&edge, line.and_then(|line| line["captcha"].as_bool()))?;
    let events = &edge.desk()?.events;
    let id = events.create(draft, edge.clock.now()).await;
    let id = id.map_err(refusal)?;
    let event = events.get(id).await.map_err(refusal)?;
    let details = json!({ "slug": event.slug, "title": event.title.name });
    edge.note(&operator, "event_created", id.to_string(), details)
        .await;
    let made = whole(&edge, event, Vec::new()).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

#[utoipa::path(
    get,
    operation_id = "operators_events_show",
    path = "/api/v1/admin/events/{event}",
    tag = "operators",
    summary = "One event as it was made",
    params(("event" = String, Path, description = "An event's id")),
    responses((status = 200, description = "Done", body = WholeEvent), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn show(
    State(edge): State<Arc<Edge>>,
    Path(event): Path<EventId>,
) -> ApiResult<Json<WholeEvent>> {
    let event = edge.desk()?.events.get(event).await.map_err(refusal)?;
    whole(&edge, event, Vec::new()).await.map(Json)
}

/// Nobody could join an event that asks for what this deployment cannot check.
fn can_ask(edge: &Edge, captcha: Option<bool>) -> ApiResult<()> {
    if captcha == Some(true) && edge.captcha.is_none() {
        let message = "This usher has no CAPTCHA: set `captcha_provider` and its keys first.";
        return Err(ApiError::new(
            StatusCode::CONFLICT,
            "captcha_not_configured",
            message,
        ));
    }
    Ok(())
}

/// The line's part of a change, and the rest of it.
#[derive(Deserialize)]
struct ChangeForm {
    line: Option<SetupPatch>,
    #[serde(flatten)]
    rest: serde_json::Map<String, serde_json::Value>,
}

/// `line` sets up the line: `ordering` (fifo, lottery) before people may come,
/// `room` (on, off), `lanes` (all of them: lane, weight, needs_code), `gathers_at`,
/// `opens_at`, `closes_at`, `claim_seconds`, `session_seconds`, `grace_seconds`,
/// `max_waiting`. It is changed before the rest.
#[utoipa::path(
    patch,
    operation_id = "operators_events_change",
    path = "/api/v1/admin/events/{event}",
    tag = "operators",
    summary = "Change what is given; `null` takes a time back",
    params(("event" = String, Path, description = "An event's id")),
    request_body = Object,
    responses((status = 200, description = "Done", body = WholeEvent), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn change(
    State(edge): State<Arc<Edge>>,
    operator: Operator,
    Path(event): Path<EventId>,
    body: String,
) -> ApiResult<Json<WholeEvent>> {
    let details: serde_json::Value = serde_json::from_str(&body).map_err(bad_patch)?;
    let form: ChangeForm = serde_json::from_str(&body).map_err(bad_patch)?;
    let patch: EventPatch = serde_json::from_value(form.rest.into()).map_err(bad_patch)?;
    let events = &edge.desk()?.events;
    if let Some(line) = form.line {
        can_ask(&edge, line.captcha)?;
        events.set_up(event, line).await.map_err(refusal)?;
        // It stands, also if the rest is refused.
        let what = details["line"].clone();
        edge.note(&operator, "line_changed", event.to_string(), what)
            .await;
    }
    let changed = events.change(event, patch).await.map_err(refusal)?;
    edge.note(&operator, "event_changed", event.to_string(), details)
        .await;
    whole(&edge, changed.event, changed.held).await.map(Json)
}

#[utoipa::path(
    delete,
    operation_id = "operators_events_delete",
    path = "/api/v1/admin/events/{event}",
    tag = "operators",
    summary = "Take an event away that nobody ordered from",
    params(("event" = String, Path, description = "An event's id")),
    responses((status = 204, description = "Gone"), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn delete(
    State(edge): State<Arc<Edge>>,
    operator: Operator,
    Path(event): Path<EventId>,
) -> ApiResult<StatusCode> {
    edge.desk()?.events.delete(event).await.map_err(refusal)?;
    edge.note(&operator, "event_deleted", event.to_string(), json!({}))
        .await;
    Ok(StatusCode::NO_CONTENT)
}

async fn whole(edge: &Edge, event: Event, held: Vec<SeatIndex>) -> ApiResult<WholeEvent> {
    let line = edge.desk()?.events.line(event.id).await;
    let on_sale = edge.catalog.get(event.id);
    let id = |seat: SeatIndex| on_sale.as_ref()?.seat_id(seat).map(str::to_owned);
    Ok(WholeEvent {
        line: line.map_err(refusal)?.into(),
        phase: phase_of(edge, event.id),
        not_blocked_yet: held.into_iter().filter_map(id).collect(),
        event,
    })
}

fn bad_patch(error: serde_json::Error) -> ApiError {
    ApiError::invalid(format!("This is no change of an event: {error}."))
}

fn refusal(error: EventError) -> ApiError {
    let message = error.to_string();
    let conflict = |code| ApiError::new(StatusCode::CONFLICT, code, message.clone());
    match error {
        EventError::Draft(_) | EventError::LineForm(_) => ApiError::invalid(message),
        EventError::Catalog(error) => match error {
            CatalogError::NotFound => ApiError::not_found("event"),
            CatalogError::SlugTaken(_) => conflict("slug_taken"),
            CatalogError::HasOrders => conflict("has_orders"),
            CatalogError::Patch(PatchError::Draft(_)) => ApiError::invalid(message),
            CatalogError::Patch(_) => conflict("already_sold"),
            CatalogError::Sql(error) => database_unavailable(error),
        },
        EventError::LineInTheWay(_) => conflict("line_in_the_way"),
        EventError::HoldsInTheWay(_) => conflict("holds_in_the_way"),
        EventError::Line(error) => lines::refusal(error),
        EventError::Redis(error) => error.into(),
        EventError::Inventory(_)
        | EventError::Rebuild(_)
        | EventError::Policy(_)
        | EventError::Overtaken => ApiError::internal(error),
    }
}
