//! The keys of the line that a benchmark reads beside usher, to check what fans heard.

use usher_base::EventId;
use usher_base::redis::keys::of_event;

/// Who waits, by number.
pub fn line(event: EventId) -> String {
    of_event(event, "line:main")
}
