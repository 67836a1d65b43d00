//! The seat map: a picture of the last tick, and its differences as a stream.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::{Value, json};
use usher_base::EventId;
use usher_booking::catalog::OnSale;
use usher_booking::inventory::{SeatBits, SeatIndex};

use crate::error::{ApiError, ApiResult};
use crate::live::{LiveEvent, StockView};
use crate::state::{Edge, StreamSlot};

const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_MESSAGE_BYTES: usize = 1_024;
/// Changes in one frame; more are sent in several.
const MAX_CHANGES_PER_FRAME: usize = 2_000;

pub async fn show(
    State(edge): State<Arc<Edge>>,
    Path(event): Path<EventId>,
) -> ApiResult<Json<Value>> {
    let on_sale = edge.on_sale(event)?;
    let stock = edge.live_event(event)?.stock().ok_or_else(not_yet)?;
    Ok(Json(picture(&on_sale, &stock)))
}

fn not_yet() -> ApiError {
    let message = "The seats cannot be read for a moment. Try again shortly.";
    ApiError::unavailable("store_unavailable", message, Duration::from_secs(2))
}

fn picture(on_sale: &OnSale, stock: &StockView) -> Value {
    let event = &on_sale.event;
    let money = |amount: i64| json!({ "amount": amount, "currency": event.currency });
    let mut next = 0;
    let mut sections = Vec::new();
    for section in on_sale.layout.iter().flat_map(|layout| layout.sections()) {
        let mut cheapest: Option<i64> = None;
        let mut rows = Vec::with_capacity(section.rows.len());
        for row in &section.rows {
            let mut seats = Vec::with_capacity(row.seats.len());
            for seat in &row.seats {
                let index = SeatIndex(next);
                next += 1;
                let price = on_sale.seat_price(index).unwrap_or(0);
                cheapest = Some(cheapest.map_or(price, |least| least.min(price)));
                let mut one = json!({
                    "id": seat.id,
                    "seat_number": seat.seat_number,
                    "status": stock.seats.get(index),
                    "price": money(price),
                });
                if seat.accessible {
                    one["accessible"] = Value::Bool(true);
                }
                seats.push(one);
            }
            rows.push(json!({ "row_number": row.row_number, "seats": seats }));
        }
        sections.push(json!({
            "id": section.id,
            "name": section.name,
            "price": money(cheapest.unwrap_or(0)),
            "rows": rows,
        }));
    }
    let tiers: Vec<_> = on_sale
        .tiers(&stock.places_left)
        .map(|tier| {
            json!({
                "id": tier.id, "name": tier.name, "price": money(tier.price),
                "capacity": tier.capacity, "available": tier.available,
            })
        })
        .collect();
    json!({
        "event_id": event.id,
        "venue_id": event.venue.id,
        "layout_version": event.layout_version,
        "last_updated": stock.at,
        "sections": sections,
        "tiers": tiers,
    })
}

/// One seat, for clients that do not want the whole hall.
pub async fn seat(
    State(edge): State<Arc<Edge>>,
    Path((event, seat_id)): Path<(EventId, String)>,
) -> ApiResult<Json<Value>> {
    let on_sale = edge.on_sale(event)?;
    let index = on_sale
        .layout
        .as_ref()
        .and_then(|layout| layout.index_of(&seat_id));
    let index = index.ok_or_else(|| ApiError::not_found("seat"))?;
    let stock = edge.live_event(event)?.stock().ok_or_else(not_yet)?;
    Ok(Json(json!({
        "seat_id": seat_id,
        "status": stock.seats.get(index),
        "at": stock.at,
    })))
}

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
    let mut known = stocks
        .borrow_and_update()
        .as_ref()
        .map(|stock| stock.seats.clone());
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
        let before = known
            .replace(stock.seats.clone())
            .unwrap_or_else(|| stock.seats.clone());
        for frame in differences(&on_sale, &stock, &before) {
            if send(&mut socket, &frame).await.is_err() {
                return;
            }
        }
    }
}

fn differences(on_sale: &OnSale, stock: &StockView, before: &SeatBits) -> Vec<Value> {
    let changes = stock.seats.changes_since(before);
    let named = |(seat, status): &(SeatIndex, usher_booking::inventory::SeatStatus)| {
        Some(json!([on_sale.seat_id(*seat)?, status]))
    };
    changes
        .chunks(MAX_CHANGES_PER_FRAME)
        .map(|chunk| {
            let changes: Vec<_> = chunk.iter().filter_map(named).collect();
            json!({ "type": "seats", "at": stock.at, "changes": changes })
        })
        .collect()
}

async fn send(socket: &mut WebSocket, frame: &Value) -> Result<(), ()> {
    let sending = socket.send(Message::Text(frame.to_string().into()));
    match tokio::time::timeout(WRITE_TIMEOUT, sending).await {
        Ok(Ok(())) => Ok(()),
        _ => Err(()),
    }
}
