//! The wait as fans are told it, or why none is told: read from what the leader
//! announced with the board, by the number alone. A stream, a poll and a page therefore tell one fan the same,
//! on whichever edge, and nothing of it is kept here.

use usher_base::{Lane, Number};
use usher_queue::Phase;
use usher_queue::wait::{Interval, SlipReason};

use crate::answers::WaitInterval;
use crate::live::EventView;

/// One telling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Telling {
    pub interval: Option<WaitInterval>,
    /// Why the wait became longer, if it did a moment ago; or why none is told.
    pub reason: Option<&'static str>,
}

/// What is left goes to people ahead, as it looks now.
const SPOKEN_FOR: &str = "spoken_for";

/// The wait of this number, if anybody can say.
pub fn tell(view: &EventView, lane: &Lane, number: Number) -> Telling {
    let of_lane = view.board().lane(lane);
    let outlook = of_lane.and_then(|of| of.outlook.as_ref());
    let Some(outlook) = outlook.filter(|_| view.phase() != Phase::Paused) else {
        return Telling::default();
    };
    if outlook.is_beyond(number) {
        return Telling {
            interval: None,
            reason: Some(SPOKEN_FOR),
        };
    }
    // By Redis's clock, as the leader's words are.
    let wait = outlook.wait(number, view.at());
    Telling {
        interval: wait.map(|wait| shown(wait.interval)),
        reason: wait.and_then(|wait| wait.slipped).map(word),
    }
}

/// In whole seconds; nobody's wait is known closer.
fn shown(interval: Interval) -> WaitInterval {
    WaitInterval {
        soonest: interval.low.as_secs(),
        low: interval.likely.as_secs_f64().round() as u64,
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
    fn fans_are_told_what_one_in_ten_half_and_nine_in_ten_wait() {
        let interval = Interval {
            low: Duration::from_millis(3_700),
            likely: Duration::from_millis(9_900),
            high: Duration::from_millis(20_100),
        };
        let told = WaitInterval {
            soonest: 3,
            low: 10,
            high: 21,
        };
        assert_eq!(shown(interval), told);
    }
}
