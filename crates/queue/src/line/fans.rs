//! What a fan does: join, look, claim, move to another device.

use usher_base::{Epoch, EventId, FanId, Lane, Number};

use super::{Line, MAX_LANES, raw};
use crate::error::{ClaimError, JoinError, TransferError};
use crate::keys;
use crate::place::{Place, Session};
use crate::reply::{Read, Reply, unexpected};
use crate::scripts;
use usher_base::redis::CallError;

/// Fans that one lookup may ask for.
pub const MAX_FANS_PER_LOOKUP: usize = 500;
/// How long a move to another device is told to the edges.
const MOVE_TOLD_MS: u64 = 60_000;

/// A place as a queue token of an earlier join tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OldPlace {
    pub number: Number,
    pub epoch: Epoch,
}

#[derive(Clone, Debug)]
pub struct JoinOrder<'a> {
    pub event: EventId,
    pub lane: &'a Lane,
    /// The event's further lanes: a fan has one place in all of them together.
    pub other_lanes: &'a [Lane],
    pub fan: FanId,
    /// `gen` of the fan's token; 0 without one.
    pub generation: u32,
    /// What the fan's token says. Given always; it counts only if the token's
    /// epoch is older than Redis's memory and the number is not spent.
    pub old_place: Option<OldPlace>,
    /// Begin anew after a session that ended (never after a revocation).
    pub again: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    pub place: Place,
    /// False when the fan had this place already.
    pub is_new: bool,
    /// The token's number was given up or served, so this is another place.
    pub old_place_lost: bool,
}

impl Line {
    /// Joins, or finds the place the fan already has.
    pub async fn join(&self, order: &JoinOrder<'_>) -> Result<Joined, JoinError> {
        let JoinOrder { event, lane, .. } = *order;
        let mut call = self
            .call(&scripts::JOIN, event)
            .key(keys::line(event, lane))
            .key(keys::alive(event, lane))
            .key(keys::spent(event, lane))
            .key(keys::next(event, lane))
            .key(keys::gather(event, lane))
            .key(keys::admitted(event))
            .key(keys::active(event))
            .key(keys::inside(event))
            .key(keys::fate(event))
            .key(keys::gens(event));
        let number = order.old_place.map(|old| old.number.to_string());
        let epoch = order.old_place.map(|old| old.epoch.to_string());
        call = call
            .arg(raw(&order.fan))
            .arg(lane.as_str())
            .arg(order.generation)
            .arg(if order.again { "1" } else { "0" })
            .arg(number.unwrap_or_default())
            .arg(epoch.unwrap_or_default());
        for other in order.other_lanes.iter().take(MAX_LANES - 1) {
            call = call
                .key(keys::line(event, other))
                .key(keys::gather(event, other))
                .arg(other.as_str());
        }
        let mut reply: Reply = call.run().await?;
        match reply.word()?.as_str() {
            "joined" => Ok(Joined {
                is_new: reply.flag()?,
                old_place_lost: reply.flag()?,
                place: reply.place(event)?,
            }),
            "replaced" => Err(JoinError::Replaced),
            "elsewhere" => Err(JoinError::InAnotherLane(reply.lane()?)),
            "not_open" => Err(JoinError::NotOpen),
            "closed" => Err(JoinError::Closed),
            "full" => Err(JoinError::Full),
            other => Err(unexpected(other).into()),
        }
    }

    /// Where one fan stands.
    pub async fn place(&self, event: EventId, lane: &Lane, fan: FanId) -> Read<Place> {
        let places = self.places(event, lane, &[fan]).await?;
        let place = places.into_iter().next();
        place.ok_or_else(|| CallError::Shape("no place for the fan asked for".to_owned()))
    }

    /// Where fans stand, in the order asked; the first `MAX_FANS_PER_LOOKUP` of them.
    pub async fn places(&self, event: EventId, lane: &Lane, fans: &[FanId]) -> Read<Vec<Place>> {
        let fans = &fans[..fans.len().min(MAX_FANS_PER_LOOKUP)];
        if fans.is_empty() {
            return Ok(Vec::new());
        }
        let mut call = self
            .call(&scripts::PLACES, event)
            .key(keys::line(event, lane))
            .key(keys::gather(event, lane))
            .key(keys::admitted(event))
            .key(keys::active(event))
            .key(keys::inside(event))
            .key(keys::fate(event));
        for fan in fans {
            call = call.arg(raw(fan));
        }
        let mut reply: Reply = call.run().await?;
        fans.iter().map(|_| reply.place(event)).collect()
    }

    /// Opens the session of a fan whose turn it is; again gives the same session.
    pub async fn claim(&self, event: EventId, fan: FanId) -> Result<Session, ClaimError> {
        let call = self
            .call(&scripts::CLAIM, event)
            .key(keys::admitted(event))
            .key(keys::active(event))
            .key(keys::inside(event))
            .key(keys::fate(event))
            .key(keys::missed(event))
            .arg(raw(&fan));
        let mut reply: Reply = call.run().await?;
        match reply.word()?.as_str() {
            "active" => Ok(reply.session(event)?),
            "missed" => Err(ClaimError::Missed),
            "ended" => Err(ClaimError::Ended(reply.reason()?)),
            "closed" => Err(ClaimError::Closed),
            "not_admitted" => Err(ClaimError::NotAdmitted),
            other => Err(unexpected(other).into()),
        }
    }

    /// How often the fan's place moved to another device.
    pub async fn generation(&self, event: EventId, fan: FanId) -> Read<u32> {
        let mut get = redis::cmd("HGET");
        get.arg(keys::gens(event)).arg(raw(&fan));
        let generation: Option<u32> = self.redis.command(get).await?;
        Ok(generation.unwrap_or(0))
    }

    /// Raises the generation of the fan's place for a new device; returns it.
    pub async fn transfer(
        &self,
        event: EventId,
        fan: FanId,
        generation: u32,
    ) -> Result<u32, TransferError> {
        let call = self
            .call(&scripts::TRANSFER, event)
            .key(keys::gens(event))
            .key(keys::moved(event))
            .arg(raw(&fan))
            .arg(generation)
            .arg(MOVE_TOLD_MS);
        let mut reply: Reply = call.run().await?;
        match reply.word()?.as_str() {
            "moved" => Ok(reply.number()?.0),
            "replaced" => Err(TransferError::Replaced),
            other => Err(unexpected(other).into()),
        }
    }
}
