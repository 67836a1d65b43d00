//! Where a fan stands, as told to everybody: one type for join, lookup and claim.

use std::fmt;
use std::str::FromStr;

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use usher_base::{EventId, InvalidId, Lane, Number, Timestamp};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Came before the draw; `index` only tells how many came, not the order.
    Gathering {
        index: u64,
    },
    Waiting {
        number: Number,
    },
    /// It is the fan's turn until `claim_by`.
    Admitted {
        claim_by: Timestamp,
        lane: Lane,
        number: Number,
    },
    /// Claimed: the fan is in the shop.
    Active(Session),
    Ended(EndReason),
    /// Not in this line: never joined, left, or given up after a long absence.
    Unknown,
}

/// An admitted fan's time inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub id: SessionId,
    pub lane: Lane,
    pub number: Number,
    pub ends_at: Timestamp,
}

/// Named by what it is a session of, so that claiming twice is one session.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId([u8; 16]);

impl SessionId {
    pub fn of(event: EventId, lane: &Lane, number: Number) -> Self {
        let text = format!("usher-session-1 {event} {lane} {number}");
        let hash = digest(&SHA256, text.as_bytes());
        let mut id = [0; 16];
        id.copy_from_slice(&hash.as_ref()[..16]);
        Self(id)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for SessionId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let mut id = [0; 16];
        hex::decode_to_slice(text, &mut id).map_err(|_| InvalidId("session id"))?;
        Ok(Self(id))
    }
}

impl Serialize for SessionId {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SessionId {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Why a session, or a place that was admitted, is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The fan is done, or bought what there was to buy.
    Finished,
    /// The session's time was over.
    Expired,
    /// An operator ended it.
    Revoked,
    /// The third claim was missed.
    Missed,
    /// The fan gave up the admission.
    Left,
}

impl EndReason {
    pub const ALL: [Self; 5] = [
        Self::Finished,
        Self::Expired,
        Self::Revoked,
        Self::Missed,
        Self::Left,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Missed => "missed",
            Self::Left => "left",
        }
    }
}

impl FromStr for EndReason {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let found = Self::ALL.into_iter().find(|why| why.as_str() == text);
        found.ok_or(InvalidId("end reason"))
    }
}
