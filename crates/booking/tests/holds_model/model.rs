//! The reference: an event's inventory as plain maps, written for clarity.
//! Deadlines are judged eagerly, and what is taken is worked out from the
//! holds each time, so that it shares no idea with the scripts.

use std::collections::{BTreeMap, BTreeSet};

use usher_base::redis::CallError;
use usher_base::{FanId, OrderId, ReservationId, Timestamp};
use usher_booking::holds::{
    Hold, HoldChange, HoldError, HoldRequest, HoldRules, HoldTag, LiveOrder, LiveOrderState,
    MAX_EARNING_ATTEMPTS, Pinned, ReservationStatus, Settled, SoldOrder, Stock, Unpin, Unpinned,
};
use usher_booking::inventory::{SeatIndex, SeatStatus, TierIndex};

#[derive(Clone)]
struct Entry {
    hold: Hold,
    tag: HoldTag,
    extended_by: Option<HoldTag>,
    /// Seats that are still its own.
    own: BTreeSet<SeatIndex>,
}

pub struct Model {
    pub now: Timestamp,
    stock: Stock,
    blocked: BTreeSet<SeatIndex>,
    holds: BTreeMap<ReservationId, Entry>,
    /// `None`: went back on sale.
    sold: BTreeMap<OrderId, Option<SoldOrder>>,
    failed: BTreeSet<OrderId>,
}

impl Model {
    pub fn new(stock: Stock, now: Timestamp) -> Self {
        let blocked = stock.blocked.iter().copied().collect();
        Self {
            now,
            stock,
            blocked,
            holds: BTreeMap::new(),
            sold: BTreeMap::new(),
            failed: BTreeSet::new(),
        }
    }

    /// What the catalog and the orders in Postgres say, from which Redis is rebuilt:
    /// what is paid, and what is being paid and has all its seats. The orders of the
    /// first so many pinned holds never got there.
    pub fn in_postgres(&self, unrecorded: usize) -> (Stock, Vec<LiveOrder>) {
        let stock = Stock {
            blocked: self.blocked.iter().copied().collect(),
            ..self.stock.clone()
        };
        let pending = self.pending().skip(unrecorded).filter_map(|e| {
            Some(LiveOrder {
                order: e.hold.order?,
                reservation: e.hold.id,
                fan: e.hold.fan,
                selection: e.hold.selection.clone(),
                state: LiveOrderState::Pending { since: self.now },
            })
        });
        let paid = self.sales().map(|sold| LiveOrder {
            order: sold.order,
            reservation: sold.reservation,
            fan: sold.fan,
            selection: sold.selection.clone(),
            state: LiveOrderState::Paid,
        });
        let orders = pending.chain(paid).collect();
        (stock, orders)
    }

    fn pending(&self) -> impl Iterator<Item = &Entry> {
        self.live().filter(|e| {
            let whole = e.own.len() == e.hold.selection.seats().len();
            whole && e.hold.status == ReservationStatus::Committing
        })
    }

    /// Everything is forgotten but what Postgres says.
    pub fn rebuild(&mut self, live: &[LiveOrder]) {
        let anew = |e: &Entry| Entry {
            hold: Hold {
                created_at: self.now,
                expires_at: self.now,
                ends_at: self.now,
                extensions_remaining: 0,
                attempts: 1,
                ..e.hold.clone()
            },
            // Whoever asked for it, it was in another memory.
            tag: HoldTag::of(b"forgotten"),
            extended_by: None,
            own: e.own.clone(),
        };
        let is_known = |e: &&Entry| live.iter().any(|order| e.hold.order == Some(order.order));
        let pending = self.pending().filter(is_known);
        self.holds = pending.map(|e| (e.hold.id, anew(e))).collect();
        self.sold.retain(|_, sold| sold.is_some());
        self.failed.clear();
    }

    pub fn capacity(&self, tier: TierIndex) -> u32 {
        self.stock.tiers[usize::from(tier.0)]
    }

