//! What operators, doors and payment providers ask of the recorded orders: thin
//! calls, so that who serves them over HTTP knows no SQL.

use std::collections::HashMap;

use sqlx::Error;
use usher_base::signing::SigningKeys;
use usher_base::{EventId, OrderId, Timestamp};

use super::{Bill, Order, Orders};
use crate::holds::TrailEntry;
use crate::payments::Notice;
use crate::pg::audit::{self, Entry, Logged};
use crate::pg::notices::{self, Taken};
use crate::pg::read::{self, Search, SearchError};
use crate::pg::store::{self, StoredEvent};
use crate::pg::tickets::{self, Arrivals, TicketRow};
use crate::pg::views::{self, SalesMinute};
use crate::tickets::{CheckIn, Door, OfflineScan, Scan, TicketNumber};
use usher_base::redis::CallError;

impl Orders {
    /// One page of the orders looked for, oldest first.
    pub async fn search(&self, wanted: &Search) -> Result<Vec<Order>, SearchError> {
        read::search(&self.pool, wanted).await
    }

    /// To whom these orders were billed, for those who look orders up.
    pub async fn bills(&self, orders: &[OrderId]) -> Result<HashMap<OrderId, Bill>, Error> {
        read::bills(&self.pool, orders).await
    }

    /// What of an event was sold in each minute since.
    pub async fn sales(&self, event: EventId, since: Timestamp) -> Result<Vec<SalesMinute>, Error> {
        views::sales(&self.pool, event, since).await
    }

    /// A page of what happened to an event's orders.
    pub async fn ledger(
        &self,
        event: EventId,
        after: i64,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, Error> {
        store::page(&self.pool, event, after, limit).await
    }

    /// A page of what happened to an event's holds: no proof.
    pub async fn trail(
        &self,
        event: EventId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<TrailEntry>, CallError> {
        self.holds.trail(event, after, limit).await
    }

    /// A page of the audit log, newest first.
    pub async fn audit(
        &self,
        subject: Option<&str>,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Logged>, Error> {
        audit::page(&self.pool, subject, before, limit).await
    }

    /// Writes down what an operator did.
    pub async fn log(&self, entry: Entry) -> Result<(), Error> {
        audit::write(&self.pool, entry).await
    }

    /// A scan at the door.
    pub async fn scan(
        &self,
        (keys, event): (&SigningKeys, EventId),
        code: &str,
        door: &Door,
        at: Timestamp,
    ) -> Result<Scan, Error> {
        self.check_in(keys, event).scan(code, door, at).await
    }

    /// Scans that a door made without network, in their order.
    pub async fn bring_in(
        &self,
        (keys, event): (&SigningKeys, EventId),
        scans: &[OfflineScan],
    ) -> Result<Vec<Scan>, Error> {
        self.check_in(keys, event).bring_in(scans).await
    }

    fn check_in<'a>(&'a self, keys: &'a SigningKeys, event: EventId) -> CheckIn<'a> {
        CheckIn {
            pool: &self.pool,
            keys,
            event,
        }
    }

    /// A page of the list that a door takes along, by number.
    pub async fn door_list(
        &self,
        event: EventId,
        after: Option<&TicketNumber>,
        limit: u32,
    ) -> Result<Vec<TicketRow>, Error> {
        tickets::door_list(&self.pool, event, after, limit).await
    }

    /// How many of an event's tickets were used, of how many that are good.
    pub async fn arrivals(&self, event: EventId) -> Result<Arrivals, Error> {
        tickets::arrivals(&self.pool, event).await
    }

    /// Takes a provider's webhook once; the reconciler looks at its order next.
    pub async fn take_notice(&self, notice: &Notice) -> Result<Taken, Error> {
        notices::take(&self.pool, self.provider.name(), notice).await
    }

    /// The provider in force, as in `/webhooks/{provider}`.
    pub fn provider(&self) -> &'static str {
        self.provider.name()
    }

    /// Forgets webhooks that no provider sends again.
    pub async fn prune_notices(&self) -> Result<u64, Error> {
        notices::prune(&self.pool).await
    }
}
