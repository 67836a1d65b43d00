//! Paying for a hold, and what was bought.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use usher_base::{OrderId, ReservationId, Timestamp};
use usher_booking::orders::{
    CancelError, CommitError, CommitOutcome, CommitRequest, Order, OrderClaims, OrderNumber,
    OrderState, Receipt, order_token, verify_order_token,
};
use usher_booking::tickets::TicketNumber;
use utoipa::ToSchema;

use crate::allowances::Doing;
use crate::api::openapi::Refusal;
use crate::body::JsonBody;
use crate::cookies;
use crate::error::{ApiError, ApiResult};
use crate::shopping::{self, Amount, OwnHold, hold_refusal};
use crate::state::Edge;

/// When to look again at an order whose outcome is not known yet.
const POLL_AFTER_MS: u64 = 1_500;
/// How long the browser keeps the cookie that opens an order.
const ORDER_COOKIE_SECONDS: u32 = 400 * 24 * 3600;
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
    edge.fan_limits
        .check(own.live.id, own.access.sub, Doing::Commit)
        .await?;
    let limit = own.on_sale.event.rules.commits_per_second;
    edge.fan_limits
        .check_all(own.live.id, Doing::Commit, limit)
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
    let now = edge.clock.now();
    let token = order_token(&edge.keys, order, own.access.sub, now, &mut rand::rng());
    let number = OrderNumber::of(order);
    let cookie = cookies::order(number.as_str());
    let cookie = edge.settings.jar.set(&cookie, &token, ORDER_COOKIE_SECONDS);
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

fn of_receipt(receipt: &Receipt) -> OrderAnswer {
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
        payment: PaymentAnswer {
            amount: receipt.total.amount,
            currency: receipt.total.currency.clone(),
            status: receipt
                .payment
                .map(|state| state.as_str().to_owned())
                .unwrap_or_default(),
        },
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

impl Edge {
    /// The order, if the request shows its token (or cookie).
    pub async fn own_order(&self, headers: &HeaderMap, number: &OrderNumber) -> ApiResult<Order> {
        self.order_claims(headers, number)?;
        let found = self
            .desk()?
            .orders
            .find(number)
            .await
            .map_err(orders_unavailable)?;
        // A commit that is still on its way has no row yet: it is not known, not absent.
        found.ok_or_else(|| ApiError::not_found("order"))
    }

    pub fn order_claims(
        &self,
        headers: &HeaderMap,
        number: &OrderNumber,
    ) -> ApiResult<OrderClaims> {
        let cookie = cookies::read(headers, &cookies::order(number.as_str()));
        let token = cookies::bearer(headers).or(cookie).ok_or_else(|| {
            let message = "Show the order's token, or open it in the browser that bought it.";
            ApiError::new(StatusCode::UNAUTHORIZED, "order_token_required", message)
        })?;
        Ok(verify_order_token(
            &self.keys,
            token,
            number,
            self.clock.now(),
        )?)
    }
}

pub fn order_number(text: &str) -> ApiResult<OrderNumber> {
    text.parse().map_err(|_| ApiError::not_found("order"))
}

pub fn orders_unavailable(error: impl std::fmt::Display) -> ApiError {
    tracing::error!(%error, "an order cannot be read");
    let message = "Orders cannot be read right now; yours is safe. Try again in a few seconds.";
    ApiError::unavailable(
        "orders_unavailable",
        message,
        std::time::Duration::from_secs(3),
    )
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
    let number = order_number(&number)?;
    let order = edge.own_order(&headers, &number).await?;
    Ok(Json(describe(&edge, &order).await?))
}

pub async fn describe(edge: &Edge, order: &Order) -> ApiResult<OrderAnswer> {
    if matches!(order.state, OrderState::Pending | OrderState::Failed) {
        let is_pending = order.state == OrderState::Pending;
        return Ok(OrderAnswer {
            order_id: order.id,
            order_number: order.number.to_string(),
            status: word(order.state),
            reason: order.failure.clone(),
            payment: PaymentAnswer {
                amount: order.money.amount,
                currency: order.money.currency.clone(),
                status: order
                    .payment
                    .as_ref()
                    .map(|p| p.state.as_str().to_owned())
                    .unwrap_or_default(),
            },
            tickets: Vec::new(),
            confirmed_at: None,
            poll_after_ms: is_pending.then_some(POLL_AFTER_MS),
            order_token: None,
        });
    }
    let receipt = edge
        .desk()?
        .orders
        .receipt(order)
        .await
        .map_err(orders_unavailable)?;
    Ok(of_receipt(&receipt))
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
    let number = order_number(&number)?;
    let order = edge.own_order(&headers, &number).await?;
    let on_sale = edge.on_sale(order.event)?;
    if !on_sale.event.may_be_cancelled(edge.clock.now()) {
        let message = "This event does not allow cancelling at this time.";
        return Err(ApiError::new(
            StatusCode::CONFLICT,
            "not_cancellable",
            message,
        ));
    }
    let actor = format!("fan {}", order.fan);
    let receipt = edge
        .desk()?
        .orders
        .cancel(&number, &actor)
        .await
        .map_err(cancel_refusal)?;
    Ok(Json(of_receipt(&receipt)))
}

fn cancel_refusal(error: CancelError) -> ApiError {
    let message = error.to_string();
    match error {
        CancelError::NotFound => ApiError::not_found("order"),
        CancelError::Used => ApiError::new(StatusCode::CONFLICT, "ticket_used", message),
        CancelError::NotPaid => ApiError::new(StatusCode::CONFLICT, "not_paid", message),
        CancelError::Database(error) => orders_unavailable(error),
    }
}
