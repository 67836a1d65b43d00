//! A hold as Rust sees it, what is asked for, and the event's rules for it.

use std::time::Duration;

use ring::digest;
use usher_base::{FanId, OrderId, ReservationId, Timestamp};

use super::ReservationStatus;
use crate::inventory::Selection;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    pub id: ReservationId,
    pub fan: FanId,
    pub status: ReservationStatus,
    pub selection: Selection,
    pub created_at: Timestamp,
    /// Means nothing while committing.
    pub expires_at: Timestamp,
    /// No extension goes past it.
    pub ends_at: Timestamp,
    pub extensions_remaining: u32,
    /// Commits so far.
    pub attempts: u32,
    /// The order of the last commit.
    pub order: Option<OrderId>,
}

/// What an event allows; from its catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldRules {
    pub tickets_per_order: u32,
    pub tickets_per_fan: u32,
    pub ttl: Duration,
    pub extension: Duration,
    pub extensions: u32,
    /// The absolute end of a hold, from its beginning.
    pub longest: Duration,
}

impl Default for HoldRules {
    fn default() -> Self {
        let (ttl, extension) = (Duration::from_secs(600), Duration::from_secs(300));
        Self {
            tickets_per_order: 4,
            tickets_per_fan: 8,
            ttl,
            extension,
            extensions: 1,
            longest: ttl + extension,
        }
    }
}

impl HoldRules {
    pub const TTL_MIN: Duration = Duration::from_secs(300);
    pub const TTL_MAX: Duration = Duration::from_secs(900);

    /// A fan may ask for less time than the event gives, not for more.
    pub fn ttl_for(&self, asked: Option<Duration>) -> Duration {
        asked.unwrap_or(self.ttl).min(self.ttl)
    }
}

/// A short digest that tells requests apart: equal bodies, equal tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HoldTag([u8; 16]);

impl HoldTag {
    /// Of a request's body in one canonical form, or of its idempotency key.
    pub fn of(request: &[u8]) -> Self {
        let digest = digest::digest(&digest::SHA256, request);
        let mut tag = [0; 16];
        tag.copy_from_slice(&digest.as_ref()[..16]);
        Self(tag)
    }

    pub(super) fn to_hex(self) -> String {
        hex::encode(self.0)
    }
}

/// One attempt to set something aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldRequest {
    pub id: ReservationId,
    pub fan: FanId,
    pub selection: Selection,
    pub ttl: Duration,
    /// Of the fan's request: with best-available the seats may differ from
    /// try to try, the request does not.
    pub tag: HoldTag,
}
