//! Reading boards: one script an event and tick, however many fans are watched;
//! the newest is kept for everybody. Changes (ended sessions, moved places) are
//! a second read, also once a tick.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use usher_base::{EventId, Lane, Number, Timestamp};

use crate::bitmap::Bitmap;
use crate::board::Board;
use crate::draw::Announcement;
use crate::keys;
use crate::line::Line;
use crate::reply::{Read, Reply};
use crate::scripts;
use crate::state::{EventState, draw, event_state, field, read_meta};
use crate::wait::Outlook;

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
    /// What is public of a lottery's draw.
    pub draw: Option<Announcement>,
    /// As the leader announced it last.
    pub outlook: Option<Outlook>,
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
                draw: draw(&meta, lane)?,
                // A leader of another version may word it in another way: then nothing is told.
                outlook: field(&meta, &format!("outlook:{lane}")).ok().flatten(),
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
