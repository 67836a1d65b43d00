//! `/e/{id}/queue`: a fan's place in line, and the turn when it comes.
//!
//! The page is whole without a script (it reloads itself); with one it follows the
//! stream. Both start from the same [`Place`], which is embedded as JSON.

use askama::Template;
use serde::Serialize;

use super::assets::{self, Entry};
use super::model::{EventHead, LineOrder, Moment, Phase, WaitInterval};
use super::wording;

/// How often the page reloads itself without a script, in seconds.
const RELOAD_SECONDS: u32 = 15;

/// How this fan stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// In line, or gathered before the start.
    Waiting,
    /// Released: the turn is to be claimed before `claim_by`.
    Admitted,
    /// Claimed: the seats are open to this fan.
    Inside,
    /// Not in this line (never joined, left, or missed the turn for the last time).
    Absent,
}

/// Why a wait became longer than it was said to be, or why none is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SlipReason {
    Paused,
    BackendSlowed,
    PeopleReturned,
    SpokenFor,
}

impl SlipReason {
    /// As the API spells it.
    pub fn named(word: &str) -> Option<Self> {
        match word {
            "paused" => Some(Self::Paused),
            "backend_slowed" => Some(Self::BackendSlowed),
            "people_returned" => Some(Self::PeopleReturned),
            "spoken_for" => Some(Self::SpokenFor),
            _ => None,
        }
    }

    /// The script words it alike.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Paused => "The line was paused for a while, so the wait became longer.",
            Self::BackendSlowed => {
                "Buying takes longer than usual at the moment, so people are let in more slowly."
            }
            Self::PeopleReturned => {
                "Some people ahead of you came back to their places, so the wait became longer."
            }
            Self::SpokenFor => {
                "Tickets may run out before it is your turn, so no time is shown. You keep your place, and a time is shown again as soon as enough tickets are free."
            }
        }
    }
}

/// A fan's place: the answer of `GET /api/v1/events/{id}/queue`, as far as the page shows it.
#[derive(Debug, Clone, Serialize)]
pub struct Place {
    pub standing: Standing,
    pub phase: Phase,
    /// None before numbers are given.
    pub number: Option<u64>,
    pub ahead: Option<u64>,
    pub estimated_wait_seconds: Option<WaitInterval>,
    pub rate_per_minute: Option<u64>,
    pub reason: Option<SlipReason>,
    /// The operator's message to the line.
    pub message: Option<String>,
    pub opens_at: Option<Moment>,
    /// Set while `standing` is `Admitted`.
    pub claim_by: Option<Moment>,
}

#[derive(Debug, Clone, Template)]
#[template(path = "queue.html")]
pub struct QueuePage {
    pub head: EventHead,
    pub order: LineOrder,
    /// The draw was given up for the order of arrival.
    pub opened_as_fifo: bool,
    pub place: Place,
    /// The server's clock when the page was made.
    pub now: Moment,
}

/// The part of the page that is shown; each exists once in the template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Panel {
    Gathering,
    Drawing,
    Waiting,
    Paused,
    Admitted,
    Inside,
    SoldOut,
    Closed,
    Absent,
}

impl Panel {
    const fn of(place: &Place) -> Self {
        match (place.standing, place.phase) {
            (Standing::Admitted, _) => Self::Admitted,
            (Standing::Inside, _) => Self::Inside,
            (_, Phase::SoldOut) => Self::SoldOut,
            (_, Phase::Closed) => Self::Closed,
            (Standing::Absent, _) => Self::Absent,
            (_, Phase::Draft | Phase::Scheduled | Phase::Gathering) => Self::Gathering,
            (_, Phase::Drawing) => Self::Drawing,
            (_, Phase::Paused) => Self::Paused,
            (_, Phase::Open) => Self::Waiting,
        }
    }
}

impl QueuePage {
    fn shows(&self, panel: Panel) -> bool {
        Panel::of(&self.place) == panel
    }

    /// A number is shown from when it is given until the turn comes.
    fn shows_place(&self) -> bool {
        self.place.number.is_some()
            && matches!(
                Panel::of(&self.place),
                Panel::Waiting | Panel::Paused | Panel::Drawing
            )
    }

    /// Nothing is left to wait for once the sale is over.
    fn can_leave(&self) -> bool {
        let is_over = self.shows(Panel::SoldOut) || self.shows(Panel::Closed);
        !is_over && matches!(self.place.standing, Standing::Waiting | Standing::Admitted)
    }

    /// In line, with nobody let in for a while, no wait to tell and nothing else to say of it.
    fn stands_still(&self) -> bool {
        let nobody = self.place.rate_per_minute == Some(0);
        let is_told = self.place.estimated_wait_seconds.is_some() || self.place.reason.is_some();
        nobody && !is_told && self.shows(Panel::Waiting)
    }

    /// Nothing changes by itself any more, so there is nothing to reload for.
    fn is_settled(&self) -> bool {
        matches!(
            Panel::of(&self.place),
            Panel::SoldOut | Panel::Closed | Panel::Absent | Panel::Inside
        )
    }

    const fn reload_seconds(&self) -> u32 {
        RELOAD_SECONDS
    }

    fn number_words(&self) -> String {
        self.place.number.map(wording::count).unwrap_or_default()
    }

    /// Who is ahead is not known before the places are drawn.
    fn ahead_words(&self) -> String {
        match self.place.ahead.filter(|_| !self.shows(Panel::Drawing)) {
            None => String::new(),
            Some(0) => "You are next".to_owned(),
            Some(1) => "1 person is ahead of you".to_owned(),
            Some(n) => format!("{} people are ahead of you", wording::count(n)),
        }
    }

    fn wait_words(&self) -> String {
        match self.place.estimated_wait_seconds {
            Some(_) if self.shows(Panel::Paused) => String::new(),
            Some(wait) => wait.words(),
            None => String::new(),
        }
    }

    fn reason_words(&self) -> &'static str {
        self.place.reason.map_or("", SlipReason::words)
    }
}
