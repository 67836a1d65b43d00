//! The draw's calls: fix the list, read it, give out the numbers.

use usher_base::{EventId, FanId, Lane, Number};

use super::{Line, raw};
use crate::error::FreezeError;
use crate::keys;
use crate::reply::{Read, Reply, unexpected};
use crate::scripts;

/// Fans of the list that one call reads, or a rebuild brings back.
const LIST_FANS_PER_CALL: usize = 125;
/// Numbers that one call gives out: with a million fans in the list each costs 8 us on
/// average, most of it for taking the fan out of the list, and 60 in the slowest call seen
/// (docs/draw.md), while the machine's memory is busy.
pub(crate) const NUMBERS_PER_CALL: usize = 25;

/// Whether numbers are given for the first time or brought back after a loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbering {
    Draw,
    Rebuild,
}

impl Line {
    /// Fixes the lists of all lanes and how many fans are in each. Again: the same.
    pub async fn freeze(&self, event: EventId, lanes: &[Lane]) -> Result<Vec<u32>, FreezeError> {
        let mut call = self.call(&scripts::FREEZE, event);
        for lane in lanes {
            call = call
                .key(keys::gather(event, lane))
                .key(keys::next(event, lane))
                .arg(lane.as_str());
        }
        let mut reply: Reply = call.run().await?;
        match reply.word()?.as_str() {
            "frozen" => {
                let fans = lanes.iter().map(|_| Ok(reply.number()?.0));
                Ok(fans.collect::<Read<_>>()?)
            }
            "block_too_small" => Err(FreezeError::BlockTooSmall {
                lane: reply.lane()?,
                fans: reply.number()?.0,
            }),
            "settling" => Err(FreezeError::Settling),
            "not_gathering" => Err(FreezeError::NotGathering),
            other => Err(unexpected(other).into()),
        }
    }

    /// The frozen list in the order of arrival, each fan once.
    pub async fn gathered(&self, event: EventId, lane: &Lane) -> Read<Vec<FanId>> {
        let mut fans = Vec::new();
        let mut seen = std::collections::HashSet::new();
        let mut above = 0;
        loop {
            let call = self
                .call(&scripts::GATHERED, event)
                .key(keys::gather(event, lane))
                .arg(above)
                .arg(LIST_FANS_PER_CALL);
            let mut reply: Reply = call.run().await?;
            if reply.is_done() {
                return Ok(fans);
            }
            while !reply.is_done() {
                let fan = reply.fan()?;
                above = reply.count()?;
                if seen.insert(fan) {
                    fans.push(fan);
                }
            }
        }
    }

    /// Gives the fans of a frozen list the numbers from 1 on.
    pub async fn give_numbers(&self, event: EventId, lane: &Lane, fans: &[FanId]) -> Read<()> {
        let mut first = 1;
        for chunk in fans.chunks(NUMBERS_PER_CALL) {
            self.number(event, lane, Number(first), chunk, Numbering::Draw)
                .await?;
            first += u32::try_from(chunk.len()).unwrap_or(u32::MAX);
        }
        Ok(())
    }

    /// Gives fans the numbers from `first` on, at most `NUMBERS_PER_CALL` of them.
    pub(crate) async fn number(
        &self,
        event: EventId,
        lane: &Lane,
        first: Number,
        fans: &[FanId],
        numbering: Numbering,
    ) -> Read<()> {
        let state = match numbering {
            Numbering::Draw => "open",
            Numbering::Rebuild => "rebuilding",
        };
        let mut call = self
            .call(&scripts::NUMBER, event)
            .key(keys::line(event, lane))
            .key(keys::alive(event, lane))
            .key(keys::spent(event, lane))
            .key(keys::gather(event, lane))
            .arg(state);
        for (number, fan) in (first.0..).zip(&fans[..fans.len().min(NUMBERS_PER_CALL)]) {
            call = call.arg(number).arg(raw(fan));
        }
        call.run::<Reply>().await.map(drop)
    }

    /// Brings a frozen list back whose numbers are not drawn yet.
    pub(crate) async fn rebuild_gather(
        &self,
        event: EventId,
        lane: &Lane,
        fans: &[FanId],
    ) -> Read<()> {
        let mut index = 0u64;
        for chunk in fans.chunks(LIST_FANS_PER_CALL) {
            let mut call = self
                .call(&scripts::REBUILD_GATHER, event)
                .key(keys::gather(event, lane));
            for fan in chunk {
                index += 1;
                call = call.arg(index).arg(raw(fan));
            }
            call.run::<Reply>().await?;
        }
        Ok(())
    }
}
