//! Holds: set seats and places aside, see, prolong, give back.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::IntoResponse;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};
use serde_json::json;
use usher_base::{EventId, ReservationId, Timestamp};
use usher_booking::catalog::OnSale;
use usher_booking::holds::{
    BestAvailable, Hold, HoldTag, ReservationStatus, ReserveError, ReserveRequest, TierCount,
};
use usher_queue::AccessClaims;
use utoipa::ToSchema;

use crate::allowances::Doing;
use crate::api::openapi::Refusal;
use crate::body::JsonBody;
use crate::error::{ApiError, ApiResult};
use crate::live::LiveEvent;
use crate::places::{self, Stand};
use crate::shopping::{self, Amount, HeldPlace, hold_refusal};
use crate::state::Edge;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReservationForm {
    /// Chosen by the client: a retry under the same id returns the same hold
    #[schema(value_type = String)]
    client_reservation_id: ReservationId,
    #[serde(default)]
    seat_ids: Vec<String>,
    #[serde(default)]
    best_available: Option<BestWish>,
    #[serde(default)]
    tiers: Vec<TierWish>,
    /// Less time than the event gives, if the client wants so
    #[serde(default)]
    ttl_seconds: Option<u32>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BestWish {
    #[serde(default)]
    section: Option<String>,
    /// A price category; any when not said
    #[serde(default)]
    category: Option<String>,
    count: u32,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TierWish {
    tier: String,
    count: u32,
}

impl From<ReservationForm> for ReserveRequest {
    fn from(form: ReservationForm) -> Self {
        let best = |wish: BestWish| BestAvailable {
            section: wish.section,
            category: wish.category,
            count: wish.count,
        };
        let tier = |TierWish { tier, count }| TierCount { tier, count };
        Self {
            client_reservation_id: form.client_reservation_id,
            seat_ids: form.seat_ids,
            best_available: form.best_available.map(best),
            tiers: form.tiers.into_iter().map(tier).collect(),
            ttl_seconds: form.ttl_seconds,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct ReservationAnswer {
    #[schema(value_type = String)]
    pub reservation_id: ReservationId,
    #[schema(value_type = String)]
    pub status: ReservationStatus,
    pub seats: Vec<HeldPlace>,
    pub total: Amount,
    #[schema(value_type = String)]
    pub expires_at: Timestamp,
    pub extensions_remaining: u32,
    /// The session lasts as long as the hold. Where the token that was shown would end
    /// before it, here is the one to use from now on
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_token: Option<String>,
}

#[utoipa::path(
    post,
    operation_id = "reservations_create",
    path = "/api/v1/events/{event}/reservations",
    tag = "shop",
    summary = "Set seats and places aside: all or none",
    params(("event" = String, Path, description = "An event's id")),
    request_body = ReservationForm,
    responses((status = 201, description = "Held", body = ReservationAnswer), (status = 409, description = "`seat_unavailable`, with `unavailable_seats` and `available_alternatives`", body = Refusal), (status = 429, description = "`in_queue`, with the place; or `rate_limit_exceeded`", body = Refusal), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn create(
    State(edge): State<Arc<Edge>>,
    Path(event): Path<EventId>,
    headers: HeaderMap,
    JsonBody(form): JsonBody<ReservationForm>,
) -> ApiResult<impl IntoResponse> {
    let live = edge.live_event(event)?;
    let access = match edge.access_of(&live, &headers) {
        Ok(access) => access,
        Err(refusal) => return Err(in_queue(&edge, &live, &headers).await.unwrap_or(refusal)),
    };
    let on_sale = edge.on_sale(event)?;
    let limit = on_sale.event.rules.reservations_per_second;
    edge.fan_limits
        .check(event, access.sub, Doing::Reserve, limit)
        .await?;
    let hold = hold(&edge, &on_sale, &access, form).await?;
    metrics::counter!("usher_holds_total", "event" => event.to_string()).increment(1);
    note_first_hold(&edge, &access, event, &headers);
    let (token, cookie) = prolong(&edge, event, &access, &headers, hold.expires_at).await;
    let mut answer = describe(&on_sale, &hold);
    answer.access_token = token;
    Ok((StatusCode::CREATED, set_cookie(cookie), Json(answer)))
}

/// The admission learns how many of those inside take seats, and how soon.
fn note_first_hold(edge: &Edge, access: &AccessClaims, event: EventId, headers: &HeaderMap) {
    let now = edge.clock.now();
    let load = edge.desk.as_ref().map(|desk| &desk.load);
    let recorder = load.and_then(|load| load.recorders.of(event, now));
    if let Some((recorder, life)) = recorder.zip(shopping::access_life(headers, event)) {
        recorder.held(access.session, now.since(life.start));
    }
}

/// A fan who still stands in line is told where, not merely that access is missing.
async fn in_queue(edge: &Edge, live: &LiveEvent, headers: &HeaderMap) -> Option<ApiError> {
    let claims = edge.queue_claims_of(live.id, headers).ok()?;
    let view = live.view()?;
    let stand = places::stand(edge, live, &view, &claims).await.ok()?;
    let Stand::Waiting { ahead, .. } = stand else {
        return None;
    };
    let place = places::answer(edge, live, &view, &claims, &stand);
    let message = "It is not your turn yet; you are still in line.";
    let refusal = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "in_queue", message)
        .retry_after(Duration::from_millis(place.poll_after_ms))
        .detail("queue_position", ahead);
    Some(refusal.detail(
        "estimated_wait_seconds",
        json!(place.estimated_wait_seconds),
    ))
}

async fn hold(
    edge: &Edge,
    on_sale: &OnSale,
    access: &AccessClaims,
    form: ReservationForm,
) -> ApiResult<Hold> {
    let (request, now) = (ReserveRequest::from(form), edge.clock.now());
    let mut rng: StdRng = rand::make_rng();
    let reserving = edge
        .holds
        .reserve(on_sale, access.sub, &request, now, &mut rng);
    reserving
        .await
        .map_err(|error| refusal(on_sale.event.id, error))
}

fn refusal(event: EventId, error: ReserveError) -> ApiError {
    let message = error.to_string();
    match error {
        ReserveError::Hold(error) => hold_refusal(error),
        ReserveError::Selection(_) | ReserveError::SeatsTwice | ReserveError::NoSuchSection => {
            ApiError::invalid(message)
        }
        ReserveError::NotOnSale { opens_at } => {
            ApiError::new(StatusCode::CONFLICT, "not_on_sale", message)
                .detail("opens_at", opens_at.map(Timestamp::to_rfc3339))
        }
        ReserveError::Unavailable {
            seats,
            tiers,
            alternatives,
        } => {
            metrics::counter!("usher_hold_conflicts_total", "event" => event.to_string())
                .increment(1);
            // Groups beside each other, one after the other; none shares a seat.
            let others: Vec<_> = alternatives.seats.into_iter().flatten().collect();
            ApiError::new(StatusCode::CONFLICT, "seat_unavailable", message)
                .detail("unavailable_seats", seats)
                .detail("unavailable_tiers", tiers)
                .detail("available_alternatives", others)
                .detail("alternative_tiers", alternatives.tiers)
        }
    }
}

/// Nobody is thrown out while paying: the session lasts as long as the hold.
/// If it cannot be prolonged now, the hold stands all the same. A new token only
/// where the one that is shown would end before the session; and nothing at all
/// where it ends after the hold, because a session is never shorter than its token.
async fn prolong(
    edge: &Edge,
    event: EventId,
    access: &AccessClaims,
    headers: &HeaderMap,
    until: Timestamp,
) -> (Option<String>, Option<HeaderValue>) {
    // A token tells whole seconds: only from the next one on is it surely later.
    if is_shown_until(headers, event, until.plus(Duration::from_secs(1))) {
        return (None, None);
    }
    match edge
        .line
        .prolong(event, access.sub, access.number, until)
        .await
    {
        Ok(Some(session)) if is_shown_until(headers, event, session.ends_at) => (None, None),
        Ok(Some(session)) => {
            let (token, cookie) = edge.access_token(event, access, session.ends_at);
            (Some(token), Some(cookie))
        }
        Ok(None) => (None, None),
        Err(error) => {
            tracing::warn!(%error, %event, "a session was not prolonged for a hold");
            (None, None)
        }
    }
}

fn is_shown_until(headers: &HeaderMap, event: EventId, end: Timestamp) -> bool {
    let life = shopping::access_life(headers, event);
    life.is_some_and(|life| life.end.seconds() >= end.seconds())
}

fn set_cookie(cookie: Option<HeaderValue>) -> HeaderMap {
    cookie
        .map(|cookie| (SET_COOKIE, cookie))
        .into_iter()
        .collect()
}

pub fn describe(on_sale: &OnSale, hold: &Hold) -> ReservationAnswer {
    ReservationAnswer {
        reservation_id: hold.id,
        status: hold.status,
        seats: shopping::held_places(on_sale, &hold.selection),
        total: shopping::amount(on_sale, on_sale.total(&hold.selection).unwrap_or(0)),
        expires_at: hold.expires_at,
        extensions_remaining: hold.extensions_remaining,
        access_token: None,
    }
}

#[utoipa::path(
    get,
    operation_id = "reservations_show",
    path = "/api/v1/reservations/{id}",
    tag = "shop",
    summary = "A hold",
    params(("id" = String, Path, description = "A reservation's id")),
    responses((status = 200, description = "Done", body = ReservationAnswer), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn show(
    State(edge): State<Arc<Edge>>,
    Path(id): Path<ReservationId>,
    headers: HeaderMap,
) -> ApiResult<Json<ReservationAnswer>> {
    let own = edge.own_hold(&headers, id).await?;
    edge.fan_limits
        .check(own.live.id, own.access.sub, Doing::Browse, None)
        .await?;
    Ok(Json(describe(&own.on_sale, &own.hold)))
}

#[utoipa::path(
    delete,
    operation_id = "reservations_release",
    path = "/api/v1/reservations/{id}",
    tag = "shop",
    summary = "Give a hold back",
    params(("id" = String, Path, description = "A reservation's id")),
    responses((status = 200, description = "Done", body = ReservationAnswer), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn release(
    State(edge): State<Arc<Edge>>,
    Path(id): Path<ReservationId>,
    headers: HeaderMap,
) -> ApiResult<Json<ReservationAnswer>> {
    let own = edge.own_hold(&headers, id).await?;
    let hold = edge
        .holds
        .release(own.live.id, id, own.access.sub)
        .await
        .map_err(hold_refusal)?;
    Ok(Json(describe(&own.on_sale, &hold)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExtendForm {
    #[serde(default)]
    additional_seconds: Option<u64>,
    /// A retry under the same key uses no second extension
    #[serde(default)]
    idempotency_key: Option<String>,
}

#[utoipa::path(
    patch,
    operation_id = "reservations_extend",
    path = "/api/v1/reservations/{id}/extend",
    tag = "shop",
    summary = "Prolong a hold",
    params(("id" = String, Path, description = "A reservation's id")),
    request_body = ExtendForm,
    responses((status = 200, description = "Done", body = ReservationAnswer), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn extend(
    State(edge): State<Arc<Edge>>,
    Path(id): Path<ReservationId>,
    headers: HeaderMap,
    JsonBody(form): JsonBody<ExtendForm>,
) -> ApiResult<impl IntoResponse> {
    let own = edge.own_hold(&headers, id).await?;
    let rules = own.on_sale.event.rules.for_holds();
    let asked = form.additional_seconds.map(Duration::from_secs);
    // Without a key of its own the request is named by the deadline it saw.
    let name = form
        .idempotency_key
        .unwrap_or_else(|| own.hold.expires_at.to_rfc3339());
    let tag = HoldTag::of(name.as_bytes());
    let of = (id, own.access.sub);
    let hold = edge
        .holds
        .extend(own.live.id, of, asked, tag, &rules)
        .await
        .map_err(hold_refusal)?;
    let (token, cookie) = prolong(&edge, own.live.id, &own.access, &headers, hold.expires_at).await;
    let mut answer = describe(&own.on_sale, &hold);
    answer.access_token = token;
    Ok((set_cookie(cookie), Json(answer)))
}
