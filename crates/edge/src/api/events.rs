//! The catalog as fans read it, from Redis by way of this edge's memory.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use usher_base::{EventId, Timestamp};
use usher_booking::catalog::{OnSale, has_words};
use usher_queue::{LaneBoard, Phase};
use utoipa::{IntoParams, ToSchema};

use crate::api::openapi::Refusal;
use crate::error::ApiResult;
use crate::state::Edge;

const CACHE: &str = "public, max-age=30";
const MAX_PAGE: usize = 100;
const DEFAULT_PAGE: usize = 20;

#[derive(Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Words of title, category, description, venue or city; the last may be unfinished
    pub q: Option<String>,
    #[param(value_type = Option<String>)]
    pub from: Option<Timestamp>,
    #[param(value_type = Option<String>)]
    pub to: Option<Timestamp>,
    pub city: Option<String>,
    pub category: Option<String>,
    pub page: Option<usize>,
    pub limit: Option<usize>,
}

/// One page of what is announced and looked for.
pub struct FoundEvents {
    pub on_page: Vec<Arc<OnSale>>,
    pub total: usize,
    pub page: usize,
    pub limit: usize,
}

/// From this edge's memory, so that fans find events while Postgres is away.
pub fn find(edge: &Edge, query: &ListQuery) -> FoundEvents {
    let mut found = announced(edge);
    found.retain(|on_sale| matches(on_sale, query));
    let limit = query.limit.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE);
    let page = query.page.unwrap_or(1).max(1);
    let total = found.len();
    let before = (page - 1).saturating_mul(limit);
    FoundEvents {
        on_page: found.into_iter().skip(before).take(limit).collect(),
        total,
        page,
        limit,
    }
}

#[derive(Serialize, ToSchema)]
pub struct EventAnswer {
    pub id: String,
    pub slug: String,
    pub title: String,
    pub description: String,
    pub venue: VenueAnswer,
    pub category: String,
    #[schema(value_type = String)]
    pub start_time: Timestamp,
    #[schema(value_type = String)]
    pub phase: Phase,
    #[schema(value_type = Option<String>)]
    pub opens_at: Option<Timestamp>,
    pub price_range: Option<PriceRangeAnswer>,
    pub availability: Option<AvailabilityAnswer>,
    pub layout_version: Option<String>,
    /// What a lottery is bound to from gathering on; all of it is at `/draw`
    pub draws: Vec<CommitmentAnswer>,
}

#[derive(Serialize, ToSchema)]
pub struct CommitmentAnswer {
    pub lane: String,
    /// In hexadecimal
    pub commitment: String,
    /// Where the randomness will come from, in words
    pub entropy_rule: String,
    /// No entropy came: numbers followed the order of arrival
    pub opened_as_fifo: bool,
}

#[derive(Serialize, ToSchema)]
pub struct VenueAnswer {
    pub name: String,
    pub city: String,
    pub capacity: Option<u32>,
}

#[derive(Serialize, ToSchema)]
pub struct PriceRangeAnswer {
    pub min: i64,
    pub max: i64,
    pub currency: String,
}

#[derive(Serialize, ToSchema)]
pub struct AvailabilityAnswer {
    pub total_seats: u64,
    pub available_seats: u64,
}

#[derive(Serialize, ToSchema)]
pub struct ListAnswer {
    data: Vec<EventAnswer>,
    meta: ListMeta,
}

#[derive(Serialize, ToSchema)]
pub struct ListMeta {
    total: usize,
    page: usize,
    limit: usize,
}

#[utoipa::path(
    get,
    operation_id = "events_list",
    path = "/api/v1/events",
    tag = "catalog",
    summary = "Events that are announced",
    params(ListQuery),
    responses((status = 200, description = "Done", body = ListAnswer), (status = "default", description = "Refused", body = Refusal)),
)]
pub async fn list(
    State(edge): State<Arc<Edge>>,
    Query(query): Query<ListQuery>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let found = find(&edge, &query);
    let events = found.on_page.iter();
    let answer = ListAnswer {
        data: events.map(|on_sale| describe(&edge, on_sale)).collect(),
        meta: ListMeta {
            total: found.total,
            page: found.page,
            limit: found.limit,
        },
    };
    Ok(cached(&headers, &answer))
}

