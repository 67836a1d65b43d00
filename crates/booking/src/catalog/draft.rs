//! An event as an operator writes it, in a file (`usher event import`) or in a
//! request, and what is wrong with it. Pure.

use std::collections::BTreeMap;

use serde::Deserialize;
use usher_base::{EventId, Timestamp};

use super::model::id_of;
use super::{Event, Rules, Tier, Title, Venue};
use crate::holds::HoldRules;
use crate::inventory::{MAX_TICKETS_PER_ORDER, MAX_TIERS_PER_EVENT, SeatIndex};
use crate::layout::{ImportError, Layout, import_value};

/// What an event may be limited to; more is no limit.
const MAX_PER_SECOND: u32 = 100_000;
/// Keeps sums of an order far from overflow.
const MAX_PRICE_MINOR_UNITS: i64 = 10_000_000_000;
const MAX_TEXT_CHARS: usize = 5_000;
const MAX_NAME_CHARS: usize = 120;
const MAX_TIER_CAPACITY: u32 = 1_000_000;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventDraft {
    pub slug: String,
    pub title: String,
    #[serde(default)]
    pub description: String,
    pub category: String,
    pub venue: VenueDraft,
    pub start_time: Timestamp,
    pub sale_from: Option<Timestamp>,
    pub sale_until: Option<Timestamp>,
    pub cancellable_until: Option<Timestamp>,
    pub currency: String,
    /// Price of a seat by its category, in minor units.
    #[serde(default)]
    pub prices: BTreeMap<String, i64>,
    #[serde(default)]
    pub tiers: Vec<TierDraft>,
    #[serde(default)]
    pub rules: Rules,
    /// In usher's simple form, or a pretix seating plan.
    pub layout: Option<serde_json::Value>,
    /// Ids of seats that are not on sale.
    #[serde(default)]
    pub blocked_seats: Vec<String>,
    /// How the line is set up, for whoever makes the line: nothing here reads it.
    pub line: Option<serde_json::Value>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VenueDraft {
    pub name: String,
    pub city: String,
    pub capacity: Option<u32>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TierDraft {
    pub code: String,
    pub name: String,
    pub capacity: u32,
    pub price: i64,
}

#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    #[error("This is no description of an event: {0}")]
    Form(String),
    #[error("{0} must be 1 to {MAX_NAME_CHARS} characters.")]
    Name(&'static str),
    #[error("The description is longer than {MAX_TEXT_CHARS} characters.")]
    LongDescription,
    #[error("The slug must be lower-case words joined by hyphens, such as \"summer-fest-2027\".")]
    Slug,
    #[error("The currency must be an ISO 4217 code, such as \"EUR\".")]
    Currency,
    #[error("The sale must end after it begins.")]
    SaleWindow,
    #[error("An event needs seats or standing tiers.")]
    NothingToSell,
    #[error("The category {0:?} of the layout has no price.")]
    NoPrice(String),
    #[error("The layout has no category {0:?}.")]
    UnknownCategory(String),
    #[error("A price must be from 0 to {MAX_PRICE_MINOR_UNITS} minor units.")]
    Price,
    #[error("The standing tier {0:?} is there twice.")]
    TierTwice(String),
    #[error("A tier's capacity must be at most {MAX_TIER_CAPACITY}.")]
    Capacity,
    #[error("An event can have at most {MAX_TIERS_PER_EVENT} standing tiers.")]
    TooManyTiers,
    #[error("The layout has no seat {0:?}.")]
    UnknownSeat(String),
    #[error(
        "Rules: 1 to {MAX_TICKETS_PER_ORDER} tickets an order, as many or more a fan; holds of \
         300 to 900 seconds; at most 3 extensions of at most 900 seconds; 1 to \
         {MAX_PER_SECOND} reservations or commits a second, if limited."
    )]
    Rules,
    #[error(transparent)]
    Layout(#[from] ImportError),
}

/// A draft that holds together.
#[derive(Clone, Debug)]
pub struct Draft {
    pub event: Event,
    pub layout: Option<Layout>,
}

impl EventDraft {
    /// From a file's text, TOML or JSON.
    pub fn parse(text: &str) -> Result<Self, DraftError> {
        if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|e| DraftError::Form(e.to_string()))
        } else {
            toml::from_str(text).map_err(|e| DraftError::Form(e.message().to_owned()))
        }
    }

    pub fn check(self, id: EventId) -> Result<Draft, DraftError> {
        let layout = self.layout.map(import_value).transpose()?;
        let tiers = self.tiers.into_iter().map(|draft| Tier {
            code: draft.code,
            name: draft.name,
            capacity: draft.capacity,
            price: draft.price,
        });
        let mut event = Event {
            id,
            slug: self.slug,
            title: Title::named(self.title.trim()),
            description: self.description,
            category: self.category.trim().to_owned(),
            venue: self.venue.into_venue(),
            start_time: self.start_time,
            sale_from: self.sale_from,
            sale_until: self.sale_until,
            cancellable_until: self.cancellable_until,
            currency: self.currency,
            prices: self.prices,
            tiers: tiers.collect(),
            rules: self.rules,
            layout_version: layout.as_ref().map(|l| l.version().to_owned()),
            seat_count: layout.as_ref().map_or(0, Layout::seat_count),
            blocked: Vec::new(),
            revision: 1,
        };
        check_event(&event, layout.as_ref())?;
        event.blocked = seats_by_id(layout.as_ref(), &self.blocked_seats)?;
        Ok(Draft { event, layout })
    }
}

