//! `/console/e/{id}/invites`: the codes that open a lane, new ones, and taking one back.

use askama::Template;

use super::assets::{self, Entry};
use super::console::{Tab, Tabs};
use super::model::{EventHead, Moment};
use super::wording;

/// A code that was given out, without its text.
#[derive(Debug, Clone)]
pub struct GivenCode {
    pub id: String,
    pub lane: String,
    pub used: u64,
    pub uses_left: u64,
    pub expires_at: Option<Moment>,
    /// Its time is over.
    pub is_over: bool,
}

impl GivenCode {
    /// As much of the id as tells codes apart at a glance.
    fn short(&self) -> &str {
        self.id.get(..8).unwrap_or(&self.id)
    }

    fn uses(&self) -> String {
        let (used, left) = (wording::count(self.used), wording::count(self.uses_left));
        format!("Used by {used}, {left} left")
    }
}

/// Codes that were just made. Their `Debug` would tell them, so it has none.
#[derive(Clone)]
pub struct MadeCodes {
    pub lane: String,
    pub codes: Vec<String>,
}

#[derive(Clone, Template)]
#[template(path = "console_invites.html")]
pub struct InvitesPage {
    pub head: EventHead,
    pub tabs: Tabs,
    /// Those that need a code.
    pub lanes: Vec<String>,
    pub given: Vec<GivenCode>,
    /// The last id of this page, where there may be another.
    pub next: Option<String>,
    pub made: Option<MadeCodes>,
    /// Why no code was made, in one sentence.
    pub problem: Option<String>,
}
