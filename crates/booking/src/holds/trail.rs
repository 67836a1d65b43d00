//! Reads the trail: what happened to holds, in the order in which it happened
//! in Redis. Lossy by declaration (about the last 100,000 entries, nothing
//! after a loss of Redis), so it explains and never proves.

use std::str::FromStr;

use redis::streams::{StreamId, StreamRangeReply};
use usher_base::redis::CallError;
use usher_base::{EventId, FanId, OrderId, ReservationId, Timestamp};

use super::record::{parse_seats, parse_tiers, time};
use super::store::Holds;
use crate::inventory::{SeatIndex, TierIndex};
use crate::keys;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TrailKind {
    Created,
    Extended,
    Expired,
    Released,
    Cancelled,
    Committing,
    Unpinned,
    Confirmed,
    /// A cancelled or refunded order's seats went back on sale.
    Restocked,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrailEntry {
    /// Where to go on reading: the stream's own id.
    pub id: String,
    pub at: Timestamp,
    pub kind: TrailKind,
    pub reservation: ReservationId,
    pub fan: FanId,
    pub order: Option<OrderId>,
    pub seats: Vec<SeatIndex>,
    pub tiers: Vec<(TierIndex, u32)>,
}

impl Holds {
    /// Up to `limit` entries after the one with the id `after` (`None`: from
    /// the oldest kept).
    pub async fn trail(
        &self,
        event: EventId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<TrailEntry>, CallError> {
        let from = after.map_or_else(|| "-".to_owned(), |id| format!("({id}"));
        let mut range = redis::cmd("XRANGE");
        range.arg(keys::trail(event)).arg(from).arg("+");
        range.arg("COUNT").arg(limit);
        let found: StreamRangeReply = self.redis.command(range).await?;
        let entries: Option<Vec<_>> = found.ids.iter().map(entry).collect();
        entries.ok_or_else(|| CallError::Shape("a trail entry is malformed".into()))
    }
}

fn entry(raw: &StreamId) -> Option<TrailEntry> {
    let field = |name: &str| raw.get::<String>(name);
    let order = field("o").filter(|text| !text.is_empty());
    Some(TrailEntry {
        id: raw.id.clone(),
        at: time(&field("at")?)?,
        kind: TrailKind::from_word(&field("k")?)?,
        reservation: ReservationId::from_str(&field("r")?).ok()?,
        fan: FanId::from_str(&field("f")?).ok()?,
        order: match order {
            None => None,
            Some(text) => Some(OrderId::from_str(&text).ok()?),
        },
        seats: parse_seats(&field("s")?)?,
        tiers: parse_tiers(&field("t")?)?,
    })
}

impl TrailKind {
    fn from_word(word: &str) -> Option<Self> {
        match word {
            "h" => Some(Self::Created),
            "extended" => Some(Self::Extended),
            "e" => Some(Self::Expired),
            "r" => Some(Self::Released),
            "x" => Some(Self::Cancelled),
            "c" => Some(Self::Committing),
            "unpinned" => Some(Self::Unpinned),
            "b" => Some(Self::Confirmed),
            "restocked" => Some(Self::Restocked),
            _ => None,
        }
    }
}
