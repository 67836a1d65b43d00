//! The seat map: a picture of the last tick, and its differences as a stream.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use usher_base::{EventId, Timestamp};
use usher_booking::catalog::OnSale;
use usher_booking::seatmap::{SeatChange, SeatDiffer};

use crate::allowances::Doing;
use crate::api::openapi::Refusal;
use crate::error::{ApiError, ApiResult};
use crate::live::LiveEvent;
use crate::state::{Edge, StreamSlot};

/// Asked for again at each look, and then mostly answered 304.
const CACHE: &str = "no-cache";
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_MESSAGE_BYTES: usize = 1_024;
/// Changes in one frame; more are sent in several.
const MAX_CHANGES_PER_FRAME: usize = 2_000;

#[utoipa::path(
    get,
    operation_id = "seatmap_show",
    path = "/api/v1/events/{event}/seatmap",
    tag = "shop",
    summary = "All seats with their states and prices",
    params(("event" = String, Path, description = "An event's id")),
    responses((status = 200, description = "Done, with an ETag", body = Object), (status = 304, description = "As `If-None-Match` has it"), (status = "default", description = "Refused", body = Refusal)),
)]
pub async fn show(
    State(edge): State<Arc<Edge>>,
    Path(event): Path<EventId>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let live = edge.live_event(event)?;
    look(&edge, &live, &headers).await?;
    let on_sale = edge.on_sale(event)?;
    let picture = live.picture(&on_sale).ok_or_else(not_yet)?;
    let has_it = headers.get(header::IF_NONE_MATCH) == Some(&picture.tag);
    let common = [
        (header::ETAG, picture.tag.clone()),
        (header::CACHE_CONTROL, HeaderValue::from_static(CACHE)),
    ];
    if has_it {
        return Ok((StatusCode::NOT_MODIFIED, common).into_response());
    }
    let json = [(header::CONTENT_TYPE, "application/json")];
    Ok((common, json, picture.body.clone()).into_response())
}

/// Who is inside is counted as a fan; everybody else only by address.
async fn look(edge: &Edge, live: &LiveEvent, headers: &HeaderMap) -> ApiResult<()> {
    match edge.access_of(live, headers) {
        Ok(access) => {
            let fan_limits = &edge.fan_limits;
            fan_limits
                .check(live.id, access.sub, Doing::Browse, None)
                .await
        }
        Err(_) => Ok(()),
    }
}

fn not_yet() -> ApiError {
    let message = "The seats cannot be read for a moment. Try again shortly.";
    ApiError::unavailable("store_unavailable", message, Duration::from_secs(2))
}

/// One seat, for clients that do not want the whole hall.
#[utoipa::path(
    get,
    operation_id = "seatmap_seat",
    path = "/api/v1/events/{event}/availability/{seat}",
    tag = "shop",
    params(("event" = String, Path, description = "An event's id"), ("seat" = String, Path, description = "A seat's id")),
    responses((status = 200, description = "Done", body = Object), (status = "default", description = "Refused", body = Refusal)),
)]
pub async fn seat(
    State(edge): State<Arc<Edge>>,
    Path((event, seat_id)): Path<(EventId, String)>,
    headers: HeaderMap,
) -> ApiResult<Json<Value>> {
    let live = edge.live_event(event)?;
    look(&edge, &live, &headers).await?;
    let on_sale = edge.on_sale(event)?;
    let index = on_sale
        .layout
        .as_ref()
        .and_then(|layout| layout.index_of(&seat_id));
    let index = index.ok_or_else(|| ApiError::not_found("seat"))?;
    let stock = live.stock().ok_or_else(not_yet)?;
    Ok(Json(json!({
        "seat_id": seat_id,
        "status": stock.seats.get(index),
        "at": stock.at,
    })))
}

#[utoipa::path(
    get,
    operation_id = "seatmap_stream",
    path = "/api/v1/events/{event}/seatmap/stream",
    tag = "shop",
    summary = "Seats as they change: a WebSocket",
    params(("event" = String, Path, description = "An event's id")),
    responses((status = 101, description = "A WebSocket"), (status = "default", description = "Refused", body = Refusal)),
)]
pub async fn stream(
    State(edge): State<Arc<Edge>>,
    Path(event): Path<EventId>,
    upgrade: WebSocketUpgrade,
) -> ApiResult<Response> {
    let live = edge.live_event(event)?;
    let on_sale = edge.on_sale(event)?;
    let slot = edge.streams.take().ok_or_else(|| {
        let message = "This server follows as many people as it can. Try again shortly.";
        ApiError::unavailable("too_many_streams", message, Duration::from_secs(5))
    })?;
    let upgrade = upgrade.max_message_size(MAX_MESSAGE_BYTES);
    Ok(upgrade.on_upgrade(move |socket| follow(edge, live, on_sale, socket, slot)))
}

/// Sends what changed since the last tick, from the moment of connecting on.
async fn follow(
    edge: Arc<Edge>,
    live: Arc<LiveEvent>,
    on_sale: Arc<OnSale>,
    mut socket: WebSocket,
    _slot: StreamSlot,
) {
    let mut stocks = live.watch_stock();
    let mut differ = SeatDiffer::default();
    if let Some(stock) = stocks.borrow_and_update().as_ref() {
        differ.changes(&on_sale, stock.seats.clone());
    }
    let draining = edge.draining.clone();
    loop {
        tokio::select! {
            changed = stocks.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            message = socket.recv() => match message {
                Some(Ok(_)) => continue,
                _ => return,
            },
            () = draining.cancelled() => {
                let frame = json!({ "type": "reconnect", "after_ms": 1_000 });
                let _ = send(&mut socket, &frame).await;
                return;
            }
        }
        let Some(stock) = stocks.borrow_and_update().clone() else {
            continue;
        };
        for frame in frames(differ.changes(&on_sale, stock.seats.clone()), stock.at) {
            if send(&mut socket, &frame).await.is_err() {
                return;
            }
        }
    }
}

fn frames(changes: Vec<SeatChange<'_>>, at: Timestamp) -> Vec<Value> {
    let frame = |some: &[SeatChange<'_>]| json!({ "type": "seats", "at": at, "changes": some });
    changes.chunks(MAX_CHANGES_PER_FRAME).map(frame).collect()
}

async fn send(socket: &mut WebSocket, frame: &Value) -> Result<(), ()> {
    let sending = socket.send(Message::Text(frame.to_string().into()));
    match tokio::time::timeout(WRITE_TIMEOUT, sending).await {
        Ok(Ok(())) => Ok(()),
        _ => Err(()),
    }
}
