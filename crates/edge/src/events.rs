//! An event as a whole: catalog, line, inventory and policy together, which no
//! library knows. Creating an event and restoring one after a loss of Redis are
//! the same thing: writing into Redis what Postgres says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rand::Rng as _;
use tokio::sync::Semaphore;
use usher_admission::{Policies, PolicyChangeError};
use usher_base::redis::{CallError, Hint, HintKind, Redis};
use usher_base::{EventId, Timestamp};
use usher_booking::catalog::pg::{CatalogError, Found, Search};
use usher_booking::catalog::{Catalog, CatalogStore, DraftError, Event, EventDraft, EventPatch};
use usher_booking::holds::{Holds, RebuildError};
use usher_booking::inventory::SeatIndex;
use usher_booking::pg::InventoryError;
use usher_booking::pg::totals::Totals;
use usher_queue::pg::{LineRow, NewLine, Store as LineStore, StoreError};
use usher_queue::{Line, Phase, Settled, Setup, SetupPatch};

/// The report of the stock does not wait longer for Postgres.
const SOLD_WITHIN: Duration = Duration::from_millis(500);

#[derive(Debug, thiserror::Error)]
pub enum EventError {
    #[error(transparent)]
    Draft(#[from] DraftError),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Line(#[from] StoreError),
    #[error(transparent)]
    Inventory(#[from] InventoryError),
    #[error(transparent)]
    Rebuild(#[from] RebuildError),
    #[error(transparent)]
    Policy(#[from] PolicyChangeError),
    #[error(transparent)]
    Redis(#[from] CallError),
    #[error("This is no description of a line: {0}.")]
    LineForm(#[from] serde_json::Error),
    #[error("The line of this event is {0}; only a draft, scheduled or closed one can be deleted.")]
    LineInTheWay(Phase),
    #[error("{0} tickets of this event are held at this moment; try again when they are free.")]
    HoldsInTheWay(u64),
    #[error("a newer restoration of the event is under way")]
    Overtaken,
}

/// Where each part of an event is durable.
pub struct EventStores {
    pub catalog: CatalogStore,
    /// The same for the report of the stock, which does not wait for answers.
    pub sold: CatalogStore,
    pub lines: LineStore,
    pub policies: Policies,
}

/// A change that took effect.
pub struct Changed {
    pub event: Event,
    /// Seats that were to be blocked and are held by fans just now.
    pub held: Vec<SeatIndex>,
}

pub struct Events {
    store: CatalogStore,
    redis: Redis,
    line: Line,
    lines: LineStore,
    holds: Holds,
    catalog: Catalog,
    policies: Policies,
    replicated: bool,
    known: RwLock<BTreeMap<EventId, Size>>,
    sold_store: CatalogStore,
    /// One look at what is sold at a time.
    looking: Arc<Semaphore>,
    /// As Postgres said last: while it is away, nothing more is sold.
    sold: RwLock<BTreeMap<EventId, Totals>>,
}

/// What there is to sell of one event.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub seats: u32,
    pub tiers: u16,
    /// Seats and standing places, without the blocked ones.
    pub for_sale: u64,
}

impl Size {
    fn of(event: &Event) -> Self {
        Self {
            seats: event.seat_count,
            tiers: event.tier_count(),
            for_sale: u64::from(event.places()).saturating_sub(event.blocked.len() as u64),
        }
    }
}

impl Events {
    pub fn new(stores: EventStores, line: Line, catalog: Catalog, replicated: bool) -> Self {
        let redis = line.redis().clone();
        Self {
            store: stores.catalog,
            sold_store: stores.sold,
            looking: Arc::new(Semaphore::new(1)),
            lines: stores.lines,
            policies: stores.policies,
            holds: Holds::new(redis.clone()),
            known: RwLock::default(),
            sold: RwLock::default(),
            redis,
            line,
            catalog,
            replicated,
        }
    }

    /// The events found by the last discovery.
    pub fn known(&self) -> Vec<EventId> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.keys().copied().collect()
    }

    pub fn size(&self, event: EventId) -> Option<Size> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&event).copied()
    }

    pub async fn sold(&self, event: EventId) -> Result<Totals, EventError> {
        Ok(self.store.sold(event).await?)
    }

    /// Reads how much is sold, to be remembered; false when Postgres does not answer
    /// in time. A look that takes longer goes on: given up and begun anew each second,
    /// looks would take one connection after the other.
    pub async fn look_at_sold(self: &Arc<Self>, event: EventId) -> bool {
        let Ok(only_one) = Arc::clone(&self.looking).try_acquire_owned() else {
            return false;
        };
        let events = Arc::clone(self);
        let look = tokio::spawn(async move {
            let _only_one = only_one;
            let Ok(sold) = events.sold_store.sold(event).await else {
                return false;
            };
            let mut known = events.sold.write().unwrap_or_else(PoisonError::into_inner);
            known.insert(event, sold);
            true
        });
        matches!(tokio::time::timeout(SOLD_WITHIN, look).await, Ok(Ok(true)))
    }

    pub fn last_sold(&self, event: EventId) -> Option<Totals> {
        let known = self.sold.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&event).copied()
    }

    /// Reads from Postgres which events there are.
    pub async fn discover(&self) -> Result<(), EventError> {
        let events = self.store.all().await?;
        let ids = events
            .into_iter()
            .map(|event| (event.id, Size::of(&event)))
            .collect();
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = ids;
        Ok(())
    }

    /// Places that nobody has bought.
    pub async fn left(&self, event: EventId) -> Result<u64, EventError> {
        let for_sale = self.size(event).map_or(0, |size| size.for_sale);
        Ok(for_sale.saturating_sub(self.sold(event).await?.tickets))
    }

    pub async fn slug(&self, event: EventId) -> Result<String, EventError> {
        Ok(self.get(event).await?.slug)
    }

    /// Creates an event from what an operator wrote, and opens its memory.
    pub async fn create(
        &self,
        mut draft: EventDraft,
        now: Timestamp,
    ) -> Result<EventId, EventError> {
        let setup = setup_of(draft.line.take())?;
        let draft = draft.check(EventId::new(now))?;
        let event = draft.event.id;
        self.store.create(&draft).await?;
        let line = NewLine { event, setup };
        self.lines.create_line(&line).await?;
        self.restore(event, now).await?;
        self.publish(event).await?;
        self.discover().await?;
        Ok(event)
    }

    pub async fn get(&self, event: EventId) -> Result<Event, EventError> {
        Ok(self.store.get(event).await?)
    }

    pub async fn line(&self, event: EventId) -> Result<LineRow, EventError> {
        Ok(self.lines.line(event).await?)
    }

    /// Changes how the line is set up; edges hear of it at once.
    pub async fn set_up(&self, event: EventId, patch: SetupPatch) -> Result<(), EventError> {
        let row = self.lines.set_up(event, patch).await?;
        self.lines.mirror(&self.line, &row).await?;
        let kind = HintKind::Changed;
        // A hint that is lost costs a tick.
        let _ = self.redis.hint(Hint { event, kind }).await;
        Ok(())
    }

    pub async fn search(&self, wanted: &Search) -> Result<Found, EventError> {
        Ok(self.store.search(wanted).await?)
    }

    /// Changes an event, also while it is on sale. Repeating a change whose end
    /// was not heard finishes it.
    pub async fn change(&self, event: EventId, patch: EventPatch) -> Result<Changed, EventError> {
        let done = self.store.patch(event, patch).await?;
        let held = self
            .holds
            .stock(event, &done.block, &done.unblock, &done.capacities)
            .await?;
        self.publish(event).await?;
        self.discover().await?;
        Ok(Changed {
            event: done.event,
            held,
        })
    }

    /// Takes an event away that nobody ordered from, holds or waits for. Its
    /// memory is closed first, so that nobody takes a seat while this is looked
    /// at. A repeat finishes a deletion that Redis has not heard of.
    pub async fn delete(&self, event: EventId) -> Result<(), EventError> {
        self.check_line(event).await?;
        if !self.redis.begin_rebuild(event).await? {
            return Err(EventError::Overtaken);
        }
        let deleted = self.delete_closed(event).await;
        match deleted {
            Ok(()) | Err(EventError::Catalog(CatalogError::NotFound)) => {
                self.forget(event).await?;
            }
            // Nothing of its memory was touched.
            Err(_) => self.redis.open_rebuilt(event, self.replicated).await?,
        }
        deleted
    }

    async fn check_line(&self, event: EventId) -> Result<(), EventError> {
        match self.lines.line(event).await?.phase {
            Phase::Draft | Phase::Scheduled | Phase::Closed => Ok(()),
            phase => Err(EventError::LineInTheWay(phase)),
        }
    }

    async fn delete_closed(&self, event: EventId) -> Result<(), EventError> {
        // Again: it may have opened just before its memory was closed.
        self.check_line(event).await?;
        let known = self.store.get(event).await?;
        // What is sold is in the way anyway, and is told as such.
        if self.sold(event).await?.tickets == 0 {
            let held = self.held(&known).await?;
            if held > 0 {
                return Err(EventError::HoldsInTheWay(held));
            }
        }
        Ok(self.store.delete(event).await?)
    }

    async fn forget(&self, event: EventId) -> Result<(), EventError> {
        let line = self.lines.line(event).await?;
        self.lines.retire(event).await?;
        self.catalog.unpublish(event).await?;
        self.discover().await?;
        let lanes: Vec<_> = line.lanes.into_iter().map(|of| of.setup.lane).collect();
        self.line.unlink(event, &lanes).await?;
        self.policies.unlink(event).await?;
        Ok(self.redis.let_go(event).await?)
    }

    /// Places held of an event that has sold none.
    async fn held(&self, event: &Event) -> Result<u64, EventError> {
        let seats = self.holds.seats(event.id, event.seat_count).await?;
        let seats = seats.map_or(0, |bits| bits.counts().held);
        let left = self.holds.places_left(event.id, event.tier_count()).await?;
        let left = left.iter().sum::<u32>();
        let standing = event.tiers.iter().map(|tier| tier.capacity).sum::<u32>();
        Ok(u64::from(seats + standing.saturating_sub(left)))
    }

    /// Lets people join.
    pub async fn open_line(&self, event: EventId) -> Result<(), EventError> {
        let opened = self.lines.change_phase(&self.line, event, Phase::Open);
        Ok(opened.await?)
    }

    /// Writes into Redis what Postgres knows of the event, and opens its memory.
    pub async fn restore(&self, event: EventId, now: Timestamp) -> Result<(), EventError> {
        if !self.redis.begin_rebuild(event).await? {
            return Err(EventError::Overtaken);
        }
        let known = self.get(event).await?;
        let orders = self.store.orders(event).await?;
        let run = rand::rng().next_u64();
        self.holds
            .rebuild(event, &known.stock(), &orders, run)
            .await?;
        self.lines.rebuild(&self.line, event, now).await?;
        self.policies.restore(event).await?;
        self.redis.open_rebuilt(event, self.replicated).await?;
        Ok(())
    }

    /// Shows all events to the roles without Postgres.
    pub async fn publish_catalog(&self) -> Result<(), EventError> {
        for event in self.known() {
            self.publish(event).await?;
        }
        Ok(())
    }

    async fn publish(&self, event: EventId) -> Result<(), EventError> {
        let known = self.get(event).await?;
        let layout = self.store.layout_of(&known).await?;
        Ok(self.catalog.publish(&known, layout.as_ref()).await?)
    }
}

/// How a new event's line is set up: as its description says, the rest as usual.
fn setup_of(form: Option<serde_json::Value>) -> Result<Setup, EventError> {
    let patch: SetupPatch =
        form.map_or_else(|| Ok(SetupPatch::default()), serde_json::from_value)?;
    let nothing_yet = Settled {
        phase: Phase::Draft,
        drawn: BTreeSet::new(),
    };
    let setup = patch.apply(&Setup::default(), &nothing_yet);
    Ok(setup.map_err(StoreError::from)?)
}
