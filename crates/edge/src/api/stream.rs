//! A fan's stream: the place as it changes, the turn when it comes.
//!
//! One task a connection with small buffers. It wakes with the event's tick,
//! looks its number up in the shared board, and writes only when that is due.
//! A reader that does not take what is written is dropped and may return.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use serde::Deserialize;
use usher_base::EventId;
use usher_queue::QueueClaims;
use utoipa::IntoParams;

use crate::answers::Frame;
use crate::api::openapi::Refusal;
use crate::cookies;
use crate::cross_site;
use crate::error::{ApiError, ApiResult};
use crate::identity;
use crate::live::{Cadence, Connection, EventView, LiveEvent, Sent};
use crate::places::{self, Stand};
use crate::state::{Edge, StreamSlot};
use crate::waits::Told;

/// Streams hardly ever read; a fan has nothing long to say.
const READ_BUFFER_BYTES: usize = 512;
const WRITE_BUFFER_BYTES: usize = 1_024;
const MAX_UNWRITTEN_BYTES: usize = 8 * 1_024;
const MAX_MESSAGE_BYTES: usize = 1_024;
/// A reader slower than this is dropped.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// Over this span streams are told to go elsewhere when this edge drains.
const RECONNECT_SPREAD: Duration = Duration::from_secs(8);
const PROTOCOL: &str = "usher.v1";
/// Tells the page that its place is of another kind now: ask for it.
const CLOSE_LOOK_AGAIN: u16 = 4_000;

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
    summary = "The place as it changes: a WebSocket",
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
    if shown.is_none() && cross_site::is_foreign(&headers) {
        return Err(cross_site::refusal());
    }
    let cookie = cookies::read(&headers, &cookies::queue(event));
    let token = shown
        .as_deref()
        .or_else(|| cookies::bearer(&headers))
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
    Ok(upgrade
        .protocols([PROTOCOL])
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_write_buffer_size(MAX_UNWRITTEN_BYTES)
        .max_message_size(MAX_MESSAGE_BYTES)
        .max_frame_size(MAX_MESSAGE_BYTES)
        .on_upgrade(move |socket| Stream::new(edge, live, claims, socket).run(slot)))
}

/// `Sec-WebSocket-Protocol: usher.v1, <token>`
fn token_in_protocols(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?;
    let mut parts = value.split(',').map(str::trim);
    (parts.next() == Some(PROTOCOL)).then(|| parts.next().map(str::to_owned))?
}

struct Stream {
    edge: Arc<Edge>,
    live: Arc<LiveEvent>,
    claims: QueueClaims,
    socket: WebSocket,
    cadence: Cadence,
    sent: Sent,
    was_admitted: bool,
    told: Told,
    /// Counts this stream as presence of its number while it is open.
    presence: Option<Connection>,
}

/// What to do after a step.
enum Next {
    GoOn,
    /// The place is of another kind now.
    LookAgain,
    /// The reader is gone or too slow.
    Drop(&'static str),
}

impl Stream {
    fn new(edge: Arc<Edge>, live: Arc<LiveEvent>, claims: QueueClaims, socket: WebSocket) -> Self {
        let seed = claims.number.map_or(0, |number| number.0);
        let presence = live.connect(&claims);
        Self {
            presence,
            edge,
            live,
            claims,
            socket,
            cadence: Cadence::new(seed),
            sent: Sent::default(),
            was_admitted: false,
            told: Told::default(),
        }
    }

    async fn run(mut self, slot: StreamSlot) {
        let reason = self.follow().await;
        metrics::counter!("usher_streams_closed_total", "reason" => reason).increment(1);
        drop(slot);
    }

