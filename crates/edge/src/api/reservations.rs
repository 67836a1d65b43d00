//! Holds: set seats and places aside, see, prolong, give back.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use serde_json::json;
use usher_base::{EventId, ReservationId, Timestamp};
use usher_booking::catalog::OnSale;
use usher_booking::holds::{Hold, HoldError, HoldRequest, HoldTag, ReservationStatus};
use usher_booking::inventory::{BadSelection, SeatIndex, Selection, TierIndex};
use usher_queue::AccessClaims;
use utoipa::ToSchema;

use crate::error::{ApiError, ApiResult};
use crate::live::{LiveEvent, StockView};
use crate::places::{self, Stand};
use crate::shopping::{self, Amount, HeldPlace, hold_refusal};
use crate::state::Edge;

/// Other seats offered after a conflict.
const MAX_ALTERNATIVES: usize = 8;
/// Wishes in one request; the event's own limits are lower.
const MAX_WISHES: usize = 64;

#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
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
    ttl_seconds: Option<u64>,
}

#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BestWish {
    #[serde(default)]
    section: Option<String>,
    count: u32,
}

#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TierWish {
    tier: String,
    count: u32,
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
    /// The session lasts as long as the hold: use this token from now on
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_token: Option<String>,
}

pub async fn create(
    State(edge): State<Arc<Edge>>,
    Path(event): Path<EventId>,
    headers: HeaderMap,
    Json(form): Json<ReservationForm>,
) -> ApiResult<impl IntoResponse> {
    let live = edge.live_event(event)?;
    let access = match edge.access_of(&live, &headers) {
        Ok(access) => access,
        Err(refusal) => return Err(in_queue(&edge, &live, &headers).await.unwrap_or(refusal)),
    };
    let on_sale = edge.on_sale(event)?;
    if !on_sale.event.is_on_sale(edge.clock.now()) {
        let message = "Tickets are not on sale at this time.";
        return Err(ApiError::new(StatusCode::CONFLICT, "not_on_sale", message));
    }
    let stock = live.stock();
    let hold = hold(&edge, &on_sale, stock.as_deref(), &access, &form).await?;
    metrics::counter!("usher_holds_total", "event" => event.to_string()).increment(1);
    let (token, cookie) = prolong(&edge, event, &access, hold.expires_at).await;
    let mut answer = describe(&on_sale, &hold);
    answer.access_token = token;
    Ok((StatusCode::CREATED, set_cookie(cookie), Json(answer)))
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
    stock: Option<&StockView>,
    access: &AccessClaims,
    form: &ReservationForm,
) -> ApiResult<Hold> {
    let rules = on_sale.event.rules.for_holds();
    let selection = select(on_sale, stock, form)?;
    let request = HoldRequest {
        id: form.client_reservation_id,
        fan: access.sub,
        selection,
        ttl: rules.ttl_for(form.ttl_seconds.map(Duration::from_secs)),
        tag: HoldTag::of(&serde_json::to_vec(form).expect("a form is plain data")),
    };
    let held = edge.holds.hold(on_sale.event.id, &request, &rules).await;
    held.map_err(|error| match error {
        HoldError::Unavailable { ref seats, .. } => {
            metrics::counter!("usher_hold_conflicts_total", "event" => on_sale.event.id.to_string())
                .increment(1);
            let named = seats.iter().filter_map(|seat| on_sale.seat_id(*seat));
            let named: Vec<_> = named.map(str::to_owned).collect();
            let others = alternatives(on_sale, stock, &request.selection, seats);
            hold_refusal(error)
                .detail("unavailable_seats", json!(named))
                .detail("available_alternatives", json!(others))
        }
        other => hold_refusal(other),
    })
}

