//! What is written down: the ledger of what happened to orders and holds, and
//! the audit log of what operators did and money moved.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use usher_base::{EventId, OrderId, Timestamp};
use usher_booking::catalog::OnSale;
use usher_booking::holds::{TrailEntry, TrailKind};
use usher_booking::pg::audit::Logged;
use usher_booking::pg::store::StoredEvent;
use utoipa::{IntoParams, ToSchema};

use crate::api::openapi::Refusal;
use crate::desk::database_unavailable;
use crate::error::{ApiError, ApiResult};
use crate::operators::Operator;
use crate::state::Edge;

const DEFAULT_PAGE: u32 = 100;
const MAX_PAGE: u32 = 1_000;

/// Which of the two ledgers.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// Durable, written with what it tells.
    #[default]
    Orders,
    /// Best effort, the newest hundred thousand: never proof.
    Holds,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LedgerQuery {
    #[param(value_type = String)]
    event: EventId,
    /// `orders` (durable; the default) or `holds` (best effort)
    #[serde(default)]
    #[param(value_type = Option<String>)]
    of: Of,
    /// `next` of the page before
    after: Option<String>,
    limit: Option<u32>,
}

#[derive(Serialize, ToSchema)]
pub struct LedgerPage {
    /// Oldest first
    data: Vec<LedgerEntry>,
    next: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct LedgerEntry {
    id: String,
    #[schema(value_type = Option<String>)]
    order_id: Option<OrderId>,
    kind: String,
    #[schema(value_type = String)]
    at: Timestamp,
    /// Best effort: no proof
    lossy: bool,
    #[schema(value_type = Object)]
    payload: Value,
}

impl From<StoredEvent> for LedgerEntry {
    fn from(stored: StoredEvent) -> Self {
        Self {
            id: stored.id.to_string(),
            order_id: stored.order_id,
            kind: stored.kind,
            at: stored.at,
            lossy: stored.lossy,
            payload: stored.payload,
        }
    }
}

#[utoipa::path(
    get,
    operation_id = "operators_records_ledger",
    path = "/api/v1/admin/ledger",
    tag = "operators",
    summary = "What happened to orders or holds",
    params(LedgerQuery),
    responses((status = 200, description = "Done", body = LedgerPage), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn ledger(
    State(edge): State<Arc<Edge>>,
    _operator: Operator,
    Query(query): Query<LedgerQuery>,
) -> ApiResult<Json<LedgerPage>> {
    let limit = query.limit.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE);
    let on_sale = edge.on_sale(query.event)?;
    let orders = &edge.desk()?.orders;
    let data: Vec<LedgerEntry> = match query.of {
        Of::Orders => {
            let after = query.after.as_deref().unwrap_or("0").parse();
            let after = after.map_err(|_| bad_cursor())?;
            let page = orders.ledger(query.event, after, limit).await;
            let page = page.map_err(database_unavailable)?;
            page.into_iter().map(LedgerEntry::from).collect()
        }
        Of::Holds => {
            let after = query.after.as_deref();
            if after.is_some_and(|id| !is_stream_id(id)) {
                return Err(bad_cursor());
            }
            let page = orders.trail(query.event, after, limit as usize).await?;
            page.iter().map(|entry| of_trail(&on_sale, entry)).collect()
        }
    };
    let is_full = data.len() >= limit as usize;
    let next = data.last().filter(|_| is_full).map(|last| last.id.clone());
    Ok(Json(LedgerPage { data, next }))
}

fn bad_cursor() -> ApiError {
    ApiError::invalid("after must be the `next` of a page.")
}

/// `<ms>-<n>`, as Redis Streams number their entries.
fn is_stream_id(text: &str) -> bool {
    let part = |part: &str| part.parse::<u64>().is_ok();
    text.split_once('-')
        .is_some_and(|(a, b)| part(a) && part(b))
}

fn of_trail(on_sale: &OnSale, entry: &TrailEntry) -> LedgerEntry {
    let seats = entry.seats.iter().filter_map(|seat| on_sale.seat_id(*seat));
    let tiers = entry.tiers.iter().filter_map(|(tier, count)| {
        let tier = on_sale.event.tiers.get(usize::from(tier.0))?;
        Some(json!({ "tier": tier.code, "count": count }))
    });
    LedgerEntry {
        id: entry.id.clone(),
        order_id: entry.order,
        kind: kind(entry.kind).to_owned(),
        at: entry.at,
        lossy: true,
        payload: json!({
            "reservation_id": entry.reservation,
            "fan_id": entry.fan,
            "seats": seats.collect::<Vec<_>>(),
            "tiers": tiers.collect::<Vec<_>>(),
        }),
    }
}

const fn kind(kind: TrailKind) -> &'static str {
    match kind {
        TrailKind::Created => "ReservationCreated",
        TrailKind::Extended => "ReservationExtended",
        TrailKind::Expired => "ReservationExpired",
        TrailKind::Released | TrailKind::Cancelled | TrailKind::Restocked => "SeatReleased",
        TrailKind::Committing => "ReservationCommitting",
        TrailKind::Unpinned => "ReservationReturned",
        TrailKind::Confirmed => "ReservationConfirmed",
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// An order number or an event's id
    subject: Option<String>,
    /// `next` of the page before
    before: Option<i64>,
    limit: Option<u32>,
}

#[derive(Serialize, ToSchema)]
pub struct AuditPage {
    /// Newest first
    #[schema(value_type = Vec<Object>)]
    data: Vec<Logged>,
    next: Option<i64>,
}

#[utoipa::path(
    get,
    operation_id = "operators_records_audit",
    path = "/api/v1/admin/audit",
    tag = "operators",
    summary = "What operators did and money moved",
    params(AuditQuery),
    responses((status = 200, description = "Done", body = AuditPage), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn audit(
    State(edge): State<Arc<Edge>>,
    _operator: Operator,
    Query(query): Query<AuditQuery>,
) -> ApiResult<Json<AuditPage>> {
    let limit = query.limit.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE);
    let reading = edge
        .desk()?
        .orders
        .audit(query.subject.as_deref(), query.before, limit);
    let data = reading.await.map_err(database_unavailable)?;
    let is_full = data.len() >= limit as usize;
    let next = data.last().filter(|_| is_full).map(|last| last.id);
    Ok(Json(AuditPage { data, next }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_id_of_a_stream_reaches_redis() {
        assert!(is_stream_id("1795255200000-3"));
        for bad in ["", "1", "+", "1-", "1-2 COUNT"] {
            assert!(!is_stream_id(bad), "{bad}");
        }
    }
}
