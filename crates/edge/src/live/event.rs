//! One event on this edge: its newest view, who is connected, and what ended.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::watch;
use usher_admission::Status;
use usher_base::redis::CallError;
use usher_base::{EventId, FanId, Lane, Timestamp};
use usher_booking::catalog::OnSale;
use usher_booking::inventory::SeatBits;
use usher_queue::{Changes, Cursor, EndedSessions, LaneDoor, Line, Place, QueueClaims, SessionId};

use crate::shop::ReadKeys;

use super::connected::{Connected, Connection};
use super::lookups::Lookups;
use super::picture::{Picture, PictureOfSeats};
use super::polling;
use super::restored::Restored;
use super::streams::{Held, Streams};
use super::view::EventView;

pub struct LiveEvent {
    pub id: EventId,
    /// As they were set up at the last tick.
    doors: ArcSwap<Vec<LaneDoor>>,
    /// The keys of the shop that vouches for fans.
    pub(crate) shop: ArcSwapOption<ReadKeys>,
    pub(super) stock: watch::Sender<Option<Arc<StockView>>>,
    picture: PictureOfSeats,
    pub(super) status: ArcSwapOption<Status>,
    pub(super) view: watch::Sender<Option<Arc<EventView>>>,
    pub(super) connected: Arc<Connected>,
    streams: Arc<Streams>,
    /// Whether Redis was told last that somebody is here.
    says_somebody: AtomicBool,
    lookups: Lookups,
    pub restored: Restored,
    over: Mutex<Over>,
}

/// What there is to be had; the same one as long as nothing changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockView {
    /// The tick that saw it first.
    pub at: Timestamp,
    pub seats: SeatBits,
    /// Places left in each standing tier.
    pub places_left: Vec<u32>,
}

impl StockView {
    pub(super) fn is_like(&self, other: &Self) -> bool {
        (&self.seats, &self.places_left) == (&other.seats, &other.places_left)
    }

    pub fn free(&self) -> u64 {
        let places = self.places_left.iter().map(|left| u64::from(*left));
        u64::from(self.seats.counts().available) + places.sum::<u64>()
    }
}

/// Moved places remembered; they are told for a minute, and streams act on it.
const MAX_REMEMBERED_MOVES: usize = 100_000;

/// What may no longer be honoured, read once a tick.
#[derive(Default)]
struct Over {
    cursor: Cursor,
    ended: EndedSessions,
    /// The newest generation of places that moved to another device.
    generations: HashMap<FanId, u32>,
}

impl LiveEvent {
    pub(super) fn start(line: &Line, id: EventId, doors: Vec<LaneDoor>) -> Self {
        Self {
            id,
            doors: ArcSwap::from_pointee(doors),
            shop: ArcSwapOption::empty(),
            stock: watch::channel(None).0,
            picture: PictureOfSeats::default(),
            status: ArcSwapOption::empty(),
            view: watch::channel(None).0,
            connected: Arc::default(),
            streams: Arc::default(),
            says_somebody: AtomicBool::default(),
            lookups: Lookups::start(line.clone(), id),
            restored: Restored::default(),
            over: Mutex::default(),
        }
    }

    /// The lanes, `main` first.
    pub fn lanes(&self) -> Vec<Lane> {
        let doors = self.doors.load();
        doors.iter().map(|door| door.lane.clone()).collect()
    }

    pub fn lanes_besides(&self, lane: &Lane) -> Vec<Lane> {
        let mut others = self.lanes();
        others.retain(|other| other != lane);
        others
    }

    pub fn door(&self, lane: &Lane) -> Option<LaneDoor> {
        let doors = self.doors.load();
        doors.iter().find(|door| door.lane == *lane).cloned()
    }

    /// An operator may add lanes and shut doors while the event runs.
    pub(super) fn follow_doors(&self, doors: &[LaneDoor]) {
        if !doors.is_empty() && self.doors.load().as_slice() != doors {
            self.doors.store(Arc::new(doors.to_vec()));
        }
    }

    pub fn opens_at(&self) -> Option<Timestamp> {
        self.view()?.board().state.schedule.opens_at
    }

    /// The newest view; `None` until the first tick was read.
    pub fn view(&self) -> Option<Arc<EventView>> {
        self.view.borrow().clone()
    }

    /// The seat map as it is sent, once a tick was read.
    pub fn picture(&self, on_sale: &Arc<OnSale>) -> Option<Arc<Picture>> {
        Some(self.picture.of(on_sale, &self.stock()?))
    }

    /// Seats and standing places as of the last tick.
    pub fn stock(&self) -> Option<Arc<StockView>> {
        self.stock.borrow().clone()
    }

    pub fn watch_stock(&self) -> watch::Receiver<Option<Arc<StockView>>> {
        self.stock.subscribe()
    }

    /// What the leader said last.
    pub fn status(&self) -> Option<Arc<Status>> {
        self.status.load_full()
    }

    pub fn watch(&self) -> watch::Receiver<Option<Arc<EventView>>> {
        self.view.subscribe()
    }

    /// Counts a stream as presence until the guard is dropped.
    pub fn connect(&self, claims: &QueueClaims) -> Option<Connection> {
        let number = claims.number?;
        Some(self.connected.open(&claims.lane, number))
    }

    /// Makes this the fan's only stream here; one that was open before ends.
    pub fn take_over(&self, fan: FanId) -> Held {
        self.streams.take(fan)
    }

    /// Counts a poll as presence for a while.
    pub fn polled(&self, claims: &QueueClaims, now: Timestamp) {
        if let Some(number) = claims.number {
            self.connected.polled(&claims.lane, number, now);
        }
    }

    /// When a fan without a stream shall ask again.
    pub fn poll_after(&self, ahead: Option<u32>) -> Duration {
        polling::after(ahead, self.connected.pollers(), rand::random())
    }

    /// Asks Redis where one fan stands, together with others who ask now.
    pub async fn look_up(&self, lane: &Lane, fan: FanId) -> Result<Place, CallError> {
        self.lookups.place(lane, fan).await
    }

    pub fn has_ended(&self, session: &SessionId) -> bool {
        self.over().ended.contains(session)
    }

    /// Whether the place moved to another device after this token was made.
    pub fn was_moved(&self, claims: &QueueClaims) -> bool {
        let over = self.over();
        let newest = over.generations.get(&claims.sub);
        newest.is_some_and(|newest| *newest > claims.generation)
    }

    pub(super) fn said_somebody(&self) -> bool {
        self.says_somebody.load(Ordering::Relaxed)
    }

    pub(super) fn note_said(&self, somebody: bool) {
        self.says_somebody.store(somebody, Ordering::Relaxed);
    }

    pub(super) fn cursor(&self) -> Cursor {
        self.over().cursor
    }

    pub(super) fn take_in(&self, changes: &Changes, cursor: Cursor, forget_before: Timestamp) {
        let mut over = self.over();
        over.cursor = cursor;
        over.ended.take_in(&changes.ended);
        over.ended.forget_before(forget_before);
        if over.generations.len() > MAX_REMEMBERED_MOVES {
            over.generations.clear();
        }
        for moved in &changes.moved {
            over.generations.insert(moved.fan, moved.generation);
        }
    }

    fn over(&self) -> std::sync::MutexGuard<'_, Over> {
        self.over.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
