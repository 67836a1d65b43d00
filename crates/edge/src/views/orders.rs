//! A browser's orders: all of them, one with its tickets, and giving one back.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse as _;
use serde::Deserialize;
use usher_booking::orders::Order;

use super::{OnPage as _, PageResult, head, moment, see_other};
use crate::api::orders::{actor, describe, give_back, may_be_given_back};
use crate::api::session::finish_session;
use crate::own_orders::orders_unavailable;
use crate::pages::{
    self, LineItem, Money, OrderLine, OrderPage, OrderStatus, OrdersPage, TicketView,
};
use crate::state::Edge;

pub async fn list(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> PageResult {
    let orders = match edge.is_somebody(&headers) {
        true => edge.own_orders(&headers, None).await.on_page(&headers)?,
        false => Vec::new(),
    };
    let line = |order: &Order| {
        Some(OrderLine {
            head: head(edge.catalog.get(order.event)?.as_ref()),
            order_number: order.number.to_string(),
            status: status(order),
            tickets: order.items.len(),
            total: total(order),
            ordered_at: moment(order.created_at),
        })
    };
    let page = OrdersPage {
        orders: orders.iter().filter_map(line).collect(),
    };
    Ok(pages::respond(StatusCode::OK, &page))
}

#[derive(Deserialize)]
pub struct OrderQuery {
    /// Where `done` leads back to.
    done: Option<String>,
}

pub async fn show(
    State(edge): State<Arc<Edge>>,
    Path(number): Path<String>,
    Query(query): Query<OrderQuery>,
    headers: HeaderMap,
) -> PageResult {
    let desk = edge.desk().on_page(&headers)?;
    let order = edge.own_order(&headers, &number).await.on_page(&headers)?;
    let on_sale = edge.on_sale(order.event).on_page(&headers)?;
    let answer = describe(&edge, &order).await.on_page(&headers)?;
    let tickets = answer.tickets.iter().map(|ticket| TicketView {
        ticket_number: ticket.ticket_number.clone(),
        label: ticket.label.clone(),
        qr_url: ticket.qr_url.clone(),
        used_at: None,
    });
    let page = OrderPage {
        head: head(&on_sale),
        order_number: order.number.to_string(),
        status: status(&order),
        by_organiser: by_organiser(&edge, &order).await.on_page(&headers)?,
        items: items(&order),
        total: total(&order),
        tickets: tickets.collect(),
        confirmed_at: answer.confirmed_at.map(moment),
        may_be_given_back: may_be_given_back(&edge, &order),
        is_inside: is_inside(&edge, &order, &headers),
        is_done: query.done.is_some(),
        test_mode: desk.test_payments,
    };
    // The pictures of its tickets need it; a browser whose reply was lost has none yet.
    let (_, cookie) = edge.order_token(order.id, order.fan);
    let page = pages::respond(StatusCode::OK, &page);
    Ok(([(SET_COOKIE, cookie)], page).into_response())
}

pub async fn cancel(
    State(edge): State<Arc<Edge>>,
    Path(number): Path<String>,
    headers: HeaderMap,
) -> PageResult {
    let order = edge.own_order(&headers, &number).await.on_page(&headers)?;
    give_back(&edge, &order).await.on_page(&headers)?;
    Ok(see_other(&format!("/orders/{}", order.number)))
}

/// The fan is done: the place inside goes to the next in line, the tickets stay.
pub async fn done(
    State(edge): State<Arc<Edge>>,
    Path(number): Path<String>,
    headers: HeaderMap,
) -> PageResult {
    let order = edge.own_order(&headers, &number).await.on_page(&headers)?;
    let page = see_other(&format!("/orders/{}?done", order.number));
    if !is_inside(&edge, &order, &headers) {
        return Ok(page);
    }
    let cookie = finish_session(&edge, order.event, &headers).await;
    Ok(([(SET_COOKIE, cookie.on_page(&headers)?)], page).into_response())
}

/// Whether this browser could still buy more of the order's event.
fn is_inside(edge: &Edge, order: &Order, headers: &HeaderMap) -> bool {
    let live = edge.live_event(order.event);
    live.is_ok_and(|live| edge.access_of(&live, headers).is_ok())
}

/// Whether somebody else than its fan gave the order back.
async fn by_organiser(edge: &Edge, order: &Order) -> Result<bool, crate::error::ApiError> {
    if !matches!(
        status(order),
        OrderStatus::Cancelled | OrderStatus::Refunded
    ) {
        return Ok(false);
    }
    let by = edge.desk()?.orders.cancelled_by(&order.number).await;
    let by = by.map_err(orders_unavailable)?;
    Ok(by.is_some_and(|by| by != actor(order)))
}

pub(super) fn total(order: &Order) -> Money {
    Money {
        amount: order.money.amount,
        currency: order.money.currency.clone(),
    }
}

pub(super) fn status(order: &Order) -> OrderStatus {
    use usher_booking::orders::OrderState as State;
    match order.state {
        State::Pending => OrderStatus::Pending,
        State::Paid => OrderStatus::Confirmed,
        State::Failed => OrderStatus::Failed,
        State::Cancelled => OrderStatus::Cancelled,
        State::Refunded => OrderStatus::Refunded,
    }
}

/// One line a kind of ticket: places of the same tier together.
fn items(order: &Order) -> Vec<LineItem> {
    let mut lines: Vec<LineItem> = Vec::new();
    for item in &order.items {
        let known = lines.iter_mut().find(|line| line.label == item.label);
        match known {
            Some(line) => {
                line.count += 1;
                line.price.amount += item.price;
            }
            None => lines.push(LineItem {
                label: item.label.clone(),
                count: 1,
                price: Money {
                    amount: item.price,
                    currency: order.money.currency.clone(),
                },
            }),
        }
    }
    lines
}