    pub fn advance(&mut self, to: Timestamp) {
        self.now = to;
        for entry in self.holds.values_mut() {
            let held = entry.hold.status == ReservationStatus::Held;
            if held && entry.hold.expires_at <= to {
                entry.become_(HoldChange::DeadlinePasses);
            }
        }
    }

    fn live(&self) -> impl Iterator<Item = &Entry> {
        self.holds.values().filter(|e| e.hold.status.is_live())
    }

    fn sales(&self) -> impl Iterator<Item = &SoldOrder> {
        self.sold.values().flatten()
    }

    pub fn status(&self, seat: SeatIndex) -> SeatStatus {
        if seat.0 >= self.stock.seats || self.blocked.contains(&seat) {
            SeatStatus::Blocked
        } else if self.sales().any(|s| s.selection.seats().contains(&seat)) {
            SeatStatus::Booked
        } else if self.live().any(|e| e.own.contains(&seat)) {
            SeatStatus::Held
        } else {
            SeatStatus::Available
        }
    }

    pub fn taken(&self, tier: TierIndex) -> u32 {
        let live = self.live().flat_map(|e| e.hold.selection.tiers());
        let sold = self.sales().flat_map(|s| s.selection.tiers());
        live.chain(sold)
            .filter(|(t, _)| *t == tier)
            .map(|(_, n)| n)
            .sum()
    }

    pub fn places_left(&self) -> Vec<u32> {
        let left = |(tier, capacity): (u16, &u32)| capacity - self.taken(TierIndex(tier));
        (0..).zip(&self.stock.tiers).map(left).collect()
    }

    pub fn tickets_of(&self, fan: FanId) -> u32 {
        let live = self.live().filter(|e| e.hold.fan == fan);
        let sold = self.sales().filter(|s| s.fan == fan);
        live.map(|e| e.hold.selection.tickets()).sum::<u32>()
            + sold.map(|s| s.selection.tickets()).sum::<u32>()
    }

    pub fn holds(&self) -> impl Iterator<Item = &Hold> {
        self.holds.values().map(|e| &e.hold)
    }

    /// Orders that nobody may commit any more.
    pub fn decided(&self) -> BTreeSet<OrderId> {
        self.sold.keys().chain(&self.failed).copied().collect()
    }

    pub fn committing(&self) -> BTreeSet<(OrderId, ReservationId)> {
        let pinned = |e: &Entry| Some((e.hold.order?, e.hold.id));
        self.live()
            .filter(|e| e.hold.status == ReservationStatus::Committing)
            .filter_map(pinned)
            .collect()
    }

    /// Whether Postgres would let this order be paid: its seats are nobody
    /// else's who paid, and there is room.
    pub fn may_be_paid(&self, order: &SoldOrder) -> bool {
        let others = || self.sales().filter(|s| s.order != order.order);
        let seats_free = !others().any(|s| {
            let mut seats = s.selection.seats().iter();
            seats.any(|seat| order.selection.seats().contains(seat))
        });
        let own = self.live().any(|e| e.hold.order == Some(order.order));
        let room = |(tier, count): &(TierIndex, u32)| {
            own || self.taken(*tier) + count <= self.stock.tiers[usize::from(tier.0)]
        };
        seats_free && order.selection.tiers().iter().all(room)
    }