    async fn follow(&mut self) -> &'static str {
        let mut views = self.live.watch();
        let draining = self.edge.draining.clone();
        views.mark_changed();
        loop {
            tokio::select! {
                changed = views.changed() => {
                    if changed.is_err() {
                        return "event_gone";
                    }
                    let Some(view) = views.borrow_and_update().clone() else { continue };
                    match self.step(&view).await {
                        Next::GoOn => {}
                        Next::Drop(reason) => return reason,
                        Next::LookAgain => {
                            self.close(CLOSE_LOOK_AGAIN, "look again").await;
                            return "place_changed";
                        }
                    }
                }
                message = self.socket.recv() => {
                    // Pings are answered by the library; nothing else is expected.
                    if !matches!(message, Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Text(_)))) {
                        return "client_left";
                    }
                }
                () = draining.cancelled() => {
                    self.send_elsewhere().await;
                    return "draining";
                }
            }
        }
    }

    async fn step(&mut self, view: &EventView) -> Next {
        if self.live.was_moved(&self.claims) {
            return Next::LookAgain;
        }
        match places::stand(&self.edge, &self.live, view, &self.claims).await {
            Ok(Stand::Waiting { number, ahead }) => {
                if self.claims.number != Some(number) {
                    self.claims.number = Some(number);
                    self.presence = self.live.connect(&self.claims);
                }
                self.was_admitted = false;
                self.tell_place(view, Some(ahead)).await
            }
            Ok(Stand::Gathering) => self.tell_place(view, None).await,
            Ok(Stand::Admitted { claim_by }) => self.tell_admitted(view, claim_by).await,
            Ok(Stand::Inside(_) | Stand::Absent) => Next::LookAgain,
            // Redis is away for a moment: what was told last still stands.
            Err(_) => self.tell_place(view, self.sent.ahead).await,
        }
    }

    async fn tell_place(&mut self, view: &EventView, ahead: Option<u32>) -> Next {
        let (now, phase, message) = (self.edge.clock.now(), view.phase(), view.message());
        if !self.cadence.is_due(&self.sent, now, ahead, phase, message) {
            return Next::GoOn;
        }
        let telling = ahead
            .map(|ahead| self.told.tell(view, &self.claims.lane, ahead, now))
            .unwrap_or_default();
        let frame = Frame::Place {
            phase,
            number: self.claims.number,
            ahead,
            waiting: view.waiting(),
            estimated_wait_seconds: telling.interval,
            rate_per_minute: self.edge.rate_per_minute(&self.live),
            reason: telling.reason,
            message,
            at: view.at(),
        };
        let text = frame.to_json();
        self.sent = Sent {
            at: now,
            ahead,
            phase: Some(phase),
            message: message.map(str::to_owned),
        };
        self.write(text).await
    }

    async fn tell_admitted(&mut self, view: &EventView, claim_by: usher_base::Timestamp) -> Next {
        if self.was_admitted {
            return Next::GoOn;
        }
        self.was_admitted = true;
        self.sent = Sent::default();
        self.live.score(&mut self.told, self.edge.clock.now());
        let frame = Frame::Admitted {
            claim_by,
            at: view.at(),
        };
        let told = self.write(frame.to_json()).await;
        let lag = self.edge.clock.now().since(view.at());
        metrics::histogram!("usher_push_lag_seconds").record(lag.as_secs_f64());
        told
    }

    /// Spread over some seconds, so that the other edges are not met by all at once.
    async fn send_elsewhere(&mut self) {
        let wait = RECONNECT_SPREAD.mul_f64(rand::random::<f64>());
        tokio::time::sleep(wait).await;
        let frame = Frame::Reconnect { after_ms: 0 };
        let _ = self.write(frame.to_json()).await;
        self.close(1_001, "this server is going away").await;
    }

    async fn write(&mut self, text: String) -> Next {
        let sending = self.socket.send(Message::Text(text.into()));
        match tokio::time::timeout(WRITE_TIMEOUT, sending).await {
            Ok(Ok(())) => {
                metrics::counter!("usher_stream_frames_total").increment(1);
                Next::GoOn
            }
            Ok(Err(_)) => Next::Drop("client_left"),
            Err(_) => Next::Drop("slow_reader"),
        }
    }

    async fn close(&mut self, code: u16, reason: &'static str) {
        let reason = Utf8Bytes::from_static(reason);
        let frame = Message::Close(Some(CloseFrame { code, reason }));
        let _ = tokio::time::timeout(WRITE_TIMEOUT, self.socket.send(frame)).await;
    }
}
