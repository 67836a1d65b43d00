//! The code under test, put together as leader and edges do it: the text that is
//! announced is read back, and turned into the whole seconds that fans see.

use usher_base::{EventId, Number, Timestamp};
use usher_queue::wait::{
    Aim, LaneDemand, LaneWaits, Outlook, Pace, Plan, Rate, Scorer, Seen, SlipReason,
};
use usher_queue::{Bitmap, Board};

#[derive(Clone, Copy)]
pub struct Told {
    pub low_s: f64,
    pub likely_s: f64,
    pub high_s: f64,
    pub reason: Option<SlipReason>,
}

/// A leader's view of all lanes.
pub struct Teller {
    rate: Rate,
    scorer: Scorer,
    lanes: Vec<LaneWaits>,
    announced: Vec<String>,
}

pub struct LaneNow {
    pub weight: u32,
    pub board: Board,
    pub here: Bitmap,
    pub last: Number,
    pub left: u32,
}

impl LaneNow {
    fn seen(&self) -> Seen<'_> {
        Seen {
            board: &self.board,
            here: &self.here,
            last: self.last,
            left: self.left,
        }
    }
}

impl Teller {
    pub fn new(lanes: usize) -> Self {
        Self {
            rate: Rate::default(),
            scorer: Scorer::default(),
            lanes: (0..lanes).map(|_| LaneWaits::default()).collect(),
            announced: vec![String::new(); lanes],
        }
    }

    pub fn called(&mut self, lane: usize, numbers: &[Number], now: Timestamp) {
        self.lanes[lane].called(numbers.iter().copied(), now, &mut self.scorer);
    }

    pub fn tick(&mut self, lanes: &[LaneNow], aim: Aim, reach: Option<f64>, now: Timestamp) {
        self.scorer.tick(EventId::new(now));
        self.rate.observe(aim, now);
        let measured = self.lanes.iter_mut().zip(lanes);
        let demands: Vec<LaneDemand> = measured
            .map(|(of, lane)| LaneDemand {
                weight: lane.weight,
                present: of.measure(lane.seen(), now),
            })
            .collect();
        let paces = Pace::of_lanes(self.rate.per_second(), &demands);
        let reaches = Pace::shared(reach, &demands);
        let (width, rate) = (self.scorer.width(), &self.rate);
        let told = self
            .lanes
            .iter_mut()
            .zip(lanes)
            .zip(paces.into_iter().zip(reaches))
            .map(|((of, lane), (pace, reach))| {
                let plan = Plan { pace, rate, reach };
                of.tell(lane.seen(), plan, None, width, now).to_string()
            });
        self.announced = told.collect();
    }

    /// What the edges read from the last announcement.
    pub fn outlook(&self, lane: usize) -> Outlook {
        self.announced[lane]
            .parse()
            .expect("it was written by an outlook")
    }
}

pub fn tell(outlook: &Outlook, number: Number, now: Timestamp) -> Option<Told> {
    let wait = outlook.wait(number, now)?;
    let interval = wait.interval;
    Some(Told {
        low_s: interval.low.as_secs_f64().floor(),
        likely_s: interval.likely.as_secs_f64().round(),
        high_s: interval.high.as_secs_f64().ceil(),
        reason: wait.slipped,
    })
}
