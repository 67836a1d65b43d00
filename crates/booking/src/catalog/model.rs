//! An event as the catalog keeps it. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use ring::digest;
use serde::{Deserialize, Serialize};
use usher_base::{EventId, Timestamp};
use uuid::Uuid;

use crate::holds::{HoldRules, Stock};
use crate::inventory::{SeatIndex, TierIndex};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub id: EventId,
    pub slug: String,
    /// Groups showtimes and tour dates.
    pub title: Title,
    pub description: String,
    pub category: String,
    pub venue: Venue,
    pub start_time: Timestamp,
    /// `None`: from the moment the line opens.
    pub sale_from: Option<Timestamp>,
    pub sale_until: Option<Timestamp>,
    /// `None`: fans cannot cancel by themselves.
    pub cancellable_until: Option<Timestamp>,
    /// ISO 4217.
    pub currency: String,
    /// Of a seat, by its category, in minor units.
    pub prices: BTreeMap<String, i64>,
    pub tiers: Vec<Tier>,
    pub rules: Rules,
    /// `None`: standing tiers only.
    pub layout_version: Option<String>,
    pub seat_count: u32,
    /// Seats that are not on sale.
    pub blocked: Vec<SeatIndex>,
    pub revision: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Title {
    pub id: Uuid,
    pub name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Venue {
    pub id: Uuid,
    pub name: String,
    pub city: String,
    pub capacity: Option<u32>,
}

/// A standing tier; its index is its place in the event's list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tier {
    pub code: String,
    pub name: String,
    pub capacity: u32,
    /// In minor units.
    pub price: i64,
}

/// What fans may do here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    pub tickets_per_order: u32,
    pub tickets_per_fan: u32,
    pub hold_seconds: u32,
    pub extension_seconds: u32,
    pub extensions: u32,
    /// Of all fans together; `None`: as many as the shop bears.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reservations_per_second: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commits_per_second: Option<u32>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            tickets_per_order: 4,
            tickets_per_fan: 8,
            hold_seconds: 600,
            extension_seconds: 300,
            extensions: 1,
            reservations_per_second: None,
            commits_per_second: None,
        }
    }
}

impl Rules {
    pub fn for_holds(&self) -> HoldRules {
        let seconds = |n: u32| Duration::from_secs(n.into());
        let (ttl, extension) = (seconds(self.hold_seconds), seconds(self.extension_seconds));
        HoldRules {
            tickets_per_order: self.tickets_per_order,
            tickets_per_fan: self.tickets_per_fan,
            ttl,
            extension,
            extensions: self.extensions,
            longest: ttl + extension * self.extensions,
        }
    }
}

impl Title {
    pub fn named(name: &str) -> Self {
        Self {
            id: id_of(&["title", name]),
            name: name.to_owned(),
        }
    }
}

/// The same names, the same id: two dates of one tour meet by themselves.
pub(super) fn id_of(names: &[&str]) -> Uuid {
    let digest = digest::digest(&digest::SHA256, names.join("\u{0}").as_bytes());
    let mut id = [0; 16];
    id.copy_from_slice(&digest.as_ref()[..16]);
    Uuid::from_bytes(id)
}

impl Event {
    /// Whether the sale window is open. The line has its own phases.
    pub fn is_on_sale(&self, now: Timestamp) -> bool {
        self.sale_from.is_none_or(|from| from <= now)
            && self.sale_until.is_none_or(|until| now < until)
    }

    pub fn may_be_cancelled(&self, now: Timestamp) -> bool {
        self.cancellable_until.is_some_and(|until| now < until)
    }

    /// What a search looks through.
    pub fn search_text(&self) -> String {
        let (title, category) = (&self.title.name, &self.category);
        let (venue, city) = (&self.venue.name, &self.venue.city);
        format!("{title} {category} {venue} {city} {}", self.description)
    }

    pub fn tier(&self, code: &str) -> Option<TierIndex> {
        let at = self.tiers.iter().position(|tier| tier.code == code)?;
        u16::try_from(at).ok().map(TierIndex)
    }

    pub fn tier_count(&self) -> u16 {
        u16::try_from(self.tiers.len()).unwrap_or(u16::MAX)
    }

    /// Seats and standing places together.
    pub fn places(&self) -> u32 {
        self.seat_count + self.tiers.iter().map(|tier| tier.capacity).sum::<u32>()
    }

    /// The cheapest and the dearest ticket.
    pub fn price_range(&self) -> Option<(i64, i64)> {
        let prices = || {
            let tiers = self.tiers.iter().map(|tier| tier.price);
            self.prices.values().copied().chain(tiers)
        };
        Some((prices().min()?, prices().max()?))
    }

    /// What Redis is rebuilt with.
    pub fn stock(&self) -> Stock {
        Stock {
            seats: self.seat_count,
            blocked: self.blocked.clone(),
            tiers: self.tiers.iter().map(|tier| tier.capacity).collect(),
        }
    }
}
