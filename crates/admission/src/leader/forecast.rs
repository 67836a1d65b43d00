//! What a lane's waiting time is told from: its releases, who is passed over, who
//! gives up, measured second by second. Pure but for the meter's own memory.

use usher_base::{Number, Timestamp};
use usher_queue::wait::{Forecast, RateMeter, Scorer, TickCounts};
use usher_queue::{Bitmap, LaneBoard};

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

    /// `aimed_at` is the lane's part of the decided rate, a second.
    pub fn forecast(&self, aimed_at: f64) -> Forecast {
        self.meter.forecast(Some(aimed_at), self.width)
    }
}