    pub fn hold(&mut self, ask: &HoldRequest, rules: &HoldRules) -> Result<Hold, HoldError> {
        if let Some(known) = self.holds.get(&ask.id) {
            let hold = known.hold.clone();
            return match () {
                () if hold.fan != ask.fan || known.tag != ask.tag => Err(HoldError::AnotherRequest),
                () if hold.status.is_live() => Ok(hold),
                () => Err(HoldError::Ended(Box::new(hold))),
            };
        }
        let (asked, has) = (ask.selection.tickets(), self.tickets_of(ask.fan));
        if asked > rules.tickets_per_order {
            let limit = rules.tickets_per_order;
            return Err(HoldError::OrderLimit { limit });
        }
        if has + asked > rules.tickets_per_fan {
            let limit = rules.tickets_per_fan;
            return Err(HoldError::FanLimit { limit, has });
        }
        let free = |seat: &&SeatIndex| self.status(**seat) != SeatStatus::Available;
        let seats: Vec<_> = ask.selection.seats().iter().filter(free).copied().collect();
        let full = |(tier, count): &&(TierIndex, u32)| {
            let capacity = self.stock.tiers.get(usize::from(tier.0));
            self.taken(*tier) + count > capacity.copied().unwrap_or(0)
        };
        let tiers: Vec<_> = ask.selection.tiers().iter().filter(full).collect();
        let tiers: Vec<_> = tiers.into_iter().map(|(tier, _)| *tier).collect();
        if !(seats.is_empty() && tiers.is_empty()) {
            return Err(HoldError::Unavailable { seats, tiers });
        }
        let hold = Hold {
            id: ask.id,
            fan: ask.fan,
            status: ReservationStatus::Held,
            selection: ask.selection.clone(),
            created_at: self.now,
            expires_at: self.now.plus(ask.ttl.min(rules.longest)),
            ends_at: self.now.plus(rules.longest),
            extensions_remaining: rules.extensions,
            attempts: 0,
            order: None,
        };
        let entry = Entry {
            own: ask.selection.seats().iter().copied().collect(),
            hold: hold.clone(),
            tag: ask.tag,
            extended_by: None,
        };
        self.holds.insert(ask.id, entry);
        Ok(hold)
    }

    fn of_fan(&mut self, id: ReservationId, fan: FanId) -> Result<&mut Entry, HoldError> {
        let entry = self.holds.get_mut(&id).filter(|e| e.hold.fan == fan);
        entry.ok_or(HoldError::NotFound)
    }

    pub fn extend(
        &mut self,
        id: ReservationId,
        fan: FanId,
        tag: HoldTag,
        rules: &HoldRules,
    ) -> Result<Hold, HoldError> {
        let entry = self.of_fan(id, fan)?;
        let boxed = Box::new(entry.hold.clone());
        if entry.hold.status == ReservationStatus::Committing {
            return Err(HoldError::Committing(boxed));
        }
        if entry.hold.status != ReservationStatus::Held {
            return Err(HoldError::Ended(boxed));
        }
        if entry.extended_by == Some(tag) {
            return Ok(entry.hold.clone());
        }
        let hold = &mut entry.hold;
        if hold.extensions_remaining == 0 || hold.expires_at >= hold.ends_at {
            return Err(HoldError::NoExtensionLeft(boxed));
        }
        hold.expires_at = hold.expires_at.plus(rules.extension).min(hold.ends_at);
        hold.extensions_remaining -= 1;
        entry.extended_by = Some(tag);
        entry.become_(HoldChange::Extend);
        Ok(entry.hold.clone())
    }

    pub fn release(&mut self, id: ReservationId, fan: FanId) -> Result<Hold, HoldError> {
        self.of_fan(id, fan)?.end(HoldChange::Release)
    }

    pub fn cancel(&mut self, id: ReservationId) -> Result<Hold, HoldError> {
        let entry = self.holds.get_mut(&id).ok_or(HoldError::NotFound)?;
        entry.end(HoldChange::Cancel)
    }

    pub fn commit(
        &mut self,
        id: ReservationId,
        fan: FanId,
        order: OrderId,
    ) -> Result<Pinned, HoldError> {
        let decided = self.failed.contains(&order) || self.sold.contains_key(&order);
        let entry = self.of_fan(id, fan)?;
        let boxed = Box::new(entry.hold.clone());
        let same = entry.hold.order == Some(order);
        match entry.hold.status {
            ReservationStatus::Committing if same => Ok(Pinned {
                hold: *boxed,
                repeated: true,
            }),
            ReservationStatus::Committing => Err(HoldError::Committing(boxed)),
            ReservationStatus::Held if decided => Err(HoldError::OrderOver(boxed)),
            ReservationStatus::Held => {
                entry.hold.order = Some(order);
                entry.hold.attempts += 1;
                entry.become_(HoldChange::Commit);
                let hold = entry.hold.clone();
                Ok(Pinned {
                    hold,
                    repeated: false,
                })
            }
            _ => Err(HoldError::Ended(boxed)),
        }
    }

