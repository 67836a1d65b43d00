//! The wait as fans are told it: an interval from the leader's forecast, kept
//! while they wait (it slips only with a reason) and scored when their turn came.

use usher_base::{EventId, Lane, Timestamp};
use usher_queue::Phase;
use usher_queue::wait::{Interval, Promise, Scorer, SlipReason};

use crate::answers::WaitInterval;
use crate::live::EventView;

/// What one connected fan was told, and is held to.
#[derive(Default)]
pub struct Told {
    promise: Option<Promise>,
}

/// One telling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Telling {
    pub interval: Option<WaitInterval>,
    /// Why the wait became longer, if it did.
    pub reason: Option<&'static str>,
}

impl Told {
    /// The wait of a fan with so many ahead, in keeping with what was told before.
    pub fn tell(&mut self, view: &EventView, lane: &Lane, ahead: u32, now: Timestamp) -> Telling {
        if view.phase() == Phase::Paused
            && let Some(promise) = &mut self.promise
        {
            promise.pause();
            return Telling::default();
        }
        let forecast = view.board().lane(lane).and_then(|of| of.forecast);
        let fresh = forecast.and_then(|forecast| Some((forecast.wait(ahead)?, forecast)));
        let Some((fresh, basis)) = fresh else {
            return Telling::default();
        };
        let (promise, reason) = match &mut self.promise {
            Some(promise) => {
                let reason = promise.update(&fresh, basis, now);
                (promise, reason)
            }
            none => (none.insert(Promise::new(&fresh, basis, now)), None),
        };
        Telling {
            interval: Some(shown(promise.interval(now))),
            reason: reason.map(word),
        }
    }

    /// The turn came: compares what was told with it. Once a fan.
    pub fn score(&mut self, event: EventId, scorer: &mut Scorer, admitted_at: Timestamp) {
        if let Some(promise) = self.promise.take() {
            let score = promise.score(admitted_at);
            scorer.take_in(&score);
            scorer.publish(event, &score);
        }
    }
}

/// For who only asks now and then and is not followed.
pub fn at_once(view: &EventView, lane: &Lane, ahead: u32) -> Option<WaitInterval> {
    if view.phase() == Phase::Paused {
        return None;
    }
    let forecast = view.board().lane(lane)?.forecast?;
    forecast.wait(ahead).map(shown)
}

/// From the likely wait to the one that nine of ten keep, in whole seconds;
/// nobody's wait is known closer.
fn shown(interval: Interval) -> WaitInterval {
    WaitInterval {
        low: interval.likely.as_secs(),
        high: interval.high.as_secs_f64().ceil() as u64,
    }
}

/// The reason as the API spells it.
fn word(reason: SlipReason) -> &'static str {
    match reason {
        SlipReason::Slower => "backend_slowed",
        SlipReason::MoreCameBack => "people_returned",
        SlipReason::Paused => "paused",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn fans_are_told_what_half_and_what_nine_of_ten_wait() {
        let interval = Interval {
            low: Duration::from_secs(3),
            likely: Duration::from_millis(9_900),
            high: Duration::from_millis(20_100),
        };
        assert_eq!(shown(interval), WaitInterval { low: 9, high: 21 });
    }
}
