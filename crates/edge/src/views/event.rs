//! The list of events and one event's page.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse as _;
use serde::Deserialize;
use time::macros::format_description;
use usher_base::{EventId, Lane, Timestamp};
use usher_booking::catalog::OnSale;
use usher_queue::{Identity, Ordering, Phase};

use super::{OnPage as _, PageResult, head, moment, see_other};
use crate::api::events::{CommitmentAnswer, ListQuery, announced, commitments, find, phase_of};
use crate::captcha::Wanted;
use crate::cookies;
use crate::pages::{
    self, Availability, CaptchaWidget, CheckPage, DrawPublication, EventCard, EventPage,
    EventSearch, EventsPage, LineOrder, Money, PriceRange,
};
use crate::shop;
use crate::state::Edge;

/// What the form on the page sends; an empty field is none.
#[derive(Deserialize)]
pub struct SearchForm {
    #[serde(default)]
    q: String,
    #[serde(default)]
    city: String,
    #[serde(default)]
    category: String,
    /// From this day on, `2027-05-14`
    #[serde(default)]
    from: String,
    #[serde(default)]
    page: Option<usize>,
}

impl SearchForm {
    fn query(&self) -> ListQuery {
        let given = |text: &String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let day = time::Date::parse(&self.from, format_description!("[year]-[month]-[day]"));
        ListQuery {
            q: given(&self.q),
            city: given(&self.city),
            category: given(&self.category),
            from: day
                .ok()
                .map(|day| Timestamp::from_datetime(day.midnight().assume_utc())),
            page: self.page,
            ..ListQuery::default()
        }
    }
}

/// Each once, in order.
fn choices(of: impl Iterator<Item = String>) -> Vec<String> {
    of.collect::<BTreeSet<_>>().into_iter().collect()
}

pub async fn list(State(edge): State<Arc<Edge>>, Query(form): Query<SearchForm>) -> PageResult {
    let all = announced(&edge);
    let found = find(&edge, &form.query());
    let card = |on_sale: &Arc<OnSale>| EventCard {
        head: head(on_sale),
        phase: shown(phase_of(&edge, on_sale.event.id)),
        price_range: price_range(on_sale),
        availability: availability(&edge, on_sale),
    };
    let page = EventsPage {
        events: found.on_page.iter().map(card).collect(),
        cities: choices(all.iter().map(|known| known.event.venue.city.clone())),
        categories: choices(all.iter().map(|known| known.event.category.clone())),
        earlier: (found.page > 1).then(|| found.page - 1),
        later: (found.page.saturating_mul(found.limit) < found.total).then(|| found.page + 1),
        search: EventSearch {
            q: form.q,
            city: form.city,
            category: form.category,
            from: form.from,
        },
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
    let is_known = edge.known_to_shop(&live, &headers).is_some();
    // An old token brings nobody back, and whoever has none is asked like anybody else.
    let has_place = cookies::read(&headers, &cookies::queue(event))
        .is_some_and(|token| edge.queue_claims(event, token).is_ok());
    let is_asked = !is_known && !has_place && shown(view.phase()).can_join();
    let captcha = match is_asked {
        // Joining says so where it cannot be had; the page is there all the same.
        true => edge.captcha_of(&live).unwrap_or_default(),
        false => None,
    };
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
        needs_shop: shop::mode(&view) == Identity::Required && !is_known,
        captcha: captcha.map(|captcha| widget(captcha.wanted())),
        has_place,
        now: moment(edge.clock.now()),
    };
    let mut response = match captcha {
        Some(captcha) => pages::respond_with(&page, &captcha.sources()),
        None => pages::respond(StatusCode::OK, &page),
    };
    if let Some(cookie) = browser_cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}

fn widget(wanted: Wanted) -> CaptchaWidget {
    CaptchaWidget {
        provider: wanted.provider,
        site_key: wanted.site_key,
        script_url: wanted.script_url,
    }
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

pub async fn check(
    State(edge): State<Arc<Edge>>,
    Path(event): Path<EventId>,
    headers: HeaderMap,
) -> PageResult {
    let on_sale = edge.on_sale(event).on_page(&headers)?;
    let page = CheckPage {
        head: head(&on_sale),
    };
    Ok(pages::respond(StatusCode::OK, &page))
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
        opened_as_fifo: draw.opened_as_fifo,
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

/// None once the sale is over: what is left then is not to be had.
fn availability(edge: &Edge, on_sale: &OnSale) -> Option<Availability> {
    let phase = phase_of(edge, on_sale.event.id);
    if matches!(phase, Phase::SoldOut | Phase::Closed) {
        return None;
    }
    let stock = edge.live.event(on_sale.event.id)?.stock()?;
    Some(Availability {
        total_seats: on_sale.event.places().into(),
        available_seats: stock.free(),
    })
}
