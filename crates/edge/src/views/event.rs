//! The list of events and one event's page.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse as _;
use serde::Deserialize;
use usher_base::{EventId, Lane};
use usher_booking::catalog::OnSale;
use usher_queue::{Identity, Ordering, Phase};

use super::{OnPage as _, PageResult, head, moment, see_other};
use crate::api::events::{CommitmentAnswer, announced, commitments, phase_of};
use crate::cookies;
use crate::pages::{
    self, Availability, DrawPublication, EventCard, EventPage, EventsPage, LineOrder, Money,
    PriceRange,
};
use crate::shop;
use crate::state::Edge;

pub async fn list(State(edge): State<Arc<Edge>>) -> PageResult {
    let events = announced(&edge);
    let card = |on_sale: &Arc<OnSale>| EventCard {
        head: head(on_sale),
        phase: shown(phase_of(&edge, on_sale.event.id)),
        price_range: price_range(on_sale),
        availability: availability(&edge, on_sale),
    };
    let page = EventsPage {
        events: events.iter().map(card).collect(),
    };
    Ok(pages::respond(StatusCode::OK, &page))
}

pub async fn show(
    State(edge): State<Arc<Edge>>,
    Path(event): Path<EventId>,
    headers: HeaderMap,
) -> PageResult {
    let on_sale = edge.on_sale(event).on_page(&headers)?;
    let live = edge.live_event(event).on_page(&headers)?;
    let view = edge.view(&live).on_page(&headers)?;
    let (_, browser_cookie) = edge.browser(&headers);
    let page = EventPage {
        head: head(&on_sale),
        description: Some(on_sale.event.description.clone()).filter(|text| !text.is_empty()),
        phase: shown(view.phase()),
        order: order_of(view.board().state.ordering),
        opens_at: live.opens_at().map(moment),
        price_range: price_range(&on_sale),
        availability: availability(&edge, &on_sale),
        draws: commitments(&edge, event)
            .into_iter()
            .map(published)
            .collect(),
        codes: view.board().state.lanes.iter().any(|door| door.needs_code),
        needs_code: live.door(&Lane::main()).is_some_and(|door| door.needs_code),
        needs_shop: shop::mode(&view) == Identity::Required
            && edge.known_to_shop(&live, &headers).is_none(),
        has_place: cookies::read(&headers, &cookies::queue(event)).is_some(),
        now: moment(edge.clock.now()),
    };
    let mut response = pages::respond(StatusCode::OK, &page);
    if let Some(cookie) = browser_cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}

#[derive(Deserialize)]
pub struct Vouched {
    assertion: String,
}

/// Where a shop sends its customer: the assertion becomes a cookie, and the address
/// of the page that follows no longer carries it.
pub async fn identify(
    State(edge): State<Arc<Edge>>,
    Path(event): Path<EventId>,
    Query(query): Query<Vouched>,
    headers: HeaderMap,
) -> PageResult {
    let live = edge.live_event(event).on_page(&headers)?;
    let page = format!("/e/{event}");
    let fan = edge.vouched(&live, &query.assertion).on_page(&headers);
    let fan = fan.map_err(|refused| refused.back_to(&page, "To the event"))?;
    let cookie = edge.subject_cookie(event, fan);
    Ok(([(SET_COOKIE, cookie)], see_other(&page)).into_response())
}

pub fn shown(phase: Phase) -> pages::Phase {
    match phase {
        Phase::Draft => pages::Phase::Draft,
        Phase::Scheduled => pages::Phase::Scheduled,
        Phase::Gathering => pages::Phase::Gathering,
        Phase::Drawing => pages::Phase::Drawing,
        Phase::Open => pages::Phase::Open,
        Phase::Paused => pages::Phase::Paused,
        Phase::SoldOut => pages::Phase::SoldOut,
        Phase::Closed => pages::Phase::Closed,
    }
}

fn published(draw: CommitmentAnswer) -> DrawPublication {
    DrawPublication {
        lane: draw.lane,
        commitment: draw.commitment,
        entropy_rule: draw.entropy_rule,
    }
}

pub fn order_of(ordering: Ordering) -> LineOrder {
    match ordering {
        Ordering::Fifo => LineOrder::Fifo,
        Ordering::Lottery => LineOrder::Lottery,
    }
}

fn price_range(on_sale: &OnSale) -> Option<PriceRange> {
    let (min, max) = on_sale.event.price_range()?;
    let money = |amount| Money {
        amount,
        currency: on_sale.event.currency.clone(),
    };
    Some(PriceRange {
        min: money(min),
        max: money(max),
    })
}

fn availability(edge: &Edge, on_sale: &OnSale) -> Option<Availability> {
    let stock = edge.live.event(on_sale.event.id)?.stock()?;
    Some(Availability {
        total_seats: on_sale.event.places().into(),
        available_seats: stock.free(),
    })
}
