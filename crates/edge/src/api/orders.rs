//! Paying for a hold, and what was bought.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use usher_base::{EventId, OrderId, ReservationId, Timestamp};
use usher_booking::orders::{
    CancelError, CommitError, CommitOutcome, CommitRequest, Order, OrderNumber, OrderState, Receipt,
};
use usher_booking::payments::{Money, PaymentState};
use usher_booking::tickets::TicketNumber;
use utoipa::{IntoParams, ToSchema};

use crate::allowances::Doing;
use crate::api::openapi::Refusal;
use crate::body::JsonBody;
use crate::error::{ApiError, ApiResult};
use crate::own_orders::orders_unavailable;
use crate::shopping::{self, Amount, OwnHold, hold_refusal};
use crate::state::Edge;

/// When to look again at an order whose outcome is not known yet.
const POLL_AFTER_MS: u64 = 1_500;
const KEY_CHARS: std::ops::RangeInclusive<usize> = 8..=128;
const MAX_METHOD_CHARS: usize = 128;
const MAX_BILLING_CHARS: usize = 254;

#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CommitForm {
    /// The payment provider's word for the card; card data never comes here
    payment_method_id: String,
    /// The same key and body give the same answer
    idempotency_key: String,
    billing_details: BillingDetails,
}

#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BillingDetails {
    name: String,
    email: String,
}

impl CommitForm {
    fn validate(&self) -> ApiResult<()> {
        let BillingDetails { name, email } = &self.billing_details;
        let fits =
            |text: &str| !text.trim().is_empty() && text.chars().count() <= MAX_BILLING_CHARS;
        if !KEY_CHARS.contains(&self.idempotency_key.chars().count()) {
            return Err(ApiError::invalid(
                "idempotency_key must have 8 to 128 characters.",
            ));
        }
        if self.payment_method_id.is_empty() || self.payment_method_id.len() > MAX_METHOD_CHARS {
            return Err(ApiError::invalid(
                "payment_method_id must have 1 to 128 characters.",
            ));
        }
        if !fits(name) {
            return Err(ApiError::invalid("Please give the name for the bill."));
        }
        if !fits(email) || !email.contains('@') {
            return Err(ApiError::invalid(
                "Please give an e-mail address such as fan@example.org.",
            ));
        }
        Ok(())
    }
}

