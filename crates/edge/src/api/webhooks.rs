//! A payment provider's webhooks. One only says that something happened to a
//! payment: it is taken once, and the reconciler asks the provider what.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Serialize;
use usher_booking::payments::Notice;
use usher_booking::payments::stripe::open_notice;
use usher_booking::pg::notices::Taken;
use utoipa::ToSchema;

use crate::api::openapi::Refusal;
use crate::desk::{Desk, database_unavailable};
use crate::error::{ApiError, ApiResult};
use crate::state::Edge;

const STRIPE: &str = "stripe";

#[derive(Serialize, ToSchema)]
pub struct NoticeAnswer {
    /// `noted`, `again` (it was taken before) or `unknown` (no payment of ours)
    taken: &'static str,
}

#[utoipa::path(
    post,
    operation_id = "webhooks_take",
    path = "/webhooks/{provider}",
    tag = "plumbing",
    summary = "A payment provider says that something happened",
    params(("provider" = String, Path)),
    request_body = String,
    responses((status = 200, description = "Done", body = NoticeAnswer), (status = "default", description = "Refused", body = Refusal)),
)]
pub async fn take(
    State(edge): State<Arc<Edge>>,
    Path(provider): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> ApiResult<Json<NoticeAnswer>> {
    let desk = edge.desk()?;
    let notice = open(&edge, desk, &provider, &headers, &body)?;
    let taken = desk.orders.take_notice(&notice).await;
    let taken = match taken.map_err(database_unavailable)? {
        Taken::Noted => "noted",
        Taken::Again => "again",
        Taken::Unknown => "unknown",
    };
    let labels = [("kind", notice.kind), ("taken", taken.to_owned())];
    metrics::counter!("usher_webhooks_in_total", &labels).increment(1);
    Ok(Json(NoticeAnswer { taken }))
}

fn open(
    edge: &Edge,
    desk: &Desk,
    provider: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> ApiResult<Notice> {
    let secret = &desk.stripe_webhook_secret;
    if provider != STRIPE || desk.orders.provider() != STRIPE || secret.is_empty() {
        return Err(ApiError::not_found("payment provider's webhook"));
    }
    let signature = headers.get("stripe-signature");
    let signature = signature.and_then(|value| value.to_str().ok());
    let opened = open_notice(
        secret,
        signature.unwrap_or_default(),
        body,
        edge.clock.now(),
    );
    opened.map_err(|error| {
        tracing::warn!(%error, "a webhook is not believed");
        let message = format!("Not accepted: {error}.");
        ApiError::new(StatusCode::BAD_REQUEST, "webhook_refused", message)
    })
}