fn select(
    on_sale: &OnSale,
    stock: Option<&StockView>,
    form: &ReservationForm,
) -> ApiResult<Selection> {
    if form.seat_ids.len() > MAX_WISHES || form.tiers.len() > MAX_WISHES {
        return Err(bad_selection(BadSelection::TooMany));
    }
    let layout = on_sale.layout.as_ref();
    let index = |id: &String| layout.and_then(|layout| layout.index_of(id));
    let seats: Option<Vec<SeatIndex>> = form.seat_ids.iter().map(index).collect();
    let tier = |wish: &TierWish| Some((on_sale.event.tier(&wish.tier)?, wish.count));
    let tiers: Option<Vec<(TierIndex, u32)>> = form.tiers.iter().map(tier).collect();
    let (Some(mut seats), Some(tiers)) = (seats, tiers) else {
        return Err(bad_selection(BadSelection::Unknown));
    };
    if let Some(wish) = &form.best_available {
        seats.extend(best(on_sale, stock, wish)?);
    }
    Selection::new(seats, tiers).map_err(bad_selection)
}

fn best(on_sale: &OnSale, stock: Option<&StockView>, wish: &BestWish) -> ApiResult<Vec<SeatIndex>> {
    let found = stock.and_then(|stock| first_adjacent(on_sale, stock, wish));
    found.ok_or_else(|| {
        let message = "So many seats beside each other are not free there; try fewer or elsewhere.";
        ApiError::new(StatusCode::CONFLICT, "seat_unavailable", message)
    })
}

/// The first free seats beside each other, in the layout's order.
fn first_adjacent(on_sale: &OnSale, stock: &StockView, wish: &BestWish) -> Option<Vec<SeatIndex>> {
    let wanted = usize::try_from(wish.count).ok()?;
    let mut next = 0;
    for section in on_sale.layout.as_ref()?.sections() {
        let is_wanted = wish.section.as_ref().is_none_or(|id| *id == section.id);
        for row in &section.rows {
            let mut run = Vec::new();
            for seat in &row.seats {
                let index = SeatIndex(next);
                next += 1;
                if !is_wanted || !stock.seats.is_available(index) {
                    run.clear();
                    continue;
                }
                run.push(index);
                if run.len() == wanted {
                    return Some(run);
                }
                if seat.aisle_after {
                    run.clear();
                }
            }
        }
    }
    None
}

/// Free seats near the front that were not asked for.
fn alternatives(
    on_sale: &OnSale,
    stock: Option<&StockView>,
    asked: &Selection,
    taken: &[SeatIndex],
) -> Vec<String> {
    let Some(stock) = stock else {
        return Vec::new();
    };
    let free = (0..on_sale.event.seat_count).map(SeatIndex).filter(|seat| {
        stock.seats.is_available(*seat) && !taken.contains(seat) && !asked.seats().contains(seat)
    });
    let named = free.filter_map(|seat| on_sale.seat_id(seat).map(str::to_owned));
    named.take(MAX_ALTERNATIVES).collect()
}

fn bad_selection(error: BadSelection) -> ApiError {
    ApiError::invalid(error.to_string())
}

/// Nobody is thrown out while paying: the session lasts as long as the hold.
/// If it cannot be prolonged now, the hold stands all the same.
pub async fn prolong(
    edge: &Edge,
    event: EventId,
    access: &AccessClaims,
    until: Timestamp,
) -> (Option<String>, Option<HeaderValue>) {
    match edge
        .line
        .prolong(event, access.sub, access.number, until)
        .await
    {
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

pub async fn show(
    State(edge): State<Arc<Edge>>,
    Path(id): Path<ReservationId>,
    headers: HeaderMap,
) -> ApiResult<Json<ReservationAnswer>> {
    let own = edge.own_hold(&headers, id).await?;
    Ok(Json(describe(&own.on_sale, &own.hold)))
}

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

pub async fn extend(
    State(edge): State<Arc<Edge>>,
    Path(id): Path<ReservationId>,
    headers: HeaderMap,
    Json(form): Json<ExtendForm>,
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
    let (token, cookie) = prolong(&edge, own.live.id, &own.access, hold.expires_at).await;
    let mut answer = describe(&own.on_sale, &hold);
    answer.access_token = token;
    Ok((set_cookie(cookie), Json(answer)))
}
