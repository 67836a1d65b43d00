//! How many have come to an event, as its doors show it. Counting reads all of the event's
//! tickets, and each scan shows the count: so it is counted once in a while, and what this
//! process lets in meanwhile is added.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::Mutex;
use usher_base::{EventId, Timestamp};
use usher_booking::orders::Orders;
use usher_booking::pg::tickets::Arrivals;

use crate::desk::database_unavailable;
use crate::error::ApiResult;

/// Other processes' doors are seen this late.
const COUNT_AGAIN: Duration = Duration::from_secs(5);

/// Bounded by the events that are known here: callers look the event up first.
#[derive(Default)]
pub struct Arrived {
    counted: Mutex<HashMap<EventId, (Timestamp, Arrivals)>>,
}

impl Arrived {
    /// However many ask at once, one counts.
    pub async fn count(
        &self,
        orders: &Orders,
        event: EventId,
        now: Timestamp,
    ) -> ApiResult<Arrivals> {
        let mut counted = self.counted.lock().await;
        if let Some((at, known)) = counted.get(&event)
            && now.since(*at) < COUNT_AGAIN
        {
            return Ok(*known);
        }
        let fresh = orders.arrivals(event).await.map_err(database_unavailable)?;
        counted.insert(event, (now, fresh));
        Ok(fresh)
    }

    /// One more was let in here.
    pub async fn one_more(&self, event: EventId) {
        if let Some((_, known)) = self.counted.lock().await.get_mut(&event) {
            known.used += 1;
        }
    }
}
