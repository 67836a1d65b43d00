//! Seats and checkout: what a fan sees once let in.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use usher_base::{EventId, ReservationId};

use super::queue::to_queue;
use super::{OnPage as _, PageResult, head, moment, see_other};
use crate::pages::{self, CheckoutPage, LineItem, Money, PaymentMethod, SeatsPage};
use crate::places::{self, Stand};
use crate::shopping::{self, Amount};
use crate::state::Edge;

pub async fn seats(
    State(edge): State<Arc<Edge>>,
    Path(event): Path<EventId>,
    headers: HeaderMap,
) -> PageResult {
    let on_sale = edge.on_sale(event).on_page(&headers)?;
    let live = edge.live_event(event).on_page(&headers)?;
    if edge.access_of(&live, &headers).is_err() {
        return Ok(to_queue(event));
    }
    let page = SeatsPage {
        head: head(&on_sale),
        session_ends_at: session_end(&edge, event, &headers).await,
        tickets_per_order: on_sale.event.rules.tickets_per_order,
        now: moment(edge.clock.now()),
    };
    Ok(pages::respond(StatusCode::OK, &page))
}

/// Only a countdown hangs on it; the page goes without if Redis is away.
async fn session_end(edge: &Edge, event: EventId, headers: &HeaderMap) -> Option<pages::Moment> {
    let live = edge.live.event(event)?;
    let view = live.view()?;
    let claims = edge.queue_claims_of(event, headers).ok()?;
    match places::stand(edge, &live, &view, &claims).await.ok()? {
        Stand::Inside(session) => Some(moment(session.ends_at)),
        _ => None,
    }
}

pub async fn checkout(
    State(edge): State<Arc<Edge>>,
    Path((event, id)): Path<(EventId, ReservationId)>,
    headers: HeaderMap,
) -> PageResult {
    let desk = edge.desk().on_page(&headers)?;
    let own = edge.own_hold(&headers, id).await.on_page(&headers)?;
    if !own.hold.status.is_live() {
        return Ok(see_other(&format!("/e/{event}/seats")));
    }
    let items = shopping::held_places(&own.on_sale, &own.hold.selection);
    let items = items.into_iter().map(|item| LineItem {
        label: item.label,
        count: item.count,
        price: money(&item.price),
    });
    let total = own.on_sale.total(&own.hold.selection).unwrap_or(0);
    let page = CheckoutPage {
        head: head(&own.on_sale),
        reservation_id: id.to_string(),
        items: items.collect(),
        total: money(&shopping::amount(&own.on_sale, total)),
        expires_at: moment(own.hold.expires_at),
        extensions_remaining: own.hold.extensions_remaining,
        extension_seconds: own.on_sale.event.rules.extension_seconds,
        payment_methods: PaymentMethod::of_the_test_provider(),
        test_mode: desk.test_payments,
        now: moment(edge.clock.now()),
    };
    Ok(pages::respond(StatusCode::OK, &page))
}

fn money(amount: &Amount) -> Money {
    Money {
        amount: amount.amount,
        currency: amount.currency.clone(),
    }
}
