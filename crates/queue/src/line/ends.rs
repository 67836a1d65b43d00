//! How a place or a session ends: left, finished, revoked; and how one is prolonged.

use usher_base::{EventId, FanId, Lane, Number, Timestamp};

use super::{Line, raw};
use crate::keys;
use crate::place::{EndReason, Session, SessionId};
use crate::reply::{Read, Reply, unexpected};
use crate::scripts;

/// Where the fan stood until now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Was {
    Waiting,
    Gathering,
    Admitted,
    Active,
}

/// A fan who is gone from the line or the shop by this call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departed {
    pub was: Was,
    /// The fan's number; while gathering there is none yet.
    pub number: Option<Number>,
    /// What ended, if the fan had been admitted: to be made durable at once.
    pub ended: Option<Ended>,
}

/// A session (or an admission that was never claimed) that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    pub fan: FanId,
    pub lane: Lane,
    pub number: Number,
    pub session: SessionId,
    pub reason: EndReason,
}

impl Ended {
    pub(crate) fn new(
        event: EventId,
        fan: FanId,
        number: Number,
        lane: Lane,
        reason: EndReason,
    ) -> Self {
        let session = SessionId::of(event, &lane, number);
        Self {
            fan,
            lane,
            number,
            session,
            reason,
        }
    }
}

impl Line {
    /// The fan gives the place up, wherever it is; everybody behind moves at once.
    /// `None` when there was nothing to give up.
    pub async fn leave(&self, event: EventId, lane: &Lane, fan: FanId) -> Read<Option<Departed>> {
        self.depart(event, lane, fan, EndReason::Left, None).await
    }

    /// The fan of this session is done.
    pub async fn finish(
        &self,
        event: EventId,
        lane: &Lane,
        fan: FanId,
        number: Number,
    ) -> Read<Option<Departed>> {
        let meant = Some(number);
        self.depart(event, lane, fan, EndReason::Finished, meant)
            .await
    }

    /// An operator takes the fan out, wherever they stand; they cannot join again.
    pub async fn revoke(&self, event: EventId, lane: &Lane, fan: FanId) -> Read<Option<Departed>> {
        self.depart(event, lane, fan, EndReason::Revoked, None)
            .await
    }

    async fn depart(
        &self,
        event: EventId,
        lane: &Lane,
        fan: FanId,
        reason: EndReason,
        meant: Option<Number>,
    ) -> Read<Option<Departed>> {
        let call = self
            .call(&scripts::DEPART, event)
            .key(keys::line(event, lane))
            .key(keys::alive(event, lane))
            .key(keys::spent(event, lane))
            .key(keys::gather(event, lane))
            .key(keys::admitted(event))
            .key(keys::active(event))
            .key(keys::inside(event))
            .key(keys::ended(event))
            .key(keys::fate(event))
            .key(keys::missed(event))
            .arg(raw(&fan))
            .arg(reason.as_str())
            .arg(meant.map(|n| n.to_string()).unwrap_or_default());
        let mut reply: Reply = call.run().await?;
        match reply.word()?.as_str() {
            "departed" => departed(event, fan, reason, &mut reply).map(Some),
            "unknown" | "other" => Ok(None),
            other => Err(unexpected(other)),
        }
    }

    /// Lets the session last until `until` at least; `None` when it is over.
    pub async fn prolong(
        &self,
        event: EventId,
        fan: FanId,
        number: Number,
        until: Timestamp,
    ) -> Read<Option<Session>> {
        let call = self
            .call(&scripts::PROLONG, event)
            .key(keys::active(event))
            .key(keys::inside(event))
            .arg(raw(&fan))
            .arg(number.0)
            .arg(until.millis());
        let mut reply: Reply = call.run().await?;
        match reply.word()?.as_str() {
            "active" => reply.session(event).map(Some),
            "ended" => Ok(None),
            other => Err(unexpected(other)),
        }
    }
}

fn departed(event: EventId, fan: FanId, reason: EndReason, reply: &mut Reply) -> Read<Departed> {
    let (was, number) = (reply.word()?, reply.number()?);
    let was = match was.as_str() {
        "waiting" => Was::Waiting,
        "gathering" => Was::Gathering,
        "admitted" => Was::Admitted,
        "active" => Was::Active,
        other => return Err(unexpected(other)),
    };
    let inside = matches!(was, Was::Admitted | Was::Active);
    let lane = inside.then(|| reply.lane()).transpose()?;
    Ok(Departed {
        was,
        number: (was != Was::Gathering).then_some(number),
        ended: lane.map(|lane| Ended::new(event, fan, number, lane, reason)),
    })
}
