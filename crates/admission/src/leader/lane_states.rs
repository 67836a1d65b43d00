//! What a term remembers of each lane: who was seen when, what its fans were told of
//! their wait. Lanes may be added and weighed anew while the event runs. Pure.

use usher_base::{EventId, Lane, Timestamp};
use usher_queue::pg::LaneRow;
use usher_queue::wait::{
    Accuracy, Aim, LaneDemand, LaneWaits, Outlook, Pace, Plan, Rate, Scorer, Seen,
};
use usher_queue::{Bitmap, EventBoard, LaneBoard, LaneNews, Presence, Snapshot};

use super::lanes::{Share, Shares};
use super::release::Called;

pub(super) struct LaneState {
    pub lane: Lane,
    pub weight: u32,
    pub presence: Presence,
    waits: LaneWaits,
}

/// Whether nobody is seen anywhere.
pub(super) fn is_empty(snapshot: &Snapshot) -> bool {
    snapshot.lanes.iter().all(Bitmap::is_empty)
}

/// What is to come, of all lanes together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Course {
    pub aim: Aim,
    /// People whom what is left to sell still serves; `None` where nothing can run out.
    pub reach: Option<f64>,
}

/// In the order of the line's rows, and so of every board.
#[derive(Default)]
pub(super) struct LaneStates {
    lanes: Vec<LaneState>,
    passes: Shares,
    rate: Rate,
    scorer: Scorer,
}

impl LaneStates {
    /// Takes in the lanes as they are set up now; what is known of them stays.
    pub fn follow(&mut self, rows: &[LaneRow]) {
        let mut known = std::mem::take(&mut self.lanes);
        for row in rows {
            let name = &row.setup.lane;
            let same = known.iter().position(|of| of.lane == *name);
            let (presence, waits) = same
                .map(|index| known.swap_remove(index))
                .map(|of| (of.presence, of.waits))
                .unwrap_or_default();
            self.lanes.push(LaneState {
                lane: name.clone(),
                weight: row.setup.weight,
                presence,
                waits,
            });
        }
    }

    pub fn as_slice(&self) -> &[LaneState] {
        &self.lanes
    }

    pub fn names(&self) -> Vec<Lane> {
        self.lanes.iter().map(|of| of.lane.clone()).collect()
    }

    pub fn weights(&self) -> Vec<u32> {
        self.lanes.iter().map(|of| of.weight).collect()
    }

    /// Takes in who is alive and who is here.
    pub fn see(&mut self, board: &EventBoard, snapshot: &Snapshot) {
        // Then it may be the edges who are away: an outage, after which grace begins anew.
        if is_empty(snapshot) {
            return;
        }
        let seen = board.lanes.iter().zip(&snapshot.lanes);
        for (of, (lane, here)) in self.lanes.iter_mut().zip(seen) {
            of.presence.observe(lane.board.alive(), here, board.at);
        }
    }

    pub fn called(&mut self, batch: &Called, now: Timestamp) {
        let lane = self.lanes.iter_mut().find(|of| of.lane == batch.lane);
        if let Some(lane) = lane {
            let numbers = batch.fans.iter().map(|one| one.number);
            lane.waits.called(numbers, now, &mut self.scorer);
        }
    }

    /// The waits that each lane is told. `gave_up` is of all lanes together, and
    /// counts by their size. Without a course nobody is let in for now, and nothing
    /// is said.
    pub fn outlooks(
        &mut self,
        board: &EventBoard,
        snapshot: &Snapshot,
        gave_up: u32,
        course: Option<Course>,
    ) -> Vec<Outlook> {
        let now = board.at;
        let Some(Course { aim, reach }) = course else {
            self.rate.interrupt();
            for of in &mut self.lanes {
                of.waits.interrupt();
            }
            return vec![Outlook::default(); self.lanes.len()];
        };
        self.rate.observe(aim, now);
        let seen = seen(board, snapshot, gave_up);
        let lanes = self.lanes.iter_mut().zip(&seen);
        let demands: Vec<LaneDemand> = lanes
            .map(|(of, seen)| LaneDemand {
                weight: of.weight,
                present: of.waits.measure(*seen, now),
            })
            .collect();
        let paces = Pace::of_lanes(self.rate.per_second(), &demands);
        let reaches = Pace::shared(reach, &demands);
        let lanes = self.lanes.iter_mut().zip(&board.lanes);
        lanes
            .zip(seen.into_iter().zip(paces).zip(reaches))
            .map(|((of, lane), ((seen, pace), reach))| {
                let rate = &self.rate;
                let plan = Plan { pace, rate, reach };
                let told_before = lane.outlook.as_ref();
                of.waits
                    .tell(seen, plan, told_before, self.scorer.width(), now)
            })
            .collect()
    }

    /// Takes the last second's turns into the record of honesty.
    pub fn score(&mut self, event: EventId) -> Option<Accuracy> {
        self.scorer.tick(event);
        self.scorer.accuracy()
    }

    /// What each lane hears: its waits, and how many of `passes` may go through
    /// while it is empty.
    pub fn news(&mut self, outlooks: Vec<Outlook>, passes: u32) -> Vec<LaneNews> {
        let open = |of: &LaneState| Share {
            weight: of.weight,
            releasable: u32::MAX,
        };
        let doors: Vec<Share> = self.lanes.iter().map(open).collect();
        let passes = self.passes.split(passes, &doors);
        let lanes = self.lanes.iter().zip(passes).zip(outlooks);
        lanes
            .map(|((of, passes), outlook)| LaneNews {
                lane: of.lane.clone(),
                passes,
                outlook,
            })
            .collect()
    }
}

/// Each lane as its waits are measured; `gave_up` counts by their size.
fn seen<'b>(board: &'b EventBoard, snapshot: &'b Snapshot, gave_up: u32) -> Vec<Seen<'b>> {
    let sizes = board.lanes.iter().map(|lane| lane.board.waiting());
    let everybody = f64::from(sizes.sum::<u32>().max(1));
    let lanes = board.lanes.iter().zip(&snapshot.lanes);
    let seen = |(lane, here): (&'b LaneBoard, &'b Bitmap)| Seen {
        board: &lane.board,
        here,
        last: lane.last,
        left: (f64::from(gave_up) * f64::from(lane.board.waiting()) / everybody).round() as u32,
    };
    lanes.map(seen).collect()
}
