//! `/e/{id}/seats`: the seat map. The page brings the frame; the script fetches the
//! map itself, which is large, cacheable and the same for everybody.

use askama::Template;

use super::assets::{self, Entry};
use super::model::{EventHead, Moment};

#[derive(Debug, Clone, Template)]
#[template(path = "seats.html")]
pub struct SeatsPage {
    pub head: EventHead,
    /// When this fan's time inside ends, as far as it is known now.
    pub session_ends_at: Option<Moment>,
    /// The most tickets of one order.
    pub tickets_per_order: u32,
    /// The server's clock when the page was made.
    pub now: Moment,
}
