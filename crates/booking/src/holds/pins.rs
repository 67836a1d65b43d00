//! Commit, settle, unpin and restock: what an order does to its hold. Each is
//! idempotent by order id, because the reconciler repeats them after a crash.

use std::str::FromStr;
use std::time::Duration;

use usher_base::redis::CallError;
use usher_base::{EventId, FanId, OrderId, ReservationId, Timestamp};

use super::record::{seats_text, tiers_text};
use super::store::{Holds, Reply, millis};
use super::{Hold, HoldError, MAX_COMMITTING, MAX_EARNING_ATTEMPTS};
use crate::inventory::Selection;
use crate::{keys, scripts};

/// A hold pinned to an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinned {
    pub hold: Hold,
    /// It had been pinned to this very order before.
    pub repeated: bool,
}

/// An order that Postgres says is paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoldOrder {
    pub order: OrderId,
    pub reservation: ReservationId,
    pub fan: FanId,
    pub selection: Selection,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    Now,
    Already,
    /// The hold was no longer the order's own; its seats are booked all the same.
    Forced,
    /// Its seats went back on sale before: nothing was done.
    Over,
}

/// What becomes of the hold of a failed order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unpin {
    /// Back to its fan, for at least this long.
    BackToFan(Duration),
    Free,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unpinned {
    Held(Hold),
    Freed(Hold),
    /// It was not pinned to this order (any more).
    Already,
}

/// An order between commit and settle, as Redis knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinnedOrder {
    pub order: OrderId,
    pub reservation: ReservationId,
    pub since: Timestamp,
}

impl Holds {
    /// Step 1 of a commit: judges the deadline and pins the hold to the order.
    pub async fn commit(
        &self,
        event: EventId,
        reservation: ReservationId,
        fan: FanId,
        order: OrderId,
    ) -> Result<Pinned, HoldError> {
        let call = self.call(event, &scripts::COMMIT);
        let call = call.arg(reservation.to_string()).arg(fan.to_string());
        let reply = Reply(
            call.arg(order.to_string())
                .arg(MAX_COMMITTING)
                .run()
                .await?,
        );
        match reply.status() {
            status @ ("committing" | "same") => Ok(Pinned {
                repeated: status == "same",
                hold: reply.hold(reservation)?,
            }),
            _ => Err(reply.refusal(reservation)),
        }
    }

    /// Marks a paid order's seats booked; only after Postgres said `paid`.
    pub async fn settle(&self, event: EventId, sold: &SoldOrder) -> Result<Settled, CallError> {
        let call = self.call(event, &scripts::SETTLE);
        let call = call
            .arg(sold.order.to_string())
            .arg(sold.reservation.to_string())
            .arg(sold.fan.to_string())
            .arg(seats_text(sold.selection.seats()))
            .arg(tiers_text(sold.selection.tiers()));
        let reply = Reply(call.run().await?);
        match reply.status() {
            "settled" => Ok(Settled::Now),
            "already" => Ok(Settled::Already),
            "over" => Ok(Settled::Over),
            "forced" => {
                tracing::warn!(%event, order = %sold.order, "a paid order had lost its hold");
                Ok(Settled::Forced)
            }
            _ => Err(reply.malformed()),
        }
    }

    /// Undoes a commit; only after Postgres said that the order failed.
    pub async fn unpin(
        &self,
        event: EventId,
        order: OrderId,
        reservation: ReservationId,
        then: Unpin,
    ) -> Result<Unpinned, CallError> {
        let new_time = match then {
            Unpin::BackToFan(time) => millis(time).to_string(),
            Unpin::Free => String::new(),
        };
        let call = self.call(event, &scripts::UNPIN);
        let call = call.arg(order.to_string()).arg(reservation.to_string());
        let reply = Reply(call.arg(new_time).arg(MAX_EARNING_ATTEMPTS).run().await?);
        match reply.status() {
            "held" => reply.hold(reservation).map(Unpinned::Held),
            "freed" => reply.hold(reservation).map(Unpinned::Freed),
            "already" => Ok(Unpinned::Already),
            _ => Err(reply.malformed()),
        }
    }

    /// Puts the seats of a cancelled or refunded order back on sale. False when
    /// that was done before.
    pub async fn restock(
        &self,
        event: EventId,
        order: OrderId,
        reservation: ReservationId,
    ) -> Result<bool, CallError> {
        let call = self.call(event, &scripts::RESTOCK);
        let call = call.arg(order.to_string()).arg(reservation.to_string());
        let reply = Reply(call.run().await?);
        match reply.status() {
            "restocked" => Ok(true),
            "already" => Ok(false),
            _ => Err(reply.malformed()),
        }
    }

    /// Orders pinned since before `before`, oldest first: what the reconciler
    /// looks for, in case a node died before Postgres heard of them.
    pub async fn committing(
        &self,
        event: EventId,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<PinnedOrder>, CallError> {
        let mut range = redis::cmd("ZRANGEBYSCORE");
        range.arg(keys::committing(event)).arg("-inf");
        range.arg(format!("({}", before.millis())).arg("WITHSCORES");
        range.arg("LIMIT").arg(0).arg(limit);
        let found: Vec<(String, f64)> = self.redis.command(range).await?;
        let entry = |(member, at): (String, f64)| {
            let (order, reservation) = member.split_once(' ')?;
            Some(PinnedOrder {
                order: OrderId::from_str(order).ok()?,
                reservation: ReservationId::from_str(reservation).ok()?,
                // Milliseconds are whole and far below 2^53.
                since: Timestamp::from_millis(at as i64),
            })
        };
        let pinned: Option<Vec<_>> = found.into_iter().map(entry).collect();
        pinned.ok_or_else(|| CallError::Shape("an entry of committing is malformed".into()))
    }
}
