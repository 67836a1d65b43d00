//! The desk's pages: an order found by its number or by whose it is, and given back for
//! its fan; the same calls as the operators' API, answered as pages.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use usher_booking::orders::{Bill, Order, OrderState, TicketRow};

use super::orders::{status, total};
use super::{OnPage as _, PageResult, allowed, head, moment, see_other};
use crate::api::admin::orders::{SearchQuery, cancel_order, find_orders};
use crate::desk::database_unavailable;
use crate::error::{ApiError, ApiResult};
use crate::operators::Operator;
use crate::own_orders::order_number;
use crate::pages::{
    self, DeskOrderPage, DeskPayment, DeskPlace, DeskTicket, FindPage, Found, FoundLine,
    HistoryLine, Money, UsedAt,
};
use crate::roles;
use crate::state::Edge;

const HOME: &str = "/console/orders";
/// Of an order's history the newest lines; hardly one has ten.
const MAX_HISTORY: u32 = 50;

pub async fn find(
    State(edge): State<Arc<Edge>>,
    Query(query): Query<SearchQuery>,
    headers: HeaderMap,
) -> PageResult {
    if allowed(&edge, &headers, roles::LOOKS_UP).await?.is_none() {
        return Ok(see_other("/console"));
    }
    let q = query.q.clone().unwrap_or_default();
    if q.trim().is_empty() {
        return Ok(find_page(StatusCode::OK, q, None, None));
    }
    let is_first_page = query.after.is_none();
    match find_orders(&edge, query).await {
        // Who types a number wants that order and no list.
        Ok((orders, None)) if is_first_page && orders.len() == 1 => {
            Ok(see_other(&format!("{HOME}/{}", orders[0].number)))
        }
        Ok((orders, next)) => {
            let orders = lines(&edge, &orders).await.on_page(&headers)?;
            let found = Some(Found { orders, next });
            Ok(find_page(StatusCode::OK, q, found, None))
        }
        Err(refused) if refused.status().is_client_error() => {
            let why = refused.message().to_owned();
            Ok(find_page(refused.status(), q, None, Some(why)))
        }
        Err(failed) => Err(failed).on_page(&headers),
    }
}

fn find_page(
    status: StatusCode,
    q: String,
    found: Option<Found>,
    problem: Option<String>,
) -> axum::response::Response {
    pages::respond(status, &FindPage { q, found, problem })
}

async fn lines(edge: &Edge, orders: &[Order]) -> ApiResult<Vec<FoundLine>> {
    let ids: Vec<_> = orders.iter().map(|order| order.id).collect();
    let bills = edge.desk()?.orders.bills(&ids).await;
    let mut bills = bills.map_err(database_unavailable)?;
    let line = |order: &Order| {
        let bill = bills.remove(&order.id).unwrap_or_default();
        let event = edge.catalog.get(order.event);
        FoundLine {
            order_number: order.number.to_string(),
            status: status(order),
            event: event.map_or_else(String::new, |known| known.event.title.name.clone()),
            name: bill.name,
            email: bill.email,
            places: order.items.iter().map(|item| item.label.clone()).collect(),
            total: total(order),
            ordered_at: moment(order.created_at),
        }
    };
    Ok(orders.iter().map(line).collect())
}

pub async fn show(
    State(edge): State<Arc<Edge>>,
    Path(number): Path<String>,
    headers: HeaderMap,
) -> PageResult {
    let Some(operator) = allowed(&edge, &headers, roles::LOOKS_UP).await? else {
        return Ok(see_other("/console"));
    };
    let page = order_page(&edge, &operator, &number).await;
    let page = page
        .on_page(&headers)
        .map_err(|refused| refused.back_to(HOME, "Find another order"))?;
    Ok(pages::respond(StatusCode::OK, &page))
}

async fn order_page(edge: &Edge, operator: &Operator, number: &str) -> ApiResult<DeskOrderPage> {
    let orders = &edge.desk()?.orders;
    let order = orders.find(&order_number(number)?).await;
    let order = order.map_err(database_unavailable)?;
    let order = order.ok_or_else(|| ApiError::not_found("order"))?;
    let on_sale = edge.on_sale(order.event)?;
    let tickets = orders.tickets_of(order.id).await;
    let tickets = tickets.map_err(database_unavailable)?;
    let bill = orders.bills(&[order.id]).await;
    let bill = bill.map_err(database_unavailable)?.remove(&order.id);
    let Bill { name, email } = bill.unwrap_or_default();
    let steers = operator.role >= roles::STEERS;
    let history = match steers {
        true => Some(history(edge, &order).await?),
        false => None,
    };
    Ok(DeskOrderPage {
        head: head(&on_sale),
        order_number: order.number.to_string(),
        status: status(&order),
        name,
        email,
        places: places(&order, tickets),
        total: total(&order),
        payment: order.payment.as_ref().map(|payment| DeskPayment {
            provider: payment.provider.clone(),
            state: payment.state.as_str().to_owned(),
            reference: payment.reference.clone(),
        }),
        failure: order.failure.clone(),
        ordered_at: moment(order.created_at),
        decided_at: order.decided_at.map(moment),
        history,
        may_cancel: steers && order.state == OrderState::Paid,
    })
}

/// The order's places with their tickets, where it has some: both are in its order.
fn places(order: &Order, tickets: Vec<TicketRow>) -> Vec<DeskPlace> {
    let mut tickets = tickets.into_iter().map(|ticket| DeskTicket {
        number: ticket.number.to_string(),
        is_void: ticket.state == "cancelled",
        used: ticket.used.map(|used| UsedAt {
            at: moment(used.at),
            gate: used.gate,
            staff: used.staff,
        }),
    });
    let place = |item: &usher_booking::orders::Item| DeskPlace {
        label: item.label.clone(),
        price: Money {
            amount: item.price,
            currency: order.money.currency.clone(),
        },
        ticket: tickets.next(),
    };
    order.items.iter().map(place).collect()
}

async fn history(edge: &Edge, order: &Order) -> ApiResult<Vec<HistoryLine>> {
    let subject = order.number.as_str();
    let logged = edge
        .desk()?
        .orders
        .audit(Some(subject), None, MAX_HISTORY)
        .await;
    let logged = logged.map_err(database_unavailable)?;
    let line = |logged: usher_booking::pg::audit::Logged| HistoryLine {
        at: moment(logged.at),
        action: logged.action,
        actor: logged.actor,
    };
    Ok(logged.into_iter().map(line).collect())
}

pub async fn cancel(
    State(edge): State<Arc<Edge>>,
    Path(number): Path<String>,
    headers: HeaderMap,
) -> PageResult {
    let Some(operator) = allowed(&edge, &headers, roles::STEERS).await? else {
        return Ok(see_other("/console"));
    };
    let number = order_number(&number).on_page(&headers)?;
    let page = format!("{HOME}/{number}");
    cancel_order(&edge, &operator, &number)
        .await
        .on_page(&headers)
        .map_err(|refused| refused.back_to(&page, "Back to the order"))?;
    Ok(see_other(&page))
}