impl VenueDraft {
    pub(super) fn into_venue(self) -> Venue {
        let (name, city) = (self.name.trim().to_owned(), self.city.trim().to_owned());
        Venue {
            id: id_of(&["venue", &name, &city]),
            name,
            city,
            capacity: self.capacity,
        }
    }
}

/// Sorted, each once.
pub(super) fn seats_by_id(
    layout: Option<&Layout>,
    ids: &[String],
) -> Result<Vec<SeatIndex>, DraftError> {
    let index = |id: &String| {
        let found = layout.and_then(|layout| layout.index_of(id));
        found.ok_or_else(|| DraftError::UnknownSeat(id.clone()))
    };
    let mut seats = ids.iter().map(index).collect::<Result<Vec<_>, _>>()?;
    seats.sort_unstable();
    seats.dedup();
    Ok(seats)
}

/// What must be true of every event, new or changed.
pub(super) fn check_event(event: &Event, layout: Option<&Layout>) -> Result<(), DraftError> {
    check_names(event)?;
    check_rules(&event.rules)?;
    let sells = event.currency.len() == 3 && event.currency.bytes().all(|b| b.is_ascii_uppercase());
    if !sells {
        return Err(DraftError::Currency);
    }
    if let (Some(from), Some(until)) = (event.sale_from, event.sale_until)
        && until <= from
    {
        return Err(DraftError::SaleWindow);
    }
    check_prices(event, layout)?;
    check_tiers(event)
}

fn check_names(event: &Event) -> Result<(), DraftError> {
    let fits = |name: &str| !name.trim().is_empty() && name.chars().count() <= MAX_NAME_CHARS;
    let named = [
        ("The title", &event.title.name),
        ("The category", &event.category),
        ("The venue's name", &event.venue.name),
        ("The venue's city", &event.venue.city),
    ];
    for (what, name) in named {
        if !fits(name) {
            return Err(DraftError::Name(what));
        }
    }
    if event.description.chars().count() > MAX_TEXT_CHARS {
        return Err(DraftError::LongDescription);
    }
    let word = |word: &str| {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        !word.is_empty() && word.bytes().all(plain)
    };
    let slug = event.slug.len() <= MAX_NAME_CHARS && event.slug.split('-').all(word);
    slug.then_some(()).ok_or(DraftError::Slug)
}

fn check_rules(rules: &Rules) -> Result<(), DraftError> {
    let ttl = u64::from(rules.hold_seconds);
    let sound = (1..=MAX_TICKETS_PER_ORDER).contains(&rules.tickets_per_order)
        && rules.tickets_per_fan >= rules.tickets_per_order
        && (HoldRules::TTL_MIN.as_secs()..=HoldRules::TTL_MAX.as_secs()).contains(&ttl)
        && rules.extensions <= 3
        && rules.extension_seconds <= 900
        && [rules.reservations_per_second, rules.commits_per_second]
            .into_iter()
            .flatten()
            .all(|limit| (1..=MAX_PER_SECOND).contains(&limit));
    sound.then_some(()).ok_or(DraftError::Rules)
}

fn check_prices(event: &Event, layout: Option<&Layout>) -> Result<(), DraftError> {
    let categories = layout.map(Layout::categories).unwrap_or_default();
    for category in &categories {
        if !event.prices.contains_key(*category) {
            return Err(DraftError::NoPrice((*category).to_owned()));
        }
    }
    for category in event.prices.keys() {
        if !categories.contains(&category.as_str()) {
            return Err(DraftError::UnknownCategory(category.clone()));
        }
    }
    let of_tiers = event.tiers.iter().map(|tier| &tier.price);
    let mut prices = event.prices.values().chain(of_tiers);
    let sound = prices.all(|price| (0..=MAX_PRICE_MINOR_UNITS).contains(price));
    sound.then_some(()).ok_or(DraftError::Price)
}

fn check_tiers(event: &Event) -> Result<(), DraftError> {
    if event.tiers.len() > usize::from(MAX_TIERS_PER_EVENT) {
        return Err(DraftError::TooManyTiers);
    }
    for (at, tier) in event.tiers.iter().enumerate() {
        let named = |text: &str| !text.trim().is_empty() && text.chars().count() <= MAX_NAME_CHARS;
        if !(named(&tier.code) && named(&tier.name)) {
            return Err(DraftError::Name("A tier's code and name"));
        }
        if event.tiers[..at]
            .iter()
            .any(|other| other.code == tier.code)
        {
            return Err(DraftError::TierTwice(tier.code.clone()));
        }
        if tier.capacity > MAX_TIER_CAPACITY {
            return Err(DraftError::Capacity);
        }
    }
    let sells = event.seat_count > 0 || !event.tiers.is_empty();
    sells.then_some(()).ok_or(DraftError::NothingToSell)
}
