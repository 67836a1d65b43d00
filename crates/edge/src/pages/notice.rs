//! Pages for when something is wrong: a plain sentence, and what happens next.

use askama::Template;

use super::assets::{self, Entry};

/// Any error a visitor meets by address or form.
#[derive(Debug, Clone, Template)]
#[template(path = "error.html")]
pub struct ErrorPage {
    /// Two or three words: `Page not found`.
    pub headline: String,
    /// One plain sentence saying what to do.
    pub sentence: String,
    /// For whoever is asked for help.
    pub request_id: String,
    /// Where the visitor can go on, as address and label.
    pub way_on: Option<(String, String)>,
}

/// The memory of the line is away: places are kept, and the page tries again by itself.
#[derive(Debug, Clone, Template)]
#[template(path = "away.html")]
pub struct AwayPage {
    /// Also to be sent as `Retry-After`; vary it a little, so that not everybody comes at once.
    pub retry_after_seconds: u32,
    pub request_id: String,
}
