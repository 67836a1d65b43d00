//! A fan's stream over the wire that the fan's network lets through: a
//! WebSocket, or Server-Sent Events where WebSocket is blocked. Both carry the
//! same frames, decided by `follow`.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use tokio::sync::mpsc;
use usher_base::EventId;
use usher_queue::QueueClaims;
use utoipa::IntoParams;

use crate::api::openapi::Refusal;
use crate::cookies;
use crate::cross_site;
use crate::error::{ApiError, ApiResult};
use crate::follow::{Ending, Follower, Left, Wire};
use crate::identity;
use crate::live::LiveEvent;
use crate::state::{Edge, StreamSlot};

/// Streams hardly ever read; a fan has nothing long to say.
const READ_BUFFER_BYTES: usize = 512;
const WRITE_BUFFER_BYTES: usize = 1_024;
const MAX_UNWRITTEN_BYTES: usize = 8 * 1_024;
const MAX_MESSAGE_BYTES: usize = 1_024;
/// Frames that wait for a reader of Server-Sent Events before it counts as slow.
const MAX_UNSENT_EVENTS: usize = 4;
const PROTOCOL: &str = "usher.v1";
/// Tells the page that its place is of another kind now: ask for it.
const CLOSE_LOOK_AGAIN: u16 = 4_000;
/// Tells the page that the fan's newer stream took over: it must not come back by itself.
const CLOSE_REPLACED: u16 = 4_001;
/// The same for readers of Server-Sent Events, which know no close codes.
const EVENT_LOOK_AGAIN: &str = "look_again";
const EVENT_REPLACED: &str = "replaced";

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StreamQuery {
    token: Option<String>,
}

#[utoipa::path(
    get,
    operation_id = "stream_open",
    path = "/api/v1/events/{event}/queue/stream",
    tag = "line",
    summary = "The place as it changes: a WebSocket. A fan has one stream at each edge process; a newer one there ends the older with close code 4001",
    params(("event" = String, Path, description = "An event's id"), StreamQuery),
    responses((status = 101, description = "A WebSocket with the subprotocol usher.v1"), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn open(
    State(edge): State<Arc<Edge>>,
    Path(event): Path<EventId>,
    Query(query): Query<StreamQuery>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> ApiResult<Response> {
    let shown = query.token.or_else(|| token_in_protocols(&headers));
    let (live, claims, slot) = let_in(&edge, event, shown, &headers)?;
    Ok(upgrade
        .protocols([PROTOCOL])
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_write_buffer_size(MAX_UNWRITTEN_BYTES)
        .max_message_size(MAX_MESSAGE_BYTES)
        .max_frame_size(MAX_MESSAGE_BYTES)
        .on_upgrade(move |socket| Follower::new(edge, live, claims, socket).run(slot)))
}

#[utoipa::path(
    get,
    operation_id = "stream_events",
    path = "/api/v1/events/{event}/queue/events",
    tag = "line",
    summary = "The same frames as Server-Sent Events, where WebSocket is blocked",
    params(("event" = String, Path, description = "An event's id"), StreamQuery),
    responses((status = 200, description = "Frames as `data:`; `event: look_again` when the place is of another kind now; `event: replaced` when a newer stream of this fan took over", content_type = "text/event-stream", body = String), (status = "default", description = "Refused", body = Refusal)),
    security(("bearer" = [])),
)]
pub async fn events(
    State(edge): State<Arc<Edge>>,
    Path(event): Path<EventId>,
    Query(query): Query<StreamQuery>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let (live, claims, slot) = let_in(&edge, event, query.token, &headers)?;
    let (sender, receiver) = mpsc::channel(MAX_UNSENT_EVENTS);
    tokio::spawn(Follower::new(edge, live, claims, sender).run(slot));
    let events = futures::stream::unfold(receiver, |mut receiver| async {
        let event: Event = receiver.recv().await?;
        Some((Ok::<_, Infallible>(event), receiver))
    });
    // A proxy that collects the answer would hold every frame back.
    let not_kept = [
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((not_kept, Sse::new(events)).into_response())
}

/// Whose place is followed, and this process's place for one more stream.
fn let_in(
    edge: &Edge,
    event: EventId,
    shown: Option<String>,
    headers: &HeaderMap,
) -> ApiResult<(Arc<LiveEvent>, QueueClaims, StreamSlot)> {
    if shown.is_none() && cross_site::is_foreign(headers) {
        return Err(cross_site::refusal());
    }
    let cookie = cookies::read(headers, &cookies::queue(event));
    let token = shown
        .as_deref()
        .or_else(|| cookies::bearer(headers))
        .or(cookie);
    let token = token.ok_or_else(identity::queue_token_required)?;
    let claims = edge.queue_claims(event, token)?;
    let live = edge.live_event(event)?;
    if live.was_moved(&claims) {
        return Err(usher_base::signing::TokenError::Replaced.into());
    }
    let slot = edge.streams.take().ok_or_else(|| {
        ApiError::unavailable(
            "too_many_streams",
            "This server follows as many people as it can; your place is kept. Try again shortly.",
            Duration::from_secs(5),
        )
    })?;
    Ok((live, claims, slot))
}

/// `Sec-WebSocket-Protocol: usher.v1, <token>`
fn token_in_protocols(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?;
    let mut parts = value.split(',').map(str::trim);
    (parts.next() == Some(PROTOCOL)).then(|| parts.next().map(str::to_owned))?
}

impl Wire for WebSocket {
    const KIND: &'static str = "websocket";

    async fn send(&mut self, frame: String) -> Result<(), Left> {
        let message = Message::Text(frame.into());
        WebSocket::send(self, message).await.map_err(|_| Left)
    }

    /// Pings are answered by the library; nothing else is expected.
    async fn left(&mut self) {
        while let Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Text(_))) =
            self.recv().await
        {}
    }

    async fn close(&mut self, why: Ending) {
        let (code, reason) = match why {
            Ending::LookAgain => (CLOSE_LOOK_AGAIN, "look again"),
            Ending::Replaced => (CLOSE_REPLACED, "replaced"),
            Ending::GoingAway => (1_001, "this server is going away"),
        };
        let reason = Utf8Bytes::from_static(reason);
        let frame = Message::Close(Some(CloseFrame { code, reason }));
        // Who is gone already needs no goodbye.
        let _ = WebSocket::send(self, frame).await;
    }
}

/// The sending half of a response's body.
impl Wire for mpsc::Sender<Event> {
    const KIND: &'static str = "sse";

    async fn send(&mut self, frame: String) -> Result<(), Left> {
        let event = Event::default().data(frame);
        mpsc::Sender::send(self, event).await.map_err(|_| Left)
    }

    async fn left(&mut self) {
        self.closed().await;
    }

    async fn close(&mut self, why: Ending) {
        let name = match why {
            Ending::LookAgain => EVENT_LOOK_AGAIN,
            Ending::Replaced => EVENT_REPLACED,
            Ending::GoingAway => return,
        };
        let event = Event::default().event(name).data("{}");
        // Who is gone already needs no goodbye.
        let _ = mpsc::Sender::send(self, event).await;
    }
}
