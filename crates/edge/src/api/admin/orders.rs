//! Orders as operators look for them, page by page or as one CSV file.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde::{Deserialize, Serialize};
use usher_base::{EventId, FanId, OrderId, Timestamp};
use usher_booking::orders::{Order, OrderNumber, OrderState, Orders, Receipt, Wanted};
use usher_booking::pg::read::{MAX_PAGE, Search, SearchError};
use utoipa::{IntoParams, ToSchema};

use crate::api::openapi::Refusal;
use crate::api::orders::{OrderAnswer, cancel_refusal, of_receipt};
use crate::desk::database_unavailable;
use crate::error::{ApiError, ApiResult};
use crate::operators::Operator;
use crate::own_orders::order_number;
use crate::shopping::Amount;
use crate::state::Edge;

const DEFAULT_PAGE: u32 = 50;
const MAX_QUERY_CHARS: usize = 120;
const CSV_HEAD: &str = "order_number,event_id,status,reason,amount,currency,tickets,\
                        provider,payment_status,reference,fan_id,created_at,decided_at\r\n";

#[derive(Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SearchQuery {
    #[param(value_type = Option<String>)]
    event: Option<EventId>,
    /// `pending`, `paid`, `failed`, `cancelled` or `refunded`
    #[param(value_type = Option<String>)]
    state: Option<OrderState>,
    #[param(value_type = Option<String>)]
    fan: Option<FanId>,
    /// An order's or a ticket's number, words of the name on the bill, or the beginning of its
    /// address; the last word and the address may be unfinished from three letters on
    pub q: Option<String>,
    /// `next` of the page before
    pub after: Option<String>,
    limit: Option<u32>,
}

