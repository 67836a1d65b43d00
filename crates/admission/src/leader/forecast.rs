//! What a lane's waiting time is told from: its releases, who is passed over, who
//! gives up, measured second by second. Pure but for the meter's own memory.

use usher_base::{Number, Timestamp};
use usher_queue::wait::{Forecast, RateMeter, Scorer, TickCounts};
use usher_queue::{Bitmap, LaneBoard};

/// What is to be released from now on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Aim {
    pub per_second: f64,
    /// It will not be more: the shop has no more room or seats.
    pub is_most: bool,
}

/// One lane as the leader measures it.
pub(super) struct LaneMeter {
    meter: RateMeter,
    /// The largest number called so far.
    front: Number,
    called: u32,
    returned: u32,
    width: f64,
}

impl Default for LaneMeter {
    fn default() -> Self {
        Self {
            meter: RateMeter::default(),
            front: Number(0),
            called: 0,
            returned: 0,
            // Nobody has told this leader yet how earlier intervals turned out.
            width: Scorer::default().width(),
        }
    }
}

impl LaneMeter {
    /// These were called, ascending.
    pub fn called(&mut self, numbers: impl Iterator<Item = Number>) {
        for number in numbers {
            self.called += 1;
            if number < self.front {
                self.returned += 1;
            } else {
                self.front = number;
            }
        }
    }

    /// One second of an open event; `left` of this lane gave up.
    pub fn tick(&mut self, lane: &LaneBoard, here: &Bitmap, left: u32, now: Timestamp) {
        let counts = TickCounts {
            released: std::mem::take(&mut self.called),
            returned: std::mem::take(&mut self.returned),
            waiting: lane.board.waiting(),
            present: lane.board.alive().common_len(here),
            stragglers: lane.board.ahead(self.front),
            left,
        };
        self.meter.observe(counts, now);
    }

    /// Nothing moves, and that is no slow rate.
    pub fn interrupt(&mut self) {
        self.meter.interrupt();
    }

    /// From the lane's part of the decided rate until enough was measured. Behind a
    /// narrow door the past was quicker than what comes, and is no forecast of it.
    pub fn forecast(&self, aim: Aim) -> Forecast {
        let measured = self.meter.forecast(Some(aim.per_second), self.width);
        let most = if aim.is_most {
            aim.per_second
        } else {
            f64::INFINITY
        };
        Forecast {
            short_rate: measured.short_rate.min(most),
            long_rate: measured.long_rate.min(most),
            ..measured
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behind_a_narrow_door_the_busy_past_is_no_forecast() {
        let mut lane = LaneMeter::default();
        for second in 0..120 {
            let counts = TickCounts {
                released: 10,
                returned: 0,
                waiting: 1_000,
                present: 1_000,
                stragglers: 0,
                left: 0,
            };
            lane.meter
                .observe(counts, Timestamp::from_millis(second * 1_000));
        }
        let aim = |is_most| Aim {
            per_second: 0.5,
            is_most,
        };
        assert!(
            lane.forecast(aim(false)).short_rate > 9.0,
            "a pace, not a bound"
        );
        let narrow = lane.forecast(aim(true));
        assert_eq!((narrow.short_rate, narrow.long_rate), (0.5, 0.5));
    }
}
