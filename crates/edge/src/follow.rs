//! Follows one fan's place for as long as the reader listens: what is told and
//! when is decided here once, whatever carries it (a WebSocket, Server-Sent
//! Events).
//!
//! One task a connection with small buffers. It wakes with the event's tick,
//! looks its number up in the shared board, and writes only when that is due.
//! A reader that does not take what is written is dropped and may return.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use usher_base::Timestamp;
use usher_queue::QueueClaims;

use crate::answers::Frame;
use crate::live::{Cadence, Connection, EventView, Held, LiveEvent, Sent, Spot};
use crate::places::{self, Stand};
use crate::state::{Edge, StreamSlot};
use crate::waits;

/// A reader slower than this is dropped.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// Redis is asked anew about a fan whose turn it is no sooner than this; a missed turn
/// shows at once all the same, because the number is on the board again.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// Over this span streams are told to go elsewhere when this edge drains.
const RECONNECT_SPREAD: Duration = Duration::from_secs(8);

/// What carries frames to a reader.
pub trait Wire: Send + 'static {
    /// As metrics name it.
    const KIND: &'static str;

    /// Returns once there is room for the next frame; an error when the reader left.
    fn send(&mut self, frame: String) -> impl Future<Output = Result<(), Left>> + Send;

    /// Returns when the reader leaves.
    fn left(&mut self) -> impl Future<Output = ()> + Send;

    /// Says why nothing more comes.
    fn close(&mut self, why: Ending) -> impl Future<Output = ()> + Send;
}

/// The reader is gone.
pub struct Left;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The place is of another kind now: ask for it.
    LookAgain,
    /// A newer stream of this fan took over: do not come back by yourself.
    Replaced,
    /// This process drains.
    GoingAway,
}

pub struct Follower<W> {
    edge: Arc<Edge>,
    live: Arc<LiveEvent>,
    claims: QueueClaims,
    wire: W,
    cadence: Cadence,
    sent: Sent,
    /// When Redis said last that it is this fan's turn.
    turn_seen: Option<Timestamp>,
    /// Counts this stream as presence of its number while it is open.
    presence: Option<Connection>,
    held: Held,
}

/// What to do after a step.
enum Next {
    GoOn,
    /// The place is of another kind now.
    LookAgain,
    /// The reader is gone or too slow.
    Drop(&'static str),
}

impl<W: Wire> Follower<W> {
    pub fn new(edge: Arc<Edge>, live: Arc<LiveEvent>, claims: QueueClaims, wire: W) -> Self {
        let seed = claims.number.map_or(0, |number| number.0);
        let presence = live.connect(&claims);
        let held = live.take_over(claims.sub);
        Self {
            presence,
            held,
            edge,
            live,
            claims,
            wire,
            cadence: Cadence::new(seed),
            sent: Sent::default(),
            turn_seen: None,
        }
    }

    pub async fn run(mut self, slot: StreamSlot) {
        let readers = metrics::gauge!("usher_line_streams", "kind" => W::KIND);
        readers.increment(1.0);
        let reason = self.follow().await;
        readers.decrement(1.0);
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
                            self.close(Ending::LookAgain).await;
                            return "place_changed";
                        }
                    }
                }
                () = self.wire.left() => return "client_left",
                () = self.held.taken_over() => {
                    self.close(Ending::Replaced).await;
                    return "replaced";
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
        if self.is_surely_called(view) {
            return Next::GoOn;
        }
        match places::stand(&self.edge, &self.live, view, &self.claims).await {
            Ok(Stand::Waiting { number, ahead }) => {
                if self.claims.number != Some(number) {
                    self.claims.number = Some(number);
                    self.presence = self.live.connect(&self.claims);
                }
                self.turn_seen = None;
                self.tell_place(view, Some(ahead)).await
            }
            Ok(Stand::Gathering) => self.tell_place(view, None).await,
            Ok(Stand::Admitted { claim_by }) => self.tell_admitted(view, claim_by).await,
            Ok(Stand::Inside(_) | Stand::Absent) => Next::LookAgain,
            // Redis is away for a moment: what was told last still stands.
            Err(_) => self.tell_place(view, self.sent.ahead).await,
        }
    }

    /// Whether the fan was told lately that it is their turn, and is still not in line:
    /// else all who were called would be asked after at each tick and each release.
    fn is_surely_called(&self, view: &EventView) -> bool {
        let (Some(seen), Some(number)) = (self.turn_seen, self.claims.number) else {
            return false;
        };
        self.edge.clock.now().since(seen) < ASK_AGAIN_AFTER
            && view.spot(&self.claims.lane, number) == Spot::Gone
    }

    async fn tell_place(&mut self, view: &EventView, ahead: Option<u32>) -> Next {
        let (now, phase, message) = (self.edge.clock.now(), view.phase(), view.message());
        if !self.cadence.is_due(&self.sent, now, ahead, phase, message) {
            return Next::GoOn;
        }
        let number = self.claims.number;
        let telling = number
            .map(|number| waits::tell(view, &self.claims.lane, number))
            .unwrap_or_default();
        let frame = Frame::Place {
            phase,
            number,
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

    async fn tell_admitted(&mut self, view: &EventView, claim_by: Timestamp) -> Next {
        if self.turn_seen.replace(self.edge.clock.now()).is_some() {
            return Next::GoOn;
        }
        self.sent = Sent::default();
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
        self.close(Ending::GoingAway).await;
    }

    async fn write(&mut self, text: String) -> Next {
        match tokio::time::timeout(WRITE_TIMEOUT, self.wire.send(text)).await {
            Ok(Ok(())) => {
                metrics::counter!("usher_stream_frames_total").increment(1);
                Next::GoOn
            }
            Ok(Err(Left)) => Next::Drop("client_left"),
            Err(_) => Next::Drop("slow_reader"),
        }
    }

    async fn close(&mut self, why: Ending) {
        let _ = tokio::time::timeout(WRITE_TIMEOUT, self.wire.close(why)).await;
    }
}
