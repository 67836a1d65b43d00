//! Reading boards: one script an event and tick, however many fans are watched;
//! the newest is kept for everybody. Changes (ended sessions, moved places) are
//! a second read, also once a tick.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use usher_base::redis::CallError;
use usher_base::{EventId, FanId, Lane, Number, Timestamp};

use crate::bitmap::Bitmap;
use crate::board::Board;
use crate::keys;
use crate::line::{Line, Mode, Room};
use crate::phase::{Ordering, Phase};
use crate::place::SessionId;
use crate::reply::{Read, Reply, fan_of, parsed};
use crate::scripts;

/// Ends, and moves, that one read takes at most.
const MAX_CHANGES_PER_READ: usize = 2_000;

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

    /// What changed since `cursor`, which moves on. Entries of the cursor's own
    /// moment come again: taking one in twice changes nothing.
    pub async fn changes(&self, event: EventId, cursor: &mut Cursor) -> Read<Changes> {
        let call = self
            .redis()
            .script(&scripts::CHANGES)
            .key(keys::meta(event))
            .key(keys::ended(event))
            .key(keys::moved(event))
            .arg(cursor.ended.millis())
            .arg(cursor.moved.millis())
            .arg(MAX_CHANGES_PER_READ);
        let mut reply: Reply = call.run().await?;
        let (mut ends, mut moves) = (reply.list()?, reply.list()?);
        let mut changes = Changes::default();
        while !ends.is_done() {
            let (member, at) = (ends.bytes()?, ends.time()?);
            cursor.ended = at;
            changes.ended.push(session_end(event, &member, at)?);
        }
        while !moves.is_done() {
            let (member, at) = (moves.bytes()?, moves.time()?);
            cursor.moved = at;
            let (fan, generation) = split_fan(&member)?;
            let generation = parsed(generation)?;
            changes.moved.push(Moved { fan, generation });
        }
        changes.is_cut = changes.ended.len().max(changes.moved.len()) >= MAX_CHANGES_PER_READ;
        Ok(changes)
    }
}

/// How far an edge has read an event's changes. The default is: nothing yet.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cursor {
    ended: Timestamp,
    moved: Timestamp,
}

#[derive(Clone, Debug, Default)]
pub struct Changes {
    pub ended: Vec<SessionEnd>,
    pub moved: Vec<Moved>,
    /// There is more: read again at once.
    pub is_cut: bool,
}

/// A session whose access token is no longer to be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionEnd {
    pub session: SessionId,
    pub fan: FanId,
    pub lane: Lane,
    pub number: Number,
    pub at: Timestamp,
}

/// A place that moved to another device: older generations are to let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    pub fan: FanId,
    pub generation: u32,
}

fn session_end(event: EventId, member: &[u8], at: Timestamp) -> Read<SessionEnd> {
    let (fan, pass) = split_fan(member)?;
    let (number, lane) = pass.split_once(':').unwrap_or_default();
    let (number, lane) = (Number(parsed(number)?), parsed(lane)?);
    Ok(SessionEnd {
        session: SessionId::of(event, &lane, number),
        fan,
        lane,
        number,
        at,
    })
}

fn split_fan(member: &[u8]) -> Read<(FanId, &str)> {
    let (fan, rest) = member.split_at(member.len().min(16));
    Ok((fan_of(fan)?, std::str::from_utf8(rest).unwrap_or_default()))
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

/// The sessions that are over, as an edge knows them: a revocation bites within
/// a tick without a read per request. Bounded by what Redis remembers.
#[derive(Debug, Default)]
pub struct EndedSessions(HashMap<SessionId, Timestamp>);

impl EndedSessions {
    pub fn take_in(&mut self, ended: &[SessionEnd]) {
        for end in ended {
            self.0.insert(end.session, end.at);
        }
    }

    pub fn contains(&self, session: &SessionId) -> bool {
        self.0.contains_key(session)
    }

    /// Forgets ends so old that no access token of theirs can be alive.
    pub fn forget_before(&mut self, time: Timestamp) {
        self.0.retain(|_, at| *at >= time);
    }
}
