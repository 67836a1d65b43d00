//! What this edge knows of each event from one read a tick: boards, presence,
//! ended sessions. Streams and polls are answered from here, so Redis pays for
//! positions per edge and tick, never per fan.

mod cadence;
mod connected;
mod event;
mod lookups;
mod picture;
mod polling;
mod restored;
mod streams;
mod ticker;
mod view;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use usher_base::EventId;

pub use cadence::{Cadence, Sent};
pub use connected::Connection;
pub use event::LiveEvent;
pub use streams::Held;
pub use ticker::{LiveOptions, run};
pub use view::{EventView, Spot};

/// The events that this edge serves.
#[derive(Default)]
pub struct Live {
    events: Mutex<HashMap<EventId, Arc<LiveEvent>>>,
}

impl Live {
    pub fn event(&self, event: EventId) -> Option<Arc<LiveEvent>> {
        self.lock().get(&event).cloned()
    }

    pub fn all(&self) -> Vec<Arc<LiveEvent>> {
        self.lock().values().cloned().collect()
    }

    fn insert(&self, event: Arc<LiveEvent>) {
        self.lock().insert(event.id, event);
    }

    fn remove(&self, event: EventId) {
        self.lock().remove(&event);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<EventId, Arc<LiveEvent>>> {
        // A map of handles is whole after any panic.
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