    pub fn settle(&mut self, sold: &SoldOrder) -> Settled {
        match self.sold.get(&sold.order) {
            Some(Some(_)) => return Settled::Already,
            Some(None) => return Settled::Over,
            None => {}
        }
        let seats = sold.selection.seats();
        let own = self.holds.get_mut(&sold.reservation).filter(|e| {
            e.hold.order == Some(sold.order) && e.hold.status.after(HoldChange::Settle).is_some()
        });
        let settled = if let Some(entry) = own {
            entry.become_(HoldChange::Settle);
            Settled::Now
        } else {
            Settled::Forced
        };
        for entry in self.holds.values_mut() {
            let met = seats.iter().any(|seat| entry.own.contains(seat));
            if met && entry.hold.status == ReservationStatus::Held {
                entry.become_(HoldChange::Cancel);
            }
            entry.own.retain(|seat| !seats.contains(seat));
        }
        self.blocked.retain(|seat| !seats.contains(seat));
        self.sold.insert(sold.order, Some(sold.clone()));
        settled
    }

    pub fn unpin(&mut self, order: OrderId, id: ReservationId, then: Unpin) -> Unpinned {
        self.failed.insert(order);
        let pinned = self.holds.get_mut(&id).filter(|e| {
            e.hold.order == Some(order) && e.hold.status == ReservationStatus::Committing
        });
        let Some(entry) = pinned else {
            return Unpinned::Already;
        };
        let Unpin::BackToFan(time) = then else {
            entry.become_(HoldChange::UnpinAndFree);
            return Unpinned::Freed(entry.hold.clone());
        };
        let hold = &mut entry.hold;
        if hold.attempts < MAX_EARNING_ATTEMPTS {
            hold.expires_at = hold.expires_at.max(self.now.plus(time));
        }
        if hold.expires_at <= self.now {
            entry.become_(HoldChange::UnpinTooLate);
            Unpinned::Freed(entry.hold.clone())
        } else {
            entry.become_(HoldChange::Unpin);
            Unpinned::Held(entry.hold.clone())
        }
    }

    pub fn restock(&mut self, order: OrderId, id: ReservationId) -> bool {
        match self.sold.insert(order, None) {
            Some(None) => return false,
            Some(Some(_)) => return true,
            None => {}
        }
        let pinned = self.holds.get_mut(&id).filter(|e| {
            e.hold.order == Some(order) && e.hold.status == ReservationStatus::Committing
        });
        if let Some(entry) = pinned {
            entry.become_(HoldChange::UnpinAndFree);
        }
        true
    }

    /// Returns the seats that could not be blocked.
    pub fn stock(
        &mut self,
        block: &[SeatIndex],
        unblock: &[SeatIndex],
        capacities: &[(TierIndex, u32)],
    ) -> Result<Vec<SeatIndex>, CallError> {
        for (tier, capacity) in capacities {
            self.stock.tiers[usize::from(tier.0)] = *capacity;
        }
        // The script looks at all seats before it changes one.
        let statuses: Vec<_> = unblock.iter().map(|s| (*s, self.status(*s))).collect();
        let mut busy = Vec::new();
        for seat in block {
            match self.status(*seat) {
                SeatStatus::Available => drop(self.blocked.insert(*seat)),
                SeatStatus::Held | SeatStatus::Booked => busy.push(*seat),
                SeatStatus::Blocked => {}
            }
        }
        for (seat, status) in statuses {
            if status == SeatStatus::Blocked {
                self.blocked.remove(&seat);
            }
        }
        Ok(busy)
    }
}

impl Entry {
    fn become_(&mut self, change: HoldChange) {
        self.hold.status = self.hold.status.after(change).unwrap();
        if !self.hold.status.is_live() {
            self.own.clear();
        }
    }

    fn end(&mut self, change: HoldChange) -> Result<Hold, HoldError> {
        match self.hold.status {
            ReservationStatus::Held => self.become_(change),
            ReservationStatus::Committing => {
                return Err(HoldError::Committing(Box::new(self.hold.clone())));
            }
            _ => {}
        }
        Ok(self.hold.clone())
    }
}
