//! The typed calls of the scripts that a fan's wish ends in: hold, extend,
//! release, and the sweep. Every call may be repeated: none does its work twice.

use std::time::Duration;

use usher_base::redis::{CallError, Invocation, Redis, Script};
use usher_base::{EventId, FanId, ReservationId};

use super::record::{parse, parse_seats, seats_text, tiers_text};
use super::{Hold, HoldError, HoldRequest, HoldRules, HoldTag};
use crate::inventory::{SeatBits, SeatIndex, TierIndex};
use crate::{keys, scripts};

/// Calls of `hold` while more holds are due than one call may end (20 each).
const MAX_HOLD_CALLS: u32 = 16;
/// Holds that one sweep ends at most: about a millisecond of Redis.
const MAX_SWEPT_HOLDS: u32 = 50;
/// Seats that one change of the stock may block or unblock.
const MAX_STOCK_CHANGES: usize = 500;

#[derive(Clone)]
pub struct Holds {
    pub(super) redis: Redis,
}

/// What one sweep did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swept {
    pub ended: u32,
    /// More may be due: sweep again.
    pub more: bool,
}

impl Holds {
    pub fn new(redis: Redis) -> Self {
        Self { redis }
    }

    pub(super) fn call(&self, event: EventId, script: &'static Script) -> Invocation<'_> {
        self.redis.script(script).key(&keys::of_scripts(event)[..])
    }

    /// Sets the selection aside, all or none. A retry returns the same hold.
    pub async fn hold(
        &self,
        event: EventId,
        request: &HoldRequest,
        rules: &HoldRules,
    ) -> Result<Hold, HoldError> {
        for _ in 0..MAX_HOLD_CALLS {
            let reply = self.hold_once(event, request, rules).await?;
            if !reply.is("again") {
                let outcome = reply.status().to_owned();
                metrics::counter!("usher_hold_requests_total",
                    "event" => event.to_string(), "outcome" => outcome)
                .increment(1);
                return held(request, rules, &reply);
            }
        }
        // Hundreds of holds are due and none is swept: say so, sell nothing wrong.
        Err(CallError::Busy.into())
    }

    async fn hold_once(
        &self,
        event: EventId,
        request: &HoldRequest,
        rules: &HoldRules,
    ) -> Result<Reply, CallError> {
        let call = self.call(event, &scripts::HOLD);
        call.arg(request.id.to_string())
            .arg(request.fan.to_string())
            .arg(request.tag.to_hex())
            .arg(millis(request.ttl))
            .arg(millis(rules.longest))
            .arg(rules.extensions)
            .arg(rules.tickets_per_order)
            .arg(rules.tickets_per_fan)
            .arg(seats_text(request.selection.seats()))
            .arg(tiers_text(request.selection.tiers()))
            .run()
            .await
            .map(Reply)
    }

    /// A hold, live or ended not long ago.
    pub async fn get(&self, event: EventId, id: ReservationId) -> Result<Hold, HoldError> {
        let mut get = redis::cmd("HGET");
        get.arg(keys::holds(event)).arg(id.to_string());
        let text: Option<String> = self.redis.command(get).await?;
        let text = text.ok_or(HoldError::NotFound)?;
        Ok(parse(id, &text)?)
    }

    /// Uses one extension, of at most what the event gives. `tag` names the
    /// request, so that its retry does not use a second one.
    pub async fn extend(
        &self,
        event: EventId,
        (id, fan): (ReservationId, FanId),
        asked: Option<Duration>,
        tag: HoldTag,
        rules: &HoldRules,
    ) -> Result<Hold, HoldError> {
        let additional = asked.unwrap_or(rules.extension).min(rules.extension);
        let call = self.call(event, &scripts::EXTEND);
        let call = call.arg(id.to_string()).arg(fan.to_string());
        let reply = Reply(call.arg(millis(additional)).arg(tag.to_hex()).run().await?);
        match reply.status() {
            "extended" => Ok(reply.hold(id)?),
            "none_left" => Err(HoldError::NoExtensionLeft(Box::new(reply.hold(id)?))),
            _ => Err(reply.refusal(id)),
        }
    }

    /// Its fan gives the hold back. A hold that has ended already is no error.
    pub async fn release(
        &self,
        event: EventId,
        id: ReservationId,
        fan: FanId,
    ) -> Result<Hold, HoldError> {
        self.free(event, id, &fan.to_string(), "r").await
    }

    /// Ends a hold whosever it is, at an operator's word.
    pub async fn cancel(&self, event: EventId, id: ReservationId) -> Result<Hold, HoldError> {
        self.free(event, id, "", "x").await
    }

    async fn free(
        &self,
        event: EventId,
        id: ReservationId,
        fan: &str,
        state: &str,
    ) -> Result<Hold, HoldError> {
        let call = self.call(event, &scripts::FREE);
        let reply = Reply(call.arg(id.to_string()).arg(fan).arg(state).run().await?);
        match reply.status() {
            "freed" | "ended" => Ok(reply.hold(id)?),
            _ => Err(reply.refusal(id)),
        }
    }

    /// Ends some holds that are past their deadline. Call it every second, and
    /// again while `more`.
    pub async fn sweep(&self, event: EventId) -> Result<Swept, CallError> {
        let call = self.call(event, &scripts::EXPIRE).arg(MAX_SWEPT_HOLDS);
        let (_, ended, more): (String, u32, u32) = call.run().await?;
        metrics::counter!("usher_holds_swept_total", "event" => event.to_string())
            .increment(ended.into());
        Ok(Swept {
            ended,
            more: more > 0,
        })
    }

    /// Blocks and unblocks seats and sets capacities while the sale goes on.
    /// Returns the seats that are held or booked and so were not blocked: the
    /// caller asks again for them until none is left.
    pub async fn stock(
        &self,
        event: EventId,
        block: &[SeatIndex],
        unblock: &[SeatIndex],
        capacities: &[(TierIndex, u32)],
    ) -> Result<Vec<SeatIndex>, CallError> {
        let mut busy = Vec::new();
        let mut capacities = tiers_text(capacities);
        let steps = block.len().max(unblock.len()).div_ceil(MAX_STOCK_CHANGES);
        for step in 0..steps.max(1) {
            let reply: Vec<String> = self
                .call(event, &scripts::STOCK)
                .arg(seats_text(part(block, step)))
                .arg(seats_text(part(unblock, step)))
                .arg(std::mem::take(&mut capacities))
                .run()
                .await?;
            let seats = reply.get(1).and_then(|text| parse_seats(text));
            busy.extend(seats.ok_or_else(|| CallError::Shape("stock".into()))?);
        }
        Ok(busy)
    }

    /// The seats as they are now. `None` while Redis does not know them.
    pub async fn seats(&self, event: EventId, count: u32) -> Result<Option<SeatBits>, CallError> {
        let mut get = redis::cmd("GET");
        get.arg(keys::seats(event));
        let bytes: Option<Vec<u8>> = self.redis.command(get).await?;
        // An event of standing tiers only has no seats to store.
        let bytes = bytes.or((count == 0).then(Vec::new));
        Ok(bytes.and_then(|bytes| SeatBits::from_redis(bytes, count)))
    }

    /// Holds that set something aside now, those being paid for included.
    pub async fn live(&self, event: EventId) -> Result<u64, CallError> {
        let count = |key: String| {
            let mut card = redis::cmd("ZCARD");
            card.arg(key);
            self.redis.command::<u64>(card)
        };
        let (due, committing) =
            tokio::try_join!(count(keys::due(event)), count(keys::committing(event)))?;
        Ok(due + committing)
    }

    /// Places left in each of the first `count` standing tiers.
    pub async fn places_left(&self, event: EventId, count: u16) -> Result<Vec<u32>, CallError> {
        if count == 0 {
            return Ok(Vec::new());
        }
        let mut get = redis::cmd("HMGET");
        get.arg(keys::tiers(event));
        for tier in 0..count {
            get.arg(tier.to_string()).arg(format!("{tier}:cap"));
        }
        let found: Vec<Option<u32>> = self.redis.command(get).await?;
        let left = |pair: &[Option<u32>]| {
            let (taken, capacity) = (pair[0].unwrap_or(0), pair[1].unwrap_or(0));
            capacity.saturating_sub(taken)
        };
        Ok(found.chunks_exact(2).map(left).collect())
    }
}

fn part(seats: &[SeatIndex], step: usize) -> &[SeatIndex] {
    let from = (step * MAX_STOCK_CHANGES).min(seats.len());
    let to = (from + MAX_STOCK_CHANGES).min(seats.len());
    &seats[from..to]
}

fn held(request: &HoldRequest, rules: &HoldRules, reply: &Reply) -> Result<Hold, HoldError> {
    match reply.status() {
        "held" => Ok(reply.hold(request.id)?),
        "same" => {
            let hold = reply.hold(request.id)?;
            if hold.status.is_live() {
                Ok(hold)
            } else {
                Err(HoldError::Ended(Box::new(hold)))
            }
        }
        "taken" => {
            let seats = parse_seats(reply.text(1));
            let tiers = reply.text(2).split(',').filter(|item| !item.is_empty());
            let tiers: Option<Vec<_>> = tiers.map(|t| t.parse().ok().map(TierIndex)).collect();
            match (seats, tiers) {
                (Some(mut seats), Some(tiers)) => {
                    seats.sort_unstable();
                    Err(HoldError::Unavailable { seats, tiers })
                }
                _ => Err(reply.malformed().into()),
            }
        }
        "order_limit" => Err(HoldError::OrderLimit {
            limit: rules.tickets_per_order,
        }),
        "fan_limit" => Err(HoldError::FanLimit {
            limit: rules.tickets_per_fan,
            has: reply.text(1).parse().map_err(|_| reply.malformed())?,
        }),
        "another" => Err(HoldError::AnotherRequest),
        _ => Err(reply.malformed().into()),
    }
}

/// A script's answer: a status word, then texts.
pub(super) struct Reply(pub Vec<String>);

impl Reply {
    pub fn status(&self) -> &str {
        self.text(0)
    }

    pub fn is(&self, status: &str) -> bool {
        self.status() == status
    }

    pub fn text(&self, at: usize) -> &str {
        self.0.get(at).map_or("", String::as_str)
    }

    pub fn hold(&self, id: ReservationId) -> Result<Hold, CallError> {
        parse(id, self.text(1))
    }

    pub fn malformed(&self) -> CallError {
        CallError::Shape(format!("unexpected status {:?}", self.status()))
    }

    /// The refusals that several scripts share.
    pub fn refusal(&self, id: ReservationId) -> HoldError {
        let refuse = |with: fn(Box<Hold>) -> HoldError| match self.hold(id) {
            Ok(hold) => with(Box::new(hold)),
            Err(error) => error.into(),
        };
        match self.status() {
            "missing" => HoldError::NotFound,
            "ended" => refuse(HoldError::Ended),
            "committing" | "busy" => refuse(HoldError::Committing),
            "over" => refuse(HoldError::OrderOver),
            "full" => HoldError::TooManyCommitting,
            _ => self.malformed().into(),
        }
    }
}

pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
