//! An entry of the log of how an event is admitted.

use serde::Serialize;
use usher_base::Timestamp;

/// Changes that one reading returns at most.
pub const MAX_CHANGES_PER_READ: u32 = 500;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change<T> {
    pub at: Timestamp,
    pub who: String,
    /// `None` for the first.
    pub before: Option<T>,
    pub after: T,
}
