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
}
