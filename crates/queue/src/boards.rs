//! Reading boards: one script an event and tick, however many fans are watched;
//! the newest is kept for everybody. Changes (ended sessions, moved places) are
//! a second read, also once a tick.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use usher_base::redis::CallError;
use usher_base::{EventId, Lane, Number, Timestamp};

use crate::bitmap::Bitmap;
use crate::board::Board;
use crate::keys;
use crate::line::{Line, Mode, Room};
use crate::phase::{Ordering, Phase};
use crate::reply::{Read, Reply, parsed};
use crate::scripts;
use crate::wait::Forecast;

/// An event at one tick.
#[derive(Clone, Debug)]
pub struct EventBoard {
    /// By Redis's clock.
    pub at: Timestamp,
    pub state: EventState,
    /// Released, not yet claimed.
    pub admitted: u64,
    /// In a session.
    pub active: u64,
    pub lanes: Vec<LaneBoard>,
}

#[derive(Clone, Debug)]
pub struct LaneBoard {
    pub lane: Lane,
    pub board: Board,
    /// Fans whose number Redis can tell; fewer than `board.waiting()` while
    /// fans are missing after a rebuild.
    pub standing: u64,
    pub gathering: u64,
    /// The last number handed out.
    pub last: Number,
    /// The last number that may be handed out.
    pub block_end: Number,
    /// Of a lottery's draw, for the receipts of those who gather.
    pub commitment: Option<[u8; 32]>,
    /// As the leader announced it last.
    pub forecast: Option<Forecast>,
}

/// What is true of the event as a whole, as Redis has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventState {
    pub phase: Phase,
    pub mode: Mode,
    pub ordering: Ordering,
    pub room: Room,
    pub grace: Duration,
    /// What the operator says to everybody in line.
    pub message: Option<String>,
    /// No release before this, because fans are still coming back after a rebuild.
    pub settle_until: Option<Timestamp>,
    pub release_sequence: u64,
    pub totals: Totals,
}

/// Since the event's memory was last rebuilt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub released: u64,
    pub claimed: u64,
    /// Sessions and admissions that are over.
    pub ended: u64,
    /// Missed claims that went back to their number.
    pub put_back: u64,
    /// Gave up their place while waiting.
    pub left: u64,
    /// Were given up after a long absence.
    pub absent: u64,
}

impl EventBoard {
    pub fn lane(&self, lane: &Lane) -> Option<&LaneBoard> {
        self.lanes.iter().find(|of| of.lane == *lane)
    }
}

impl Line {
    /// Reads the whole event in one call.
    pub async fn board(&self, event: EventId, lanes: &[Lane]) -> Read<EventBoard> {
        let mut call = self
            .redis()
            .script(&scripts::BOARD)
            .key(keys::meta(event))
            .key(keys::admitted(event))
            .key(keys::active(event));
        for lane in lanes {
            call = call
                .key(keys::line(event, lane))
                .key(keys::gather(event, lane))
                .key(keys::alive(event, lane))
                .key(keys::next(event, lane));
        }
        let mut reply: Reply = call.run().await?;
        let at = reply.time()?;
        let meta = read_meta(reply.list()?)?;
        let (admitted, active) = (reply.count()?, reply.count()?);
        let lanes = lanes.iter().map(|lane| {
            let mut of = reply.list()?;
            let (standing, gathering, last) = (of.count()?, of.count()?, of.number()?);
            let first_byte = usize::try_from(of.count()?).unwrap_or(usize::MAX);
            let alive = Bitmap::from_bytes(first_byte, &of.bytes()?);
            Ok(LaneBoard {
                board: Board::new(alive),
                standing,
                gathering,
                last,
                block_end: Number(field(&meta, &format!("block:{lane}"))?.unwrap_or(0)),
                commitment: commitment(&meta, lane)?,
                forecast: field(&meta, &format!("forecast:{lane}"))?,
                lane: lane.clone(),
            })
        });
        Ok(EventBoard {
            at,
            admitted,
            active,
            lanes: lanes.collect::<Read<_>>()?,
            state: event_state(&meta)?,
        })
    }
}

type Meta = HashMap<String, String>;

fn read_meta(mut list: Reply) -> Read<Meta> {
    let mut meta = Meta::new();
    while !list.is_done() {
        meta.insert(list.word()?, list.word()?);
    }
    Ok(meta)
}

fn field<T: std::str::FromStr>(meta: &Meta, name: &str) -> Read<Option<T>> {
    meta.get(name).map(|text| parsed(text)).transpose()
}

fn commitment(meta: &Meta, lane: &Lane) -> Read<Option<[u8; 32]>> {
    let Some(text) = meta.get(&format!("commitment:{lane}")) else {
        return Ok(None);
    };
    let mut hash = [0; 32];
    hex::decode_to_slice(text, &mut hash)
        .map_err(|_| CallError::Shape("an unreadable commitment".to_owned()))?;
    Ok(Some(hash))
}

fn event_state(meta: &Meta) -> Read<EventState> {
    let count = |name: &str| Ok(field(meta, name)?.unwrap_or(0));
    let time = |name: &str| Ok(field(meta, name)?.map(Timestamp::from_millis));
    Ok(EventState {
        phase: field(meta, "phase")?.unwrap_or(Phase::Draft),
        mode: field(meta, "mode")?.unwrap_or(Mode::Auto),
        ordering: field(meta, "ordering")?.unwrap_or(Ordering::Fifo),
        room: field(meta, "room")?.unwrap_or(Room::On),
        grace: Duration::from_millis(count("grace_ms")?),
        message: meta.get("message").filter(|text| !text.is_empty()).cloned(),
        settle_until: time("settle_until")?,
        release_sequence: count("release_seq")?,
        totals: Totals {
            released: count("released")?,
            claimed: count("claimed")?,
            ended: count("ended")?,
            put_back: count("put_back")?,
            left: count("left")?,
            absent: count("absent")?,
        },
    })
}

/// The newest board of each event on this node. One task an event refreshes it,
/// once a tick; every stream reads from here and Redis hears nothing of them.
pub struct Boards {
    line: Line,
    newest: Mutex<HashMap<EventId, watch::Sender<Option<Arc<EventBoard>>>>>,
}

impl Boards {
    pub fn new(line: Line) -> Self {
        Self {
            line,
            newest: Mutex::default(),
        }
    }

    /// Reads the event once and tells all who watch it.
    pub async fn refresh(&self, event: EventId, lanes: &[Lane]) -> Read<Arc<EventBoard>> {
        let board = Arc::new(self.line.board(event, lanes).await?);
        let told = Some(Arc::clone(&board));
        self.with(event, |sender| sender.send_replace(told));
        Ok(board)
    }

    /// The board of the last refresh, if there was one.
    pub fn newest(&self, event: EventId) -> Option<Arc<EventBoard>> {
        self.with(event, |sender| sender.borrow().clone())
    }

    /// Wakes at each refresh.
    pub fn watch(&self, event: EventId) -> watch::Receiver<Option<Arc<EventBoard>>> {
        self.with(event, |sender| sender.subscribe())
    }

    /// Drops an event that is no longer served here; its watchers see the end.
    pub fn drop_event(&self, event: EventId) {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        newest.remove(&event);
    }

    fn with<T>(
        &self,
        event: EventId,
        f: impl FnOnce(&watch::Sender<Option<Arc<EventBoard>>>) -> T,
    ) -> T {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        f(newest
            .entry(event)
            .or_insert_with(|| watch::channel(None).0))
    }
}
