//! Whose place this edge has put back into a Redis that forgot. The board of a rebuilt
//! Redis shows which numbers wait, not whose they are; until each fan was put back once,
//! nobody could be let in under their number.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use usher_base::{Epoch, Lane, Number};
use usher_queue::Bitmap;

/// Numbers by lane, of the epoch that was asked about last.
type OfEpoch = (Option<Epoch>, HashMap<Lane, Bitmap>);

#[derive(Default)]
pub struct Restored(Mutex<OfEpoch>);

impl Restored {
    pub fn contains(&self, epoch: Epoch, lane: &Lane, number: Number) -> bool {
        let of_epoch = self.of(epoch);
        let of_lane = of_epoch.1.get(lane);
        of_lane.is_some_and(|numbers| numbers.contains(number))
    }

    pub fn insert(&self, epoch: Epoch, lane: &Lane, number: Number) {
        let mut of_epoch = self.of(epoch);
        of_epoch.1.entry(lane.clone()).or_default().insert(number);
    }

    /// What was put back into another epoch's memory counts no more.
    fn of(&self, epoch: Epoch) -> MutexGuard<'_, OfEpoch> {
        let mut of_epoch = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if of_epoch.0 != Some(epoch) {
            *of_epoch = (Some(epoch), HashMap::new());
        }
        of_epoch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_loss_of_memory_begins_anew() {
        let (restored, lane) = (Restored::default(), Lane::main());
        restored.insert(Epoch(2), &lane, Number(7));
        assert!(restored.contains(Epoch(2), &lane, Number(7)));
        assert!(!restored.contains(Epoch(2), &lane, Number(8)));
        assert!(!restored.contains(Epoch(3), &lane, Number(7)));
    }
}
