//! Reading Redis's memory for checkpoints and flight recorder, and writing it
//! back after a loss. The writing half works only while the event is rebuilding.

use std::time::Duration;

use usher_base::{EventId, FanId, Lane, Number, Timestamp};

use super::{Line, ReleasedFan, raw};
use crate::bitmap::Bitmap;
use crate::keys;
use crate::line::Ended;
use crate::reply::{Read, Reply, unexpected};
use crate::scripts;

/// Fans that one call of the rebuild brings back.
pub(crate) const FANS_PER_CALL: usize = 200;
/// People inside that one call of the checkpoint reads.
const INSIDE_PER_READ: usize = 300;
/// People inside that a checkpoint holds at most.
const MAX_INSIDE: usize = 100_000;

/// A lane's memory at one moment.
#[derive(Clone, Debug, Default)]
pub struct LaneMemory {
    pub last: Number,
    pub alive: Bitmap,
    pub spent: Bitmap,
}

/// Somebody who was called or is in a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inside {
    pub fan: FanId,
    pub lane: Lane,
    pub number: Number,
    /// End of the session, or of the claim window.
    pub until: Timestamp,
    pub has_claimed: bool,
}

impl Line {
    /// The fans of these numbers; a number without a fan is left out.
    pub async fn who(
        &self,
        event: EventId,
        lane: &Lane,
        numbers: &[Number],
    ) -> Read<Vec<ReleasedFan>> {
        let mut fans = Vec::with_capacity(numbers.len());
        for chunk in numbers.chunks(super::MAX_NUMBERS_PER_RELEASE) {
            let numbers: Vec<u32> = chunk.iter().map(|n| n.0).collect();
            let call = self
                .call(&scripts::WHO, event)
                .key(keys::line(event, lane))
                .arg(numbers);
            let mut reply: Reply = call.run().await?;
            while !reply.is_done() {
                let (number, fan) = (reply.number()?, reply.fan()?);
                fans.push(ReleasedFan { number, fan });
            }
        }
        Ok(fans)
    }

    pub(crate) async fn lane_memory(&self, event: EventId, lane: &Lane) -> Read<LaneMemory> {
        let call = self
            .call(&scripts::CHECKPOINT, event)
            .key(keys::alive(event, lane))
            .key(keys::spent(event, lane))
            .key(keys::next(event, lane));
        let mut reply: Reply = call.run().await?;
        Ok(LaneMemory {
            last: reply.number()?,
            alive: Bitmap::from_bytes(0, &reply.bytes()?),
            spent: Bitmap::from_bytes(0, &reply.bytes()?),
        })
    }

    /// Everybody inside, in pieces; who moves between two reads may be missed, and
    /// is then brought back by the log of releases.
    pub(crate) async fn inside(&self, event: EventId) -> Read<Vec<Inside>> {
        let mut people = Vec::new();
        for (key, has_claimed) in [(keys::active(event), true), (keys::admitted(event), false)] {
            for first in (0..MAX_INSIDE).step_by(INSIDE_PER_READ) {
                let call = self
                    .call(&scripts::INSIDE, event)
                    .key(&key)
                    .key(keys::inside(event))
                    .arg(first)
                    .arg(first + INSIDE_PER_READ - 1);
                let mut reply: Reply = call.run().await?;
                if reply.is_done() {
                    break;
                }
                while !reply.is_done() {
                    let (fan, until) = (reply.fan()?, reply.time()?);
                    let (number, lane) = (reply.number()?, reply.lane()?);
                    people.push(Inside {
                        fan,
                        lane,
                        number,
                        until,
                        has_claimed,
                    });
                }
            }
        }
        Ok(people)
    }

    /// Removes all that Redis has of the line of an event that was deleted.
    pub async fn unlink(&self, event: EventId, lanes: &[Lane]) -> Read<()> {
        let mut all = keys::all_of_event(event);
        all.extend(lanes.iter().flat_map(|lane| keys::all_of_lane(event, lane)));
        self.redis.unlink(&all).await
    }

    /// Forgets the event's line and writes its settings; returns Redis's time.
    pub(crate) async fn rebuild_event(
        &self,
        event: EventId,
        lanes: &[Lane],
        settle_for: Duration,
        fields: &[(String, String)],
    ) -> Read<Timestamp> {
        let mut call = self
            .call(&scripts::REBUILD_EVENT, event)
            .key(keys::all_of_event(event));
        for lane in lanes {
            call = call.key(keys::all_of_lane(event, lane));
        }
        let settle_ms = u64::try_from(settle_for.as_millis()).unwrap_or(u64::MAX);
        call = call.arg(settle_ms);
        for (field, value) in fields {
            call = call.arg(field).arg(value);
        }
        let mut reply: Reply = call.run().await?;
        match reply.word()?.as_str() {
            "begun" => reply.time(),
            other => Err(unexpected(other)),
        }
    }

    pub(crate) async fn rebuild_lane(
        &self,
        event: EventId,
        lane: &Lane,
        memory: &LaneMemory,
    ) -> Read<()> {
        let call = self
            .call(&scripts::REBUILD_LANE, event)
            .key(keys::alive(event, lane))
            .key(keys::spent(event, lane))
            .key(keys::next(event, lane))
            .arg(memory.alive.to_bytes().as_slice())
            .arg(memory.spent.to_bytes().as_slice())
            .arg(memory.last.0);
        call.run::<Reply>().await.map(drop)
    }

    pub(crate) async fn rebuild_inside(&self, event: EventId, people: &[Inside]) -> Read<()> {
        for has_claimed in [true, false] {
            let key = if has_claimed {
                keys::active(event)
            } else {
                keys::admitted(event)
            };
            let of_kind: Vec<_> = people
                .iter()
                .filter(|one| one.has_claimed == has_claimed)
                .collect();
            for chunk in of_kind.chunks(FANS_PER_CALL) {
                let mut call = self
                    .call(&scripts::REBUILD_INSIDE, event)
                    .key(&key)
                    .key(keys::inside(event));
                for one in chunk {
                    call = call
                        .arg(raw(&one.fan))
                        .arg(one.until.millis())
                        .arg(format!("{}:{}", one.number, one.lane));
                }
                call.run::<Reply>().await?;
            }
        }
        Ok(())
    }

    pub(crate) async fn rebuild_ended(
        &self,
        event: EventId,
        ended: &[(Timestamp, Ended)],
    ) -> Read<()> {
        for chunk in ended.chunks(FANS_PER_CALL) {
            let mut call = self
                .call(&scripts::REBUILD_ENDED, event)
                .key(keys::ended(event))
                .key(keys::fate(event));
            for (at, end) in chunk {
                call = call
                    .arg(raw(&end.fan))
                    .arg(at.millis())
                    .arg(format!("{}:{}", end.number, end.lane))
                    .arg(end.reason.as_str());
            }
            call.run::<Reply>().await?;
        }
        Ok(())
    }
}
