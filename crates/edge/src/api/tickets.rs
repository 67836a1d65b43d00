//! A ticket's code as a picture, for who may see its order.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use usher_booking::tickets::{self, TicketClaim, TicketNumber};
use utoipa::IntoParams;

use crate::api::openapi::Refusal;
use crate::error::{ApiError, ApiResult};
use crate::own_orders::{order_number, orders_unavailable};
use crate::state::Edge;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct QrQuery {
    order: String,
}

#[utoipa::path(
    get,
    operation_id = "orders_qr",
    path = "/api/v1/tickets/{number}/qr.svg",
    tag = "orders",
    summary = "The ticket's code as an SVG",
    params(("number" = String, Path, description = "A ticket's number"), QrQuery),
    responses((status = 200, description = "An SVG", body = String), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn svg(
    State(edge): State<Arc<Edge>>,
    Path(number): Path<String>,
    Query(query): Query<QrQuery>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let code = edge.ticket_code(&headers, &number, &query.order).await?;
    let svg = tickets::svg(&code).map_err(ApiError::internal)?;
    Ok(picture("image/svg+xml", svg))
}

#[utoipa::path(
    get,
    operation_id = "orders_qr_png",
    path = "/api/v1/tickets/{number}/qr.png",
    tag = "orders",
    summary = "The ticket's code as a PNG, for wallets and mail",
    params(("number" = String, Path, description = "A ticket's number"), QrQuery),
    responses((status = 200, description = "A PNG", body = Vec<u8>, content_type = "image/png"), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn png(
    State(edge): State<Arc<Edge>>,
    Path(number): Path<String>,
    Query(query): Query<QrQuery>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let code = edge.ticket_code(&headers, &number, &query.order).await?;
    let png = tickets::png(&code).map_err(ApiError::internal)?;
    Ok(picture("image/png", png))
}

fn picture(kind: &'static str, body: impl IntoResponse) -> Response {
    let headers = [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "private, max-age=3600"),
    ];
    (headers, body).into_response()
}

impl Edge {
    /// What a scanner reads, if the request may see the ticket's order.
    async fn ticket_code(
        &self,
        headers: &HeaderMap,
        number: &str,
        order: &str,
    ) -> ApiResult<String> {
        let claims = self.order_claims(headers, &order_number(order)?)?;
        let number: TicketNumber = number.parse().map_err(|_| ApiError::not_found("ticket"))?;
        let ticket = self.desk()?.orders.ticket(&number).await;
        let ticket = ticket.map_err(orders_unavailable)?;
        let ticket = ticket.filter(|ticket| ticket.order == claims.order);
        let ticket = ticket.ok_or_else(|| ApiError::not_found("ticket"))?;
        let event = ticket.event;
        Ok(TicketClaim { event, number }.sign(&self.keys))
    }
}
