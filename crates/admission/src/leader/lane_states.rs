//! What a term remembers of each lane: who was seen when, how fast it moves. Lanes
//! may be added and weighed anew while the event runs. Pure.

use usher_base::Lane;
use usher_queue::pg::LaneRow;
use usher_queue::{Bitmap, EventBoard, LaneNews, Presence, Snapshot};

use super::forecast::{Aim, LaneMeter};
use super::lanes::{Share, Shares};
use super::release::Called;

pub(super) struct LaneState {
    pub lane: Lane,
    pub weight: u32,
    pub presence: Presence,
    meter: LaneMeter,
}

/// Whether nobody is seen anywhere.
pub(super) fn is_empty(snapshot: &Snapshot) -> bool {
    snapshot.lanes.iter().all(Bitmap::is_empty)
}

/// In the order of the line's rows, and so of every board.
#[derive(Default)]
pub(super) struct LaneStates {
    lanes: Vec<LaneState>,
    passes: Shares,
}

impl LaneStates {
    /// Takes in the lanes as they are set up now; what is known of them stays.
    pub fn follow(&mut self, rows: &[LaneRow]) {
        let mut known = std::mem::take(&mut self.lanes);
        for row in rows {
            let name = &row.setup.lane;
            let same = known.iter().position(|of| of.lane == *name);
            let (presence, meter) = same
                .map(|index| known.swap_remove(index))
                .map(|of| (of.presence, of.meter))
                .unwrap_or_default();
            self.lanes.push(LaneState {
                lane: name.clone(),
                weight: row.setup.weight,
                presence,
                meter,
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

    pub fn called(&mut self, batch: &Called) {
        let lane = self.lanes.iter_mut().find(|of| of.lane == batch.lane);
        if let Some(lane) = lane {
            lane.meter.called(batch.fans.iter().map(|one| one.number));
        }
    }

    /// Takes a second into each lane's waiting time. `gave_up` is of all lanes
    /// together, and counts by their size.
    pub fn measure(&mut self, board: &EventBoard, snapshot: &Snapshot, gave_up: u32) {
        let sizes = board.lanes.iter().map(|lane| lane.board.waiting());
        let everybody = f64::from(sizes.sum::<u32>().max(1));
        let seen = board.lanes.iter().zip(&snapshot.lanes);
        for (of, (lane, here)) in self.lanes.iter_mut().zip(seen) {
            let part = f64::from(lane.board.waiting()) / everybody;
            let left = (f64::from(gave_up) * part).round() as u32;
            of.meter.tick(lane, here, left, board.at);
        }
    }

    /// Nothing moves, and that is no slow rate.
    pub fn interrupt(&mut self) {
        for of in &mut self.lanes {
            of.meter.interrupt();
        }
    }

    /// What each lane is told: how long the wait is with this aim, and how many of
    /// `passes` may go through while it is empty.
    pub fn news(&mut self, board: &EventBoard, aim: Aim, passes: u32) -> Vec<LaneNews> {
        let open = |of: &LaneState| Share {
            weight: of.weight,
            releasable: u32::MAX,
        };
        let doors: Vec<Share> = self.lanes.iter().map(open).collect();
        let passes = self.passes.split(passes, &doors);
        let parts = self.parts_of_rate(board);
        let lanes = self.lanes.iter().zip(passes.into_iter().zip(parts));
        lanes
            .map(|(of, (passes, part))| LaneNews {
                lane: of.lane.clone(),
                passes,
                forecast: of.meter.forecast(Aim {
                    per_second: aim.per_second * part,
                    ..aim
                }),
            })
            .collect()
    }

    /// By weight, among the lanes where somebody waits.
    fn parts_of_rate(&self, board: &EventBoard) -> Vec<f64> {
        let lanes = self.lanes.iter().zip(&board.lanes);
        let weights: Vec<u32> = lanes
            .map(|(of, lane)| of.weight * u32::from(lane.board.waiting() > 0))
            .collect();
        let all = f64::from(weights.iter().sum::<u32>().max(1));
        weights
            .iter()
            .map(|weight| f64::from(*weight) / all)
            .collect()
    }
}
