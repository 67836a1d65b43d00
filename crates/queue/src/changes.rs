//! What an edge must hear of besides positions, once a tick: sessions that ended,
//! whose tokens are no longer taken, and places that moved to another device.

use std::collections::HashMap;

use usher_base::{EventId, FanId, Lane, Number, Timestamp};

use crate::keys;
use crate::line::Line;
use crate::place::SessionId;
use crate::reply::{Read, Reply, fan_of, parsed};
use crate::scripts;

/// Ends, and moves, that one read takes at most.
const MAX_CHANGES_PER_READ: usize = 2_000;

impl Line {
    /// What changed since `cursor`, which moves on. Entries of the cursor's own
    /// moment come again: taking one in twice changes nothing.
    pub async fn changes(&self, event: EventId, cursor: &mut Cursor) -> Read<Changes> {
        let call = self
            .redis()
            .script(&scripts::CHANGES)
            .key(keys::meta(event))
            .key(keys::ended(event))
            .key(keys::moved(event))
            .arg(cursor.ended.millis())
            .arg(cursor.moved.millis())
            .arg(MAX_CHANGES_PER_READ);
        let mut reply: Reply = call.run().await?;
        let (mut ends, mut moves) = (reply.list()?, reply.list()?);
        let mut changes = Changes::default();
        while !ends.is_done() {
            let (member, at) = (ends.bytes()?, ends.time()?);
            cursor.ended = at;
            changes.ended.push(session_end(event, &member, at)?);
        }
        while !moves.is_done() {
            let (member, at) = (moves.bytes()?, moves.time()?);
            cursor.moved = at;
            let (fan, generation) = split_fan(&member)?;
            let generation = parsed(generation)?;
            changes.moved.push(Moved { fan, generation });
        }
        changes.is_cut = changes.ended.len().max(changes.moved.len()) >= MAX_CHANGES_PER_READ;
        Ok(changes)
    }
}

/// How far an edge has read an event's changes. The default is: nothing yet.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cursor {
    ended: Timestamp,
    moved: Timestamp,
}

#[derive(Clone, Debug, Default)]
pub struct Changes {
    pub ended: Vec<SessionEnd>,
    pub moved: Vec<Moved>,
    /// There is more: read again at once.
    pub is_cut: bool,
}

/// A session whose access token is no longer to be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionEnd {
    pub session: SessionId,
    pub fan: FanId,
    pub lane: Lane,
    pub number: Number,
    pub at: Timestamp,
}

/// A place that moved to another device: older generations are to let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    pub fan: FanId,
    pub generation: u32,
}

fn session_end(event: EventId, member: &[u8], at: Timestamp) -> Read<SessionEnd> {
    let (fan, pass) = split_fan(member)?;
    let (number, lane) = pass.split_once(':').unwrap_or_default();
    let (number, lane) = (Number(parsed(number)?), parsed(lane)?);
    Ok(SessionEnd {
        session: SessionId::of(event, &lane, number),
        fan,
        lane,
        number,
        at,
    })
}

fn split_fan(member: &[u8]) -> Read<(FanId, &str)> {
    let (fan, rest) = member.split_at(member.len().min(16));
    Ok((fan_of(fan)?, std::str::from_utf8(rest).unwrap_or_default()))
}

/// The sessions that are over, as an edge knows them: a revocation bites within
/// a tick without a read per request. Bounded by what Redis remembers.
#[derive(Debug, Default)]
pub struct EndedSessions(HashMap<SessionId, Timestamp>);

impl EndedSessions {
    pub fn take_in(&mut self, ended: &[SessionEnd]) {
        for end in ended {
            self.0.insert(end.session, end.at);
        }
    }

    pub fn contains(&self, session: &SessionId) -> bool {
        self.0.contains_key(session)
    }

    /// Forgets ends so old that no access token of theirs can be alive.
    pub fn forget_before(&mut self, time: Timestamp) {
        self.0.retain(|_, at| *at >= time);
    }
}
