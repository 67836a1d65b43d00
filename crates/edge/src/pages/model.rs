//! What several pages speak of: an event's head, its phase, moments and money.
//!
//! These are the pages' own words. They carry just what is shown, so that a store
//! can change its types without touching a template.

use std::fmt;

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use super::wording;

/// A point in time, shown in UTC by the server and in the visitor's own zone by the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(OffsetDateTime);

impl Moment {
    /// For machines: `2026-11-21T19:30:00Z`.
    pub fn rfc3339(&self) -> String {
        self.0.format(&Rfc3339).unwrap_or_default()
    }

    /// For people: `Saturday 21 November 2026, 19:30 UTC`.
    pub fn words(&self) -> String {
        let shape = format_description!(
            "[weekday] [day padding:none] [month repr:long] [year], [hour]:[minute] UTC"
        );
        self.0.format(shape).unwrap_or_default()
    }

    /// A `<time>` element, which the script rewrites to the visitor's own zone.
    pub fn tag(&self) -> TimeTag {
        TimeTag(*self)
    }

    /// The same with the time of day only.
    pub fn clock_tag(&self) -> ClockTag {
        ClockTag(*self)
    }
}

/// See [`Moment::tag`].
#[derive(Debug, Clone, Copy)]
pub struct TimeTag(Moment);

impl fmt::Display for TimeTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (machine, words) = (self.0.rfc3339(), self.0.words());
        write!(f, r#"<time datetime="{machine}">{words}</time>"#)
    }
}

/// A formatted date holds no markup.
impl askama::filters::HtmlSafe for TimeTag {}

/// See [`Moment::clock_tag`].
#[derive(Debug, Clone, Copy)]
pub struct ClockTag(Moment);

impl fmt::Display for ClockTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = format_description!("[hour]:[minute] UTC");
        let words = self.0.0.format(shape).unwrap_or_default();
        let machine = self.0.rfc3339();
        write!(f, r#"<time datetime="{machine}" data-clock>{words}</time>"#)
    }
}

/// A formatted time holds no markup.
impl askama::filters::HtmlSafe for ClockTag {}

/// Whole seconds are all that a page shows.
impl From<OffsetDateTime> for Moment {
    fn from(at: OffsetDateTime) -> Self {
        let utc = at.to_offset(time::UtcOffset::UTC);
        Self(utc.replace_nanosecond(0).unwrap_or(utc))
    }
}

impl Serialize for Moment {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.rfc3339())
    }
}

/// An amount in minor units of an ISO 4217 currency, as the API spells money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Money {
    pub amount: i64,
    pub currency: String,
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&wording::money(self.amount, &self.currency))
    }
}

/// The cheapest and the dearest ticket of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceRange {
    pub min: Money,
    pub max: Money,
}

impl fmt::Display for PriceRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.min == self.max {
            return self.min.fmt(f);
        }
        write!(f, "{} to {}", self.min, self.max)
    }
}

/// How many places there are and how many are still to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Availability {
    pub total_seats: u64,
    pub available_seats: u64,
}

impl Availability {
    /// `Sold out`, or `1,234 of 2,000 places left`.
    pub fn words(&self) -> String {
        if self.available_seats == 0 {
            return "No places left".to_owned();
        }
        format!(
            "{} of {} places left",
            wording::count(self.available_seats),
            wording::count(self.total_seats)
        )
    }
}

/// Where an event stands on its way (DESIGN section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Draft,
    Scheduled,
    Gathering,
    Drawing,
    Open,
    Paused,
    SoldOut,
    Closed,
}

impl Phase {
    /// The name as the API spells it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Scheduled => "scheduled",
            Self::Gathering => "gathering",
            Self::Drawing => "drawing",
            Self::Open => "open",
            Self::Paused => "paused",
            Self::SoldOut => "sold_out",
            Self::Closed => "closed",
        }
    }

    /// What a fan reads on a badge.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Draft => "Not announced yet",
            Self::Scheduled => "Opens soon",
            Self::Gathering => "Waiting room open",
            Self::Drawing => "Drawing places",
            Self::Open => "On sale now",
            Self::Paused => "Paused",
            Self::SoldOut => "Sold out",
            Self::Closed => "Sale ended",
        }
    }

    /// Whether a fan may still join the line.
    pub const fn can_join(self) -> bool {
        matches!(
            self,
            Self::Gathering | Self::Drawing | Self::Open | Self::Paused
        )
    }
}

/// How places before the opening are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LineOrder {
    Fifo,
    Lottery,
}

/// The expected wait: half of the fans wait at most `low`, nine of ten at most `high`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct WaitInterval {
    /// Seconds.
    pub low: u64,
    /// Seconds.
    pub high: u64,
}

impl WaitInterval {
    /// `about 4 to 7 minutes`.
    pub fn words(&self) -> String {
        wording::wait(self.low, self.high)
    }
}

/// What every page about an event shows on top.
#[derive(Debug, Clone)]
pub struct EventHead {
    /// As in the address: `/e/{id}`.
    pub id: String,
    pub title: String,
    /// Name and city of the venue, `Grand Hall, Berlin`.
    pub venue: String,
    pub starts_at: Moment,
}

/// One line of what a fan holds or bought.
#[derive(Debug, Clone)]
pub struct LineItem {
    /// `Stalls, row C, seat 12`, or the name of a standing tier.
    pub label: String,
    /// 1 for a seat.
    pub count: u32,
    /// Of all of them together.
    pub price: Money,
}
