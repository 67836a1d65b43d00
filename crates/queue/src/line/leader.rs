//! What only the leader of an event does: hold the lease, release, sweep, give
//! up the places of those who stayed away, let fans pass an empty line.

use std::time::Duration;

use usher_base::{EventId, FanId, Lane, Number, Timestamp};

use super::{Ended, Line, names};
use crate::error::{LeaderError, ReleaseError};
use crate::keys;
use crate::reply::{Read, Reply, unexpected};
use crate::scripts;
use crate::wait::Outlook;

/// Numbers that one release, or one giving-up, may name.
pub const MAX_NUMBERS_PER_RELEASE: usize = 200;
/// Due claims, due sessions and old ends that one sweep takes of each.
pub const SWEEP_AT_MOST: usize = 100;
/// How long an end is told to edges: no access token lives longer after its session.
const END_REMEMBERED: Duration = Duration::from_secs(4 * 3600);

/// Proof of the lease: unique to one leader's term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseToken(pub String);

#[derive(Clone, Debug)]
pub struct ReleaseOrder<'a> {
    pub event: EventId,
    pub lane: &'a Lane,
    pub lease: &'a LeaseToken,
    /// Above that of every earlier release of the event; the same again gives
    /// the same answer.
    pub sequence: u64,
    /// When the presence was read, by Redis's clock (`Snapshot::taken_at`).
    pub snapshot_at: Timestamp,
    /// Ascending, at most `MAX_NUMBERS_PER_RELEASE`.
    pub numbers: &'a [Number],
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Released {
    pub claim_by: Timestamp,
    /// Those admitted; a number whose fan is gone is not among them.
    pub fans: Vec<ReleasedFan>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReleasedFan {
    pub number: Number,
    pub fan: FanId,
}

/// What a leader says of one lane each tick.
#[derive(Clone, Debug, PartialEq)]
pub struct LaneNews {
    pub lane: Lane,
    /// How many fans may pass the lane at once while it is empty.
    pub passes: u32,
    /// The waits that its fans are told.
    pub outlook: Outlook,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Fans who missed a claim and stand at their own number again.
    pub put_back: u64,
    /// Over for good: to be made durable at once.
    pub ended: Vec<Ended>,
}

impl Swept {
    /// Whether something may be left: the leader sweeps again at once.
    pub fn is_full(&self) -> bool {
        self.put_back + self.ended.len() as u64 >= SWEEP_AT_MOST as u64
    }
}

impl Line {
    /// Takes or renews the lease; true while the caller leads.
    pub async fn lead(&self, event: EventId, lease: &LeaseToken, hold_for: Duration) -> Read<bool> {
        let millis = u64::try_from(hold_for.as_millis()).unwrap_or(u64::MAX);
        self.lease(event, lease, millis.max(1)).await
    }

    /// Gives the lease up, so that the next leader need not wait for its end.
    pub async fn resign(&self, event: EventId, lease: &LeaseToken) -> Read<()> {
        self.lease(event, lease, 0).await.map(drop)
    }

    async fn lease(&self, event: EventId, lease: &LeaseToken, millis: u64) -> Read<bool> {
        let call = self
            .call(&scripts::LEAD, event)
            .key(keys::leader(event))
            .arg(lease.0.as_str())
            .arg(millis);
        let mut reply: Reply = call.run().await?;
        match reply.word()?.as_str() {
            "led" => reply.flag(),
            other => Err(unexpected(other)),
        }
    }

    /// Admits the fans of these numbers.
    pub async fn release(&self, order: &ReleaseOrder<'_>) -> Result<Released, ReleaseError> {
        let ReleaseOrder { event, lane, .. } = *order;
        let numbers: Vec<u32> = order.numbers.iter().map(|n| n.0).collect();
        let call = self
            .call(&scripts::RELEASE, event)
            .key(keys::line(event, lane))
            .key(keys::alive(event, lane))
            .key(keys::spent(event, lane))
            .key(keys::admitted(event))
            .key(keys::inside(event))
            .key(keys::leader(event))
            .key(keys::released(event))
            .arg(order.lease.0.as_str())
            .arg(order.sequence)
            .arg(lane.as_str())
            .arg(order.snapshot_at.millis())
            .arg(numbers);
        let mut reply: Reply = call.run().await?;
        let refused = match reply.word()?.as_str() {
            "released" => return Ok(released(&mut reply)?),
            "not_leader" => ReleaseError::NotLeader,
            "old_sequence" => ReleaseError::OldSequence,
            "not_open" => ReleaseError::NotOpen,
            "paused" => ReleaseError::Paused,
            "settling" => ReleaseError::Settling,
            "stale_snapshot" => ReleaseError::StaleSnapshot,
            "unordered" => ReleaseError::Unordered,
            other => unexpected(other).into(),
        };
        Err(refused)
    }

    /// Puts missed claims back and ends what is over, at most `SWEEP_AT_MOST` of each.
    pub async fn sweep(&self, event: EventId, lanes: &[Lane]) -> Read<Swept> {
        let mut call = self
            .call(&scripts::SWEEP, event)
            .key(keys::admitted(event))
            .key(keys::active(event))
            .key(keys::inside(event))
            .key(keys::ended(event))
            .key(keys::fate(event))
            .key(keys::missed(event));
        for lane in lanes {
            call = call
                .key(keys::line(event, lane))
                .key(keys::alive(event, lane))
                .key(keys::spent(event, lane));
        }
        let remembered_ms = END_REMEMBERED.as_secs() * 1000;
        let call = call.arg(SWEEP_AT_MOST).arg(remembered_ms).arg(names(lanes));
        let mut reply: Reply = call.run().await?;
        match reply.word()?.as_str() {
            "swept" => swept(event, &mut reply),
            other => Err(unexpected(other)),
        }
    }

    /// Gives up the places of numbers absent beyond the grace; returns their fans.
    pub async fn forget(
        &self,
        event: EventId,
        lane: &Lane,
        lease: &LeaseToken,
        numbers: &[Number],
    ) -> Result<Vec<FanId>, LeaderError> {
        let numbers = &numbers[..numbers.len().min(MAX_NUMBERS_PER_RELEASE)];
        let numbers: Vec<u32> = numbers.iter().map(|n| n.0).collect();
        let call = self
            .call(&scripts::FORGET, event)
            .key(keys::line(event, lane))
            .key(keys::alive(event, lane))
            .key(keys::spent(event, lane))
            .key(keys::leader(event))
            .key(keys::missed(event))
            .arg(lease.0.as_str())
            .arg(numbers);
        let mut reply: Reply = call.run().await?;
        match reply.word()?.as_str() {
            "forgot" => {
                let mut fans = Vec::new();
                while !reply.is_done() {
                    fans.push(reply.fan()?);
                }
                Ok(fans)
            }
            "not_leader" => Err(LeaderError::NotLeader),
            other => Err(unexpected(other).into()),
        }
    }

    /// Says what holds of each lane until the next tick: the edges read it with
    /// the board.
    pub async fn announce(
        &self,
        event: EventId,
        lease: &LeaseToken,
        lanes: &[LaneNews],
    ) -> Result<(), LeaderError> {
        let mut call = self
            .call(&scripts::ANNOUNCE, event)
            .key(keys::leader(event))
            .arg(lease.0.as_str());
        for news in lanes {
            call = call
                .arg(news.lane.as_str())
                .arg(news.passes)
                .arg(news.outlook.to_string());
        }
        let mut reply: Reply = call.run().await?;
        match reply.word()?.as_str() {
            "announced" => Ok(()),
            "not_leader" => Err(LeaderError::NotLeader),
            other => Err(unexpected(other).into()),
        }
    }
}

fn released(reply: &mut Reply) -> Read<Released> {
    let claim_by = reply.time()?;
    let mut fans = Vec::with_capacity(MAX_NUMBERS_PER_RELEASE);
    while !reply.is_done() {
        let number = reply.number()?;
        let fan = reply.fan()?;
        fans.push(ReleasedFan { number, fan });
    }
    Ok(Released { claim_by, fans })
}

fn swept(event: EventId, reply: &mut Reply) -> Read<Swept> {
    let mut swept = Swept {
        put_back: reply.count()?,
        ended: Vec::new(),
    };
    while !reply.is_done() {
        let (fan, number) = (reply.fan()?, reply.number()?);
        let (lane, reason) = (reply.lane()?, reply.reason()?);
        swept
            .ended
            .push(Ended::new(event, fan, number, lane, reason));
    }
    Ok(swept)
}
