//! At most one stream a fan on this edge: a newer one takes over, and the older is
//! told to stop instead of coming back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use usher_base::FanId;

/// The newest stream of each fan. As many as streams are open, which are counted.
#[derive(Default)]
pub struct Streams(Mutex<HashMap<FanId, Arc<Notify>>>);

/// One stream's hold on its fan, until it is dropped or a newer one takes over.
pub struct Held {
    streams: Arc<Streams>,
    fan: FanId,
    taken: Arc<Notify>,
}

impl Streams {
    pub fn take(self: &Arc<Self>, fan: FanId) -> Held {
        let taken = Arc::<Notify>::default();
        if let Some(older) = self.lock().insert(fan, Arc::clone(&taken)) {
            older.notify_one();
        }
        Held {
            streams: Arc::clone(self),
            fan,
            taken,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<FanId, Arc<Notify>>> {
        // A map of handles is whole after any panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Returns once a newer stream has the fan.
    pub async fn taken_over(&self) {
        self.taken.notified().await;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut streams = self.streams.lock();
        if let Some(newest) = streams.get(&self.fan)
            && Arc::ptr_eq(newest, &self.taken)
        {
            streams.remove(&self.fan);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn the_newest_stream_has_the_fan_and_only_its_own_end_frees_it() {
        let streams = Arc::<Streams>::default();
        let fan = FanId::from_bytes([1; 16]);
        let first = streams.take(fan);
        let other = streams.take(FanId::from_bytes([2; 16]));
        assert!(first.taken_over().now_or_never().is_none());
        let second = streams.take(fan);
        assert!(first.taken_over().now_or_never().is_some());
        drop(first);
        assert_eq!(streams.lock().len(), 2);
        assert!(second.taken_over().now_or_never().is_none());
        assert!(other.taken_over().now_or_never().is_none());
        drop((second, other));
        assert!(streams.lock().is_empty());
    }
}
