//! `/e/{id}`: one event, with the way into its line.

use askama::Template;

use super::assets::{self, Entry};
use super::model::{Availability, EventHead, LineOrder, Moment, Phase, PriceRange};

/// What was published before a draw, so that anybody can check it afterwards.
#[derive(Debug, Clone)]
pub struct DrawPublication {
    pub lane: String,
    /// The commitment, in hexadecimal.
    pub commitment: String,
    /// Where the randomness will come from, in words.
    pub entropy_rule: String,
    /// No randomness came, and numbers followed the order of arrival: public for ever.
    pub opened_as_fifo: bool,
}

/// `/e/{id}/check`: what the visitor's own browser can check of the draw.
#[derive(Debug, Clone, Template)]
#[template(path = "check.html")]
pub struct CheckPage {
    pub head: EventHead,
}

/// A CAPTCHA's widget as the page's script loads it.
#[derive(Debug, Clone)]
pub struct CaptchaWidget {
    pub provider: &'static str,
    pub site_key: String,
    pub script_url: String,
}

#[derive(Debug, Clone, Template)]
#[template(path = "event.html")]
pub struct EventPage {
    pub head: EventHead,
    /// The organiser's own words; line breaks are kept.
    pub description: Option<String>,
    pub phase: Phase,
    pub order: LineOrder,
    /// When the sale opens; shown with a countdown while it is ahead.
    pub opens_at: Option<Moment>,
    pub price_range: Option<PriceRange>,
    pub availability: Option<Availability>,
    pub draws: Vec<DrawPublication>,
    /// Some lane is opened by invite codes.
    pub codes: bool,
    /// So is the lane that everybody else would join.
    pub needs_code: bool,
    /// The line takes only customers of the shop, and this visitor is not known as one.
    pub needs_shop: bool,
    /// What this visitor has to pass before joining.
    pub captcha: Option<CaptchaWidget>,
    /// This visitor already stands in line or is inside: the button leads back there.
    pub has_place: bool,
    /// The server's clock when the page was made.
    pub now: Moment,
}

impl EventPage {
    fn was_given_up(&self) -> bool {
        self.draws.iter().any(|draw| draw.opened_as_fifo)
    }

    fn opens_later(&self) -> Option<Moment> {
        self.opens_at.filter(|opens_at| {
            matches!(self.phase, Phase::Scheduled | Phase::Gathering) && *opens_at > self.now
        })
    }
}
