//! `/console/e/{id}/door`: tickets are checked in, and each answer is told large.

use askama::Template;

use super::assets::{self, Entry};
use super::console::{Tab, Tabs};
use super::desk::UsedAt;
use super::model::{EventHead, Moment};
use super::wording;

/// What the person at the door is told about a ticket.
#[derive(Debug, Clone)]
pub enum Verdict {
    Admitted {
        ticket: String,
        place: String,
        at: Moment,
    },
    Used {
        ticket: String,
        place: String,
        first: UsedAt,
    },
    /// Used by the same door a moment ago: most likely scanned again.
    JustNow {
        ticket: String,
        place: String,
        seconds_ago: u64,
    },
    OtherEvent {
        /// None for an event that is not known here.
        title: Option<String>,
    },
    /// Its order was cancelled.
    Void {
        ticket: String,
    },
    Unknown,
}

impl Verdict {
    /// For the colour: green, none, amber or red. The words say the same.
    const fn tone(&self) -> &'static str {
        match self {
            Self::Admitted { .. } => "admitted",
            Self::JustNow { .. } => "just-now",
            Self::Used { .. } => "used",
            Self::OtherEvent { .. } | Self::Void { .. } | Self::Unknown => "refused",
        }
    }

    const fn sign(&self) -> &'static str {
        match self {
            Self::Admitted { .. } => "✓",
            Self::JustNow { .. } => "↻",
            Self::Used { .. } => "!",
            Self::OtherEvent { .. } | Self::Void { .. } | Self::Unknown => "✕",
        }
    }
}

/// How many have come, of how many who may.
#[derive(Debug, Clone, Copy)]
pub struct Arrivals {
    pub used: u64,
    pub sold: u64,
}

impl Arrivals {
    fn come(self) -> String {
        wording::count(self.used)
    }

    fn expected(self) -> String {
        wording::count(self.sold)
    }
}

#[derive(Debug, Clone, Template)]
#[template(path = "console_door.html")]
pub struct DoorPage {
    pub head: EventHead,
    pub tabs: Tabs,
    pub gate: String,
    /// What the last form brought.
    pub verdict: Option<Verdict>,
    /// Why nothing was checked, in one sentence.
    pub problem: Option<String>,
    /// None as long as it could not be counted.
    pub arrivals: Option<Arrivals>,
}
