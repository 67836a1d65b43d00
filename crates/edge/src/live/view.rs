//! One event at one tick, as fans are told it. Pure: made from what was read,
//! asked for one fan's part of it.

use std::sync::Arc;

use usher_base::{Lane, Number, Timestamp};
use usher_queue::{EventBoard, Phase};

/// What is said to everybody while Redis does not answer.
const RESTORING: &str =
    "We are restoring the line. Your place is kept, and this page goes on by itself.";

/// The event as of the last tick that could be read.
#[derive(Clone)]
pub struct EventView {
    board: Arc<EventBoard>,
    /// Ticks that failed since; the board is that much older.
    failed_ticks: u32,
}

/// Where a number stands on a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spot {
    /// Still waiting, with so many living numbers before it.
    Waiting { ahead: u32 },
    /// No longer waiting; Redis knows why.
    Gone,
}

impl EventView {
    pub fn new(board: Arc<EventBoard>) -> Self {
        Self {
            board,
            failed_ticks: 0,
        }
    }

    /// The same view after a tick that could not be read.
    pub fn after_failure(&self) -> Self {
        Self {
            board: Arc::clone(&self.board),
            failed_ticks: self.failed_ticks.saturating_add(1),
        }
    }

    pub fn board(&self) -> &EventBoard {
        &self.board
    }

    pub fn at(&self) -> Timestamp {
        self.board.at
    }

    pub fn phase(&self) -> Phase {
        self.board.state.phase
    }

    /// One failed tick is noise; from the second on the line is said to be restored.
    pub fn is_restoring(&self) -> bool {
        self.failed_ticks >= 2
    }

    /// What is said to everybody in line at this moment.
    pub fn message(&self) -> Option<&str> {
        if self.is_restoring() {
            return Some(RESTORING);
        }
        self.board.state.message.as_deref()
    }

    pub fn spot(&self, lane: &Lane, number: Number) -> Spot {
        match self.board.lane(lane) {
            Some(of) if of.board.alive().contains(number) => Spot::Waiting {
                ahead: of.board.ahead(number),
            },
            _ => Spot::Gone,
        }
    }

    /// Everybody who waits, all lanes together.
    pub fn waiting(&self) -> u64 {
        let of_lane = |lane: &usher_queue::LaneBoard| match self.phase() {
            Phase::Gathering | Phase::Drawing => {
                u64::from(lane.board.waiting()).max(lane.gathering)
            }
            _ => u64::from(lane.board.waiting()),
        };
        self.board.lanes.iter().map(of_lane).sum()
    }
}
