//! Writes an event's inventory anew from what Postgres knows, after Redis may
//! have forgotten or when an event is first opened: pending orders become
//! committing holds, paid ones booked seats. Only while the event's state is
//! `rebuilding`; the app begins and opens.

use std::collections::{BTreeMap, HashMap};

use usher_base::redis::CallError;
use usher_base::{EventId, FanId, OrderId, ReservationId, Timestamp};

use super::record::{seats_text, tiers_text};
use super::store::{Holds, Reply};
use crate::inventory::{SeatBits, SeatIndex, SeatStatus, Selection, TierIndex};
use crate::scripts;

/// Pairs that one script call writes: about a millisecond of Redis.
const MAX_PAIRS_PER_CALL: usize = 1000;

/// What the catalog says is there to sell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stock {
    pub seats: u32,
    /// Not on sale.
    pub blocked: Vec<SeatIndex>,
    /// Capacity of each standing tier, by index.
    pub tiers: Vec<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiveOrderState {
    /// Begun then and not decided, or decided and not finished.
    Pending {
        since: Timestamp,
    },
    Paid,
}

/// An order that has its seats, as Postgres knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveOrder {
    pub order: OrderId,
    pub reservation: ReservationId,
    pub fan: FanId,
    pub selection: Selection,
    pub state: LiveOrderState,
}

/// What a rebuild wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rebuilt {
    pub seats: u32,
    pub booked_seats: u32,
    pub paid_orders: u32,
    pub pending_orders: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RebuildError {
    #[error("another rebuild of this event began meanwhile; leave it to that one")]
    Overtaken,
    #[error(transparent)]
    Call(#[from] CallError),
}

impl Holds {
    /// May be repeated; of two at once the later wins and the other is told.
    /// `run` names this rebuild: a fresh one each time.
    pub async fn rebuild(
        &self,
        event: EventId,
        stock: &Stock,
        orders: &[LiveOrder],
        run: u64,
    ) -> Result<Rebuilt, RebuildError> {
        let run = run.to_string();
        let memory = Memory::of(stock, orders);
        let begin = self.call(event, &scripts::REBUILD).arg(&run);
        begin
            .arg(memory.bits.bytes())
            .arg(capacities_text(&stock.tiers))
            .arg(tiers_text(&memory.taken()))
            .run::<Vec<String>>()
            .await?;
        let rebuilt = memory.summary(stock);
        for (target, pairs) in memory.into_pairs() {
            for chunk in pairs.chunks(2 * MAX_PAIRS_PER_CALL) {
                let fill = self.call(event, &scripts::REBUILD_FILL);
                let reply = Reply(fill.arg(&run).arg(target).arg(chunk).run().await?);
                if reply.is("overtaken") {
                    return Err(RebuildError::Overtaken);
                }
            }
        }
        Ok(rebuilt)
    }
}

fn capacities_text(capacities: &[u32]) -> String {
    let pair = |(tier, capacity): (u16, &u32)| (TierIndex(tier), *capacity);
    tiers_text(&(0..).zip(capacities).map(pair).collect::<Vec<_>>())
}

/// Everything that Redis has to know again, worked out before a byte is sent.
struct Memory {
    bits: SeatBits,
    booked_seats: u32,
    taken: BTreeMap<TierIndex, u32>,
    per_fan: HashMap<FanId, u32>,
    owner: Vec<String>,
    holds: Vec<String>,
    sold: Vec<String>,
    committing: Vec<String>,
}

impl Memory {
    fn of(stock: &Stock, orders: &[LiveOrder]) -> Self {
        let mut memory = Self {
            bits: SeatBits::free(stock.seats),
            booked_seats: 0,
            taken: BTreeMap::new(),
            per_fan: HashMap::new(),
            owner: Vec::new(),
            holds: Vec::new(),
            sold: Vec::new(),
            committing: Vec::new(),
        };
        for seat in &stock.blocked {
            memory.bits.set(*seat, SeatStatus::Blocked);
        }
        for order in orders {
            memory.count(order);
            match order.state {
                LiveOrderState::Paid => memory.add_paid(order),
                LiveOrderState::Pending { since } => memory.add_pending(order, since),
            }
        }
        memory
    }

    fn count(&mut self, order: &LiveOrder) {
        *self.per_fan.entry(order.fan).or_default() += order.selection.tickets();
        for (tier, count) in order.selection.tiers() {
            *self.taken.entry(*tier).or_default() += count;
        }
    }

    fn add_paid(&mut self, order: &LiveOrder) {
        for seat in order.selection.seats() {
            self.bits.set(*seat, SeatStatus::Booked);
            self.booked_seats += 1;
        }
        let (seats, tiers) = texts(&order.selection);
        let (fan, tickets) = (order.fan, order.selection.tickets());
        self.sold.push(order.order.to_string());
        self.sold.push(format!("{fan};{tickets};{seats};{tiers}"));
    }

    fn add_pending(&mut self, order: &LiveOrder, since: Timestamp) {
        let reservation = order.reservation.to_string();
        for seat in order.selection.seats() {
            self.bits.set(*seat, SeatStatus::Held);
            self.owner.push(seat.0.to_string());
            self.owner.push(reservation.clone());
        }
        let (seats, tiers) = texts(&order.selection);
        let (fan, at, id) = (order.fan, since.millis(), order.order);
        // As if the hold's time ended with its commit: an unpin gives new time.
        let record = format!("c;{fan};0;{at};{at};{at};0;;1;{id};{seats};{tiers}");
        self.committing.push(at.to_string());
        self.committing.push(format!("{id} {reservation}"));
        self.holds.push(reservation);
        self.holds.push(record);
    }

    fn taken(&self) -> Vec<(TierIndex, u32)> {
        self.taken.iter().map(|(tier, n)| (*tier, *n)).collect()
    }

    /// Which key gets which pairs. The holds come before what points at them.
    fn into_pairs(self) -> [(&'static str, Vec<String>); 5] {
        let per_fan = self.per_fan.into_iter();
        let per_fan = per_fan.flat_map(|(fan, n)| [fan.to_string(), n.to_string()]);
        [
            ("holds", self.holds),
            ("owner", self.owner),
            ("sold", self.sold),
            ("perfan", per_fan.collect()),
            ("committing", self.committing),
        ]
    }

    fn summary(&self, stock: &Stock) -> Rebuilt {
        let orders = |pairs: &[String]| u32::try_from(pairs.len() / 2).unwrap_or(u32::MAX);
        Rebuilt {
            seats: stock.seats,
            booked_seats: self.booked_seats,
            paid_orders: orders(&self.sold),
            pending_orders: orders(&self.holds),
        }
    }
}

fn texts(selection: &Selection) -> (String, String) {
    (seats_text(selection.seats()), tiers_text(selection.tiers()))
}
