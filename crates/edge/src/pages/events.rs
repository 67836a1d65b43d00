//! `/`: what is on sale, soonest first.

use askama::Template;

use super::assets::{self, Entry};
use super::model::{Availability, EventHead, Phase, PriceRange};

/// One event in the list.
#[derive(Debug, Clone)]
pub struct EventCard {
    pub head: EventHead,
    pub phase: Phase,
    /// Left out while an event has no inventory.
    pub price_range: Option<PriceRange>,
    pub availability: Option<Availability>,
}

/// The list; draft events are not to be passed in.
#[derive(Debug, Clone, Template)]
#[template(path = "events.html")]
pub struct EventsPage {
    pub events: Vec<EventCard>,
    pub search: EventSearch,
    /// To choose from.
    pub cities: Vec<String>,
    pub categories: Vec<String>,
    /// Numbers of the pages before and after this one.
    pub earlier: Option<usize>,
    pub later: Option<usize>,
}

/// What was looked for, as it was typed.
#[derive(Debug, Clone, Default)]
pub struct EventSearch {
    pub q: String,
    pub city: String,
    pub category: String,
    pub from: String,
}

impl EventSearch {
    fn is_used(&self) -> bool {
        let fields = [&self.q, &self.city, &self.category, &self.from];
        fields.iter().any(|field| !field.trim().is_empty())
    }
}