#[derive(Serialize, ToSchema)]
pub struct OrderAnswer {
    #[schema(value_type = String)]
    pub order_id: OrderId,
    pub order_number: String,
    pub status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub payment: PaymentAnswer,
    pub tickets: Vec<TicketAnswer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub confirmed_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poll_after_ms: Option<u64>,
    /// Opens this order from any device, long after the session
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_token: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct PaymentAnswer {
    pub amount: i64,
    pub currency: String,
    pub status: String,
}

impl PaymentAnswer {
    fn new(money: &Money, state: Option<PaymentState>) -> Self {
        Self {
            amount: money.amount,
            currency: money.currency.clone(),
            status: state
                .map(|state| state.as_str().to_owned())
                .unwrap_or_default(),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct TicketAnswer {
    pub ticket_number: String,
    pub label: String,
    pub status: String,
    pub price: Amount,
    pub qr_url: String,
}

#[utoipa::path(
    post,
    operation_id = "orders_commit",
    path = "/api/v1/reservations/{id}/commit",
    tag = "shop",
    summary = "Pay for a hold",
    params(("id" = String, Path, description = "A reservation's id")),
    request_body = CommitForm,
    responses((status = 200, description = "Confirmed", body = OrderAnswer), (status = 202, description = "The payment needs the fan, or its outcome is not known yet", body = Object), (status = 402, description = "`payment_failed`", body = Refusal), (status = 410, description = "`reservation_expired`", body = Refusal), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn commit(
    State(edge): State<Arc<Edge>>,
    Path(id): Path<ReservationId>,
    headers: HeaderMap,
    JsonBody(form): JsonBody<CommitForm>,
) -> ApiResult<Response> {
    form.validate()?;
    let own = edge.own_hold(&headers, id).await?;
    let limit = own.on_sale.event.rules.commits_per_second;
    edge.fan_limits
        .check(own.live.id, own.access.sub, Doing::Commit, limit)
        .await?;
    let request = CommitRequest {
        event: own.live.id,
        fan: own.access.sub,
        reservation: id,
        method: form.payment_method_id,
        idempotency_key: form.idempotency_key,
        billing: json!(form.billing_details),
    };
    let order = request.order();
    let on_sale = Arc::clone(&own.on_sale);
    let price = move |selection: &_| shopping::priced(&on_sale, selection);
    let outcome = edge
        .desk()?
        .orders
        .commit(request, price)
        .await
        .map_err(commit_refusal)?;
    tell(&edge, &own, order, outcome).await
}

async fn tell(
    edge: &Edge,
    own: &OwnHold,
    order: OrderId,
    outcome: CommitOutcome,
) -> ApiResult<Response> {
    let number = OrderNumber::of(order);
    let (token, cookie) = edge.order_token(order, own.access.sub);
    let (status, body) = match outcome {
        CommitOutcome::Confirmed(receipt) => {
            let event = own.live.id.to_string();
            metrics::counter!("usher_orders_confirmed_total", "event" => event).increment(1);
            let mut answer = of_receipt(&receipt);
            answer.order_token = Some(token);
            (StatusCode::OK, json!(answer))
        }
        CommitOutcome::NeedsFan { client_secret, .. } => (
            StatusCode::ACCEPTED,
            json!({
                "order_id": order, "order_number": number, "status": "pending",
                "client_secret": client_secret, "poll_after_ms": POLL_AFTER_MS,
                "order_token": token,
            }),
        ),
        CommitOutcome::InProgress { .. } => (
            StatusCode::ACCEPTED,
            json!({
                "order_id": order, "order_number": number, "status": "pending",
                "poll_after_ms": POLL_AFTER_MS, "order_token": token,
            }),
        ),
        CommitOutcome::PaymentFailed { reason, .. } => {
            return Err(ApiError::new(
                StatusCode::PAYMENT_REQUIRED,
                "payment_failed",
                said(&reason),
            )
            .detail("reason", reason)
            .detail("reservation_id", own.hold.id.to_string())
            .detail("retry_allowed", true));
        }
        CommitOutcome::Refused { refusal, .. } => {
            return Err(
                ApiError::new(StatusCode::CONFLICT, "order_refused", refusal.to_string())
                    .detail("reason", refusal.code())
                    .detail("reservation_id", own.hold.id.to_string()),
            );
        }
    };
    Ok((status, [(SET_COOKIE, cookie)], Json(body)).into_response())
}

/// A provider's reason as a sentence for the fan.
fn said(reason: &str) -> String {
    match reason {
        "card_declined" | "declined" => {
            "The payment was declined; try another way to pay. Your tickets are kept.".into()
        }
        _ => "The payment did not go through; try again. Your tickets are kept.".into(),
    }
}

fn commit_refusal(error: CommitError) -> ApiError {
    let message = error.to_string();
    match error {
        CommitError::Hold(error) => hold_refusal(error),
        CommitError::KeyReused => ApiError::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency_key_reused",
            message,
        ),
        CommitError::ProviderDown { retry_after } => {
            ApiError::unavailable("payment_unavailable", &message, retry_after)
        }
        CommitError::Busy | CommitError::NoPrice => {
            ApiError::unavailable("overloaded", &message, std::time::Duration::from_secs(3))
        }
        CommitError::Database(_) => {
            tracing::error!(%error, "an order cannot be read or written");
            ApiError::unavailable(
                "orders_unavailable",
                &message,
                std::time::Duration::from_secs(3),
            )
        }
    }
}

pub fn of_receipt(receipt: &Receipt) -> OrderAnswer {
    let tickets = receipt.tickets.iter().map(|ticket| TicketAnswer {
        ticket_number: ticket.ticket_number.to_string(),
        label: ticket.label.clone(),
        status: ticket.status.clone(),
        price: Amount {
            amount: ticket.price,
            currency: receipt.total.currency.clone(),
        },
        qr_url: qr_url(&ticket.ticket_number, &receipt.order_number),
    });
    OrderAnswer {
        order_id: receipt.order_id,
        order_number: receipt.order_number.to_string(),
        status: word(receipt.state),
        reason: None,
        payment: PaymentAnswer::new(&receipt.total, receipt.payment),
        tickets: tickets.collect(),
        confirmed_at: Some(receipt.confirmed_at),
        poll_after_ms: None,
        order_token: None,
    }
}

/// The order's number names the cookie that opens the picture.
pub fn qr_url(ticket: &TicketNumber, order: &OrderNumber) -> String {
    format!("/api/v1/tickets/{ticket}/qr.svg?order={order}")
}

/// The state as fans are told it.
pub fn word(state: OrderState) -> &'static str {
    match state {
        OrderState::Pending => "pending",
        OrderState::Paid => "confirmed",
        OrderState::Failed => "failed",
        OrderState::Cancelled => "cancelled",
        OrderState::Refunded => "refunded",
    }
}

#[utoipa::path(
    get,
    operation_id = "orders_show",
    path = "/api/v1/orders/{number}",
    tag = "orders",
    summary = "An order with its tickets",
    params(("number" = String, Path, description = "An order's number")),
    responses((status = 200, description = "Done", body = OrderAnswer), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn show(
    State(edge): State<Arc<Edge>>,
    Path(number): Path<String>,
    headers: HeaderMap,
) -> ApiResult<Json<OrderAnswer>> {
    let order = edge.own_order(&headers, &number).await?;
    Ok(Json(describe(&edge, &order).await?))
}

pub async fn describe(edge: &Edge, order: &Order) -> ApiResult<OrderAnswer> {
    if !matches!(order.state, OrderState::Pending | OrderState::Failed) {
        let receipt = edge.desk()?.orders.receipt(order).await;
        return Ok(of_receipt(&receipt.map_err(orders_unavailable)?));
    }
    let is_pending = order.state == OrderState::Pending;
    let payment = order.payment.as_ref().map(|payment| payment.state);
    Ok(OrderAnswer {
        order_id: order.id,
        order_number: order.number.to_string(),
        status: word(order.state),
        reason: order.failure.clone(),
        payment: PaymentAnswer::new(&order.money, payment),
        tickets: Vec::new(),
        confirmed_at: None,
        poll_after_ms: is_pending.then_some(POLL_AFTER_MS),
        order_token: None,
    })
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OwnQuery {
    /// The event whose access token is shown; left out: all of this browser
    #[param(value_type = Option<String>)]
    event: Option<EventId>,
}

#[derive(Serialize, ToSchema)]
pub struct OwnOrders {
    /// The newest 200, newest first
    data: Vec<OwnOrder>,
}

#[derive(Serialize, ToSchema)]
pub struct OwnOrder {
    order_number: String,
    #[schema(value_type = String)]
    event_id: EventId,
    status: &'static str,
    total: Amount,
    tickets: Vec<String>,
    /// Whether the fan may give it back now
    cancellable: bool,
    #[schema(value_type = String)]
    created_at: Timestamp,
}

#[utoipa::path(
    get,
    operation_id = "orders_list",
    path = "/api/v1/orders",
    tag = "orders",
    summary = "One's own orders",
    params(OwnQuery),
    responses((status = 200, description = "Done", body = OwnOrders), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn list(
    State(edge): State<Arc<Edge>>,
    Query(query): Query<OwnQuery>,
    headers: HeaderMap,
) -> ApiResult<Json<OwnOrders>> {
    let orders = edge.own_orders(&headers, query.event).await?;
    let line = |order: Order| OwnOrder {
        cancellable: may_be_given_back(&edge, &order),
        order_number: order.number.to_string(),
        event_id: order.event,
        status: word(order.state),
        total: Amount {
            amount: order.money.amount,
            currency: order.money.currency,
        },
        tickets: order.items.into_iter().map(|item| item.label).collect(),
        created_at: order.created_at,
    };
    Ok(Json(OwnOrders {
        data: orders.into_iter().map(line).collect(),
    }))
}

/// By its fan, now.
pub fn may_be_given_back(edge: &Edge, order: &Order) -> bool {
    let on_sale = edge.catalog.get(order.event);
    let allows = on_sale.is_some_and(|known| known.event.may_be_cancelled(edge.clock.now()));
    allows && order.state == OrderState::Paid
}

/// As the audit log names a fan who gives an order back.
pub fn actor(order: &Order) -> String {
    format!("fan {}", order.fan)
}

/// A fan gives an order back, where the event allows it. Repeated, it says how
/// far that is.
pub async fn give_back(edge: &Edge, order: &Order) -> ApiResult<Receipt> {
    let is_over = matches!(order.state, OrderState::Cancelled | OrderState::Refunded);
    if !is_over && !may_be_given_back(edge, order) {
        let message = "This order cannot be cancelled at this time.";
        let status = StatusCode::CONFLICT;
        return Err(ApiError::new(status, "not_cancellable", message));
    }
    let by = actor(order);
    let cancelled = edge.desk()?.orders.cancel(&order.number, &by).await;
    cancelled.map_err(cancel_refusal)
}

#[utoipa::path(
    post,
    operation_id = "orders_cancel",
    path = "/api/v1/orders/{number}/cancel",
    tag = "orders",
    summary = "Give an order back, where the event allows it",
    params(("number" = String, Path, description = "An order's number")),
    responses((status = 200, description = "Done", body = OrderAnswer), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn cancel(
    State(edge): State<Arc<Edge>>,
    Path(number): Path<String>,
    headers: HeaderMap,
) -> ApiResult<Json<OrderAnswer>> {
    let order = edge.own_order(&headers, &number).await?;
    Ok(Json(of_receipt(&give_back(&edge, &order).await?)))
}

pub fn cancel_refusal(error: CancelError) -> ApiError {
    let message = error.to_string();
    match error {
        CancelError::NotFound => ApiError::not_found("order"),
        CancelError::Used => ApiError::new(StatusCode::CONFLICT, "ticket_used", message),
        CancelError::NotPaid => ApiError::new(StatusCode::CONFLICT, "not_paid", message),
        CancelError::Database(error) => orders_unavailable(error),
    }
}
