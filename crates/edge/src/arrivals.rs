//! How many have come to an event, as its doors show it. Counting reads all of the event's
//! tickets, and each scan shows the count: so it is counted once in a while, and what this
//! process lets in meanwhile is added. No scan waits for another one's count.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::timeout;
use usher_base::{EventId, Timestamp};
use usher_booking::orders::Orders;
use usher_booking::pg::tickets::Arrivals;

/// Other processes' doors are seen this late.
const COUNT_AGAIN: Duration = Duration::from_secs(5);
/// Whoever counts waits this long with an answer in hand. Shorter than `COUNT_AGAIN`:
/// so one counts at a time.
const COUNT_WITHIN: Duration = Duration::from_secs(1);

/// Bounded by the events that are known here: who counts looked the event up first.
#[derive(Default)]
pub struct Arrived {
    tallies: Mutex<HashMap<EventId, Tally>>,
}

#[derive(Default)]
struct Tally {
    /// When the last count began, whether or not it came to an end.
    began: Option<Timestamp>,
    counted: Option<Arrivals>,
    /// How many counts came to an end.
    round: u64,
}

impl Arrived {
    /// The latest count, where there is one: a new one, if it is time for it.
    pub async fn count(&self, orders: &Orders, event: EventId, now: Timestamp) -> Option<Arrivals> {
        if self.begins(event, now) {
            match timeout(COUNT_WITHIN, orders.arrivals(event)).await {
                Ok(Ok(fresh)) => self.learn(event, fresh),
                Ok(Err(error)) => tracing::error!(%error, "arrivals cannot be counted"),
                Err(_) => tracing::warn!("counting arrivals takes too long"),
            }
        }
        self.tallies().get(&event)?.counted
    }

    /// Whether it is this caller's turn to count.
    fn begins(&self, event: EventId, now: Timestamp) -> bool {
        let mut tallies = self.tallies();
        let tally = tallies.entry(event).or_default();
        let is_due = tally.began.is_none_or(|at| now.since(at) >= COUNT_AGAIN);
        if is_due {
            tally.began = Some(now);
        }
        is_due
    }

    fn learn(&self, event: EventId, fresh: Arrivals) {
        let mut tallies = self.tallies();
        let tally = tallies.entry(event).or_default();
        tally.counted = Some(fresh);
        tally.round += 1;
    }

    /// To be asked before a ticket is used, for `one_more`.
    pub fn round(&self, event: EventId) -> u64 {
        self.tallies().get(&event).map_or(0, |tally| tally.round)
    }

    /// One more was let in here. A count that ended since `round` may have seen it already,
    /// and it is not added: rather one too few until the next count than one twice.
    pub fn one_more(&self, event: EventId, round: u64) {
        if let Some(tally) = self.tallies().get_mut(&event)
            && tally.round == round
            && let Some(counted) = &mut tally.counted
        {
            counted.used += 1;
        }
    }

    /// Never held while anything is waited for.
    fn tallies(&self) -> MutexGuard<'_, HashMap<EventId, Tally>> {
        self.tallies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_255_200_000);

    fn used(arrived: &Arrived, event: EventId) -> Option<u64> {
        let counted = arrived.tallies().get(&event)?.counted?;
        Some(counted.used)
    }

    #[test]
    fn one_counts_and_nobody_else_does_until_it_is_time_again() {
        let (arrived, event) = (Arrived::default(), EventId::new(NOW));
        assert!(arrived.begins(event, NOW));
        assert!(!arrived.begins(event, NOW.plus(COUNT_WITHIN)));
        assert!(arrived.begins(EventId::new(NOW), NOW));
        assert!(arrived.begins(event, NOW.plus(COUNT_AGAIN)));
    }

    #[test]
    fn who_is_let_in_is_added_once() {
        let (arrived, event) = (Arrived::default(), EventId::new(NOW));
        arrived.one_more(event, arrived.round(event));
        assert_eq!(used(&arrived, event), None);
        arrived.learn(event, Arrivals { used: 3, sold: 9 });
        let before = arrived.round(event);
        arrived.one_more(event, before);
        assert_eq!(used(&arrived, event), Some(4));
        // A count ends between the use of a ticket and its telling.
        arrived.learn(event, Arrivals { used: 5, sold: 9 });
        arrived.one_more(event, before);
        assert_eq!(used(&arrived, event), Some(5));
    }
}