#[utoipa::path(
    get,
    operation_id = "events_show",
    path = "/api/v1/events/{event}",
    tag = "catalog",
    summary = "One event",
    params(("event" = String, Path, description = "An event's id")),
    responses((status = 200, description = "Done", body = EventAnswer), (status = "default", description = "Refused", body = Refusal)),
)]
pub async fn show(
    State(edge): State<Arc<Edge>>,
    Path(event): Path<EventId>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let on_sale = edge.on_sale(event)?;
    Ok(cached(&headers, &describe(&edge, &on_sale)))
}

/// Every event but drafts, the next one first.
pub fn announced(edge: &Edge) -> Vec<Arc<OnSale>> {
    let mut events = edge.catalog.all();
    events.retain(|on_sale| phase_of(edge, on_sale.event.id) != Phase::Draft);
    events.sort_by_key(|on_sale| (on_sale.event.start_time, on_sale.event.id));
    events
}

pub fn phase_of(edge: &Edge, event: EventId) -> Phase {
    let view = edge.live.event(event).and_then(|live| live.view());
    view.map_or(Phase::Draft, |view| view.phase())
}

fn matches(on_sale: &OnSale, query: &ListQuery) -> bool {
    let event = &on_sale.event;
    let same = |wanted: &Option<String>, is: &str| {
        wanted
            .as_ref()
            .is_none_or(|wanted| wanted.eq_ignore_ascii_case(is))
    };
    let words = |q: &String| has_words(&event.search_text(), q);
    same(&query.city, &event.venue.city)
        && same(&query.category, &event.category)
        && query.from.is_none_or(|from| event.start_time >= from)
        && query.to.is_none_or(|to| event.start_time < to)
        && query.q.as_ref().is_none_or(words)
}

fn describe(edge: &Edge, on_sale: &OnSale) -> EventAnswer {
    let event = &on_sale.event;
    let live = edge.live.event(event.id);
    let stock = live.as_ref().and_then(|live| live.stock());
    EventAnswer {
        id: event.id.to_string(),
        slug: event.slug.clone(),
        title: event.title.name.clone(),
        description: event.description.clone(),
        venue: VenueAnswer {
            name: event.venue.name.clone(),
            city: event.venue.city.clone(),
            capacity: event.venue.capacity,
        },
        category: event.category.clone(),
        start_time: event.start_time,
        phase: phase_of(edge, event.id),
        opens_at: live.and_then(|live| live.opens_at()),
        price_range: event.price_range().map(|(min, max)| PriceRangeAnswer {
            min,
            max,
            currency: event.currency.clone(),
        }),
        availability: stock.map(|stock| AvailabilityAnswer {
            total_seats: event.places().into(),
            available_seats: stock.free(),
        }),
        layout_version: event.layout_version.clone(),
        draws: commitments(edge, event.id),
    }
}

/// What each lane's draw is bound to.
pub fn commitments(edge: &Edge, event: EventId) -> Vec<CommitmentAnswer> {
    let view = edge.live.event(event).and_then(|live| live.view());
    let of_lane = |of: &LaneBoard| {
        let draw = of.draw.as_ref()?;
        Some(CommitmentAnswer {
            lane: of.lane.to_string(),
            commitment: hex::encode(draw.commitment),
            entropy_rule: draw.rule.to_string(),
            opened_as_fifo: draw.opened_as_fifo,
        })
    };
    let lanes = view.iter().flat_map(|view| &view.board().lanes);
    lanes.filter_map(of_lane).collect()
}

/// With an ETag of the content; who has it already gets 304.
pub fn cached(headers: &HeaderMap, answer: &impl Serialize) -> Response {
    let body = serde_json::to_vec(answer).expect("an answer is plain data");
    let tag = format!("\"{}\"", &hex::encode(digest(&SHA256, &body))[..24]);
    let tag = HeaderValue::try_from(tag).expect("hex digits are visible ASCII");
    let has_it = headers.get(header::IF_NONE_MATCH) == Some(&tag);
    let common = [
        (header::ETAG, tag),
        (header::CACHE_CONTROL, HeaderValue::from_static(CACHE)),
    ];
    if has_it {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    let json = [(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    )];
    (common, json, body).into_response()
}

#[utoipa::path(
    get,
    operation_id = "events_jwks",
    path = "/.well-known/jwks.json",
    tag = "plumbing",
    summary = "The public keys that verify tokens and tickets",
    responses((status = 200, description = "Done", body = Object), (status = "default", description = "Refused", body = Refusal)),
)]
pub async fn jwks(State(edge): State<Arc<Edge>>) -> impl IntoResponse {
    let cache = [(header::CACHE_CONTROL, "public, max-age=300")];
    (cache, Json(edge.keys.public_jwk_set()))
}