#[derive(Serialize, ToSchema)]
pub struct FoundOrders {
    /// Oldest first
    data: Vec<FoundOrder>,
    /// Where the next page begins; none after the last
    next: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct FoundOrder {
    order_number: String,
    #[schema(value_type = String)]
    event_id: EventId,
    #[schema(value_type = String)]
    fan_id: FanId,
    status: &'static str,
    reason: Option<String>,
    total: Amount,
    tickets: Vec<String>,
    provider: Option<String>,
    payment_status: Option<&'static str>,
    /// The provider's id of the payment
    reference: Option<String>,
    #[schema(value_type = String)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>)]
    decided_at: Option<Timestamp>,
}

impl From<Order> for FoundOrder {
    fn from(order: Order) -> Self {
        let payment = order.payment;
        Self {
            order_number: order.number.to_string(),
            event_id: order.event,
            fan_id: order.fan,
            status: order.state.as_str(),
            reason: order.failure,
            total: Amount {
                amount: order.money.amount,
                currency: order.money.currency,
            },
            tickets: order.items.into_iter().map(|item| item.label).collect(),
            provider: payment.as_ref().map(|payment| payment.provider.clone()),
            payment_status: payment.as_ref().map(|payment| payment.state.as_str()),
            reference: payment.and_then(|payment| payment.reference),
            created_at: order.created_at,
            decided_at: order.decided_at,
        }
    }
}

impl SearchQuery {
    fn search(self, limit: u32) -> ApiResult<Search> {
        let q = self.q.filter(|q| !q.trim().is_empty());
        if q.as_ref()
            .is_some_and(|q| q.chars().count() > MAX_QUERY_CHARS)
        {
            return Err(ApiError::invalid("q must have at most 120 characters."));
        }
        let wanted = q.as_deref().map(|q| {
            let message = "q must have a letter or a digit, and no zero byte.";
            Wanted::read(q).ok_or_else(|| ApiError::invalid(message))
        });
        let after = self.after.as_deref().map(|text| {
            cursor(text).ok_or_else(|| ApiError::invalid("after must be the `next` of a page."))
        });
        Ok(Search {
            event: self.event,
            state: self.state,
            fan: self.fan,
            wanted: wanted.transpose()?,
            after: after.transpose()?,
            limit,
        })
    }
}

/// `<created at in ms>-<order>`
fn cursor(text: &str) -> Option<(Timestamp, OrderId)> {
    let (at, order) = text.split_once('-')?;
    let at = Timestamp::from_millis(at.parse().ok()?);
    Some((at, order.parse().ok()?))
}

fn after(orders: &[Order], limit: u32) -> Option<(Timestamp, OrderId)> {
    let last = orders.last()?;
    (orders.len() >= limit as usize).then_some((last.created_at, last.id))
}

#[utoipa::path(
    get,
    operation_id = "operators_orders_search",
    path = "/api/v1/admin/orders",
    tag = "operators",
    summary = "Search orders",
    params(SearchQuery),
    responses((status = 200, description = "Done", body = FoundOrders), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn search(
    State(edge): State<Arc<Edge>>,
    _operator: Operator,
    Query(query): Query<SearchQuery>,
) -> ApiResult<Json<FoundOrders>> {
    let (found, next) = find_orders(&edge, query).await?;
    Ok(Json(FoundOrders {
        next,
        data: found.into_iter().map(FoundOrder::from).collect(),
    }))
}

/// One page of what is looked for, and where the next one begins.
pub async fn find_orders(
    edge: &Edge,
    query: SearchQuery,
) -> ApiResult<(Vec<Order>, Option<String>)> {
    let limit = query.limit.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE);
    let wanted = query.search(limit)?;
    let found = edge.desk()?.orders.search(&wanted).await;
    let found = found.map_err(|error| match error {
        SearchError::TooLong => ApiError::invalid(error.to_string()),
        SearchError::Sql(error) => database_unavailable(error),
    })?;
    let next = after(&found, limit).map(|(at, order)| format!("{}-{order}", at.millis()));
    Ok((found, next))
}

/// Whatever the event allows its fans; the audit log has who did it.
#[utoipa::path(
    post,
    operation_id = "operators_orders_cancel",
    path = "/api/v1/admin/orders/{number}/cancel",
    tag = "operators",
    summary = "Give an order back for its fan, who sees it on the order's page",
    params(("number" = String, Path, description = "An order's number")),
    responses((status = 200, description = "Done", body = OrderAnswer), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn cancel(
    State(edge): State<Arc<Edge>>,
    operator: Operator,
    Path(number): Path<String>,
) -> ApiResult<Json<OrderAnswer>> {
    let cancelled = cancel_order(&edge, &operator, &order_number(&number)?).await?;
    Ok(Json(of_receipt(&cancelled)))
}

pub async fn cancel_order(
    edge: &Edge,
    operator: &Operator,
    number: &OrderNumber,
) -> ApiResult<Receipt> {
    let cancelled = edge.desk()?.orders.cancel(number, &operator.name).await;
    cancelled.map_err(cancel_refusal)
}

/// All that the search finds, read and sent page by page.
#[utoipa::path(
    get,
    operation_id = "operators_orders_export",
    path = "/api/v1/admin/orders.csv",
    tag = "operators",
    params(SearchQuery),
    responses((status = 200, description = "CSV", body = String), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn export(
    State(edge): State<Arc<Edge>>,
    operator: Operator,
    Query(query): Query<SearchQuery>,
) -> ApiResult<Response> {
    let typed = query.q.clone();
    let wanted = query.search(MAX_PAGE)?;
    let orders = Arc::clone(&edge.desk()?.orders);
    let subject = wanted.event.map(|event| event.to_string());
    let details = serde_json::json!({ "q": typed, "fan": wanted.fan });
    edge.note(
        &operator,
        "orders_exported",
        subject.unwrap_or_default(),
        details,
    )
    .await;
    let head = stream::iter([Ok(CSV_HEAD.to_owned())]);
    let pages = stream::try_unfold(Some(wanted), move |wanted| {
        csv_page(Arc::clone(&orders), wanted)
    });
    let body = Body::from_stream(futures::StreamExt::chain(head, pages));
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8"),
        (CONTENT_DISPOSITION, "attachment; filename=\"orders.csv\""),
    ];
    Ok((headers, body).into_response())
}

/// One page's lines, and what to look for next; a failure breaks the download
/// off, so that half a list is not taken for the whole.
async fn csv_page(
    orders: Arc<Orders>,
    wanted: Option<Search>,
) -> Result<Option<(String, Option<Search>)>, std::io::Error> {
    let Some(mut wanted) = wanted else {
        return Ok(None);
    };
    let found = orders.search(&wanted).await.map_err(|error| {
        tracing::error!(%error, "an export is broken off");
        std::io::Error::other("the database does not answer")
    })?;
    wanted.after = after(&found, wanted.limit);
    let lines = found.into_iter().map(FoundOrder::from).map(csv_line);
    let next = wanted.after.is_some().then_some(wanted);
    Ok(Some((lines.collect(), next)))
}

fn csv_line(order: FoundOrder) -> String {
    let cells = [
        order.order_number,
        order.event_id.to_string(),
        order.status.to_owned(),
        order.reason.unwrap_or_default(),
        order.total.amount.to_string(),
        order.total.currency,
        order.tickets.join("; "),
        order.provider.unwrap_or_default(),
        order.payment_status.unwrap_or_default().to_owned(),
        order.reference.unwrap_or_default(),
        order.fan_id.to_string(),
        order.created_at.to_rfc3339(),
        order
            .decided_at
            .map(Timestamp::to_rfc3339)
            .unwrap_or_default(),
    ];
    let mut line = cells.map(|cell| quoted(&cell)).join(",");
    line.push_str("\r\n");
    line
}

/// As RFC 4180 wants it; what a spreadsheet would take for a formula is text.
fn quoted(cell: &str) -> String {
    let guard = if cell.starts_with(['=', '+', '-', '@']) {
        "'"
    } else {
        ""
    };
    format!("\"{guard}{}\"", cell.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_cannot_break_out_of_their_place() {
        assert_eq!(quoted("a \"b\", c"), "\"a \"\"b\"\", c\"");
        assert_eq!(quoted("=1+1"), "\"'=1+1\"");
    }

    #[test]
    fn a_cursor_is_read_back_as_it_was_written() {
        let order = OrderId::from_uuid(uuid::Uuid::from_u128(7));
        let text = format!("1795255200000-{order}");
        let at = Timestamp::from_millis(1_795_255_200_000);
        assert_eq!(cursor(&text), Some((at, order)));
        assert_eq!(cursor("nonsense"), None);
    }
}
