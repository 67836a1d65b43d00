//! The line as plain maps, written for clarity: what the scripts must agree with.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use usher_base::{Number, Timestamp};
use usher_queue::{EndReason, Place, Session, SessionId};

use crate::room::Room;

pub const FANS: u32 = 24;
pub const CLAIM: Duration = Duration::from_secs(90);
pub const SESSION: Duration = Duration::from_secs(900);

/// Where the model has a fan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum At {
    Waiting(u32),
    Admitted(u32, Timestamp),
    Active(u32, Timestamp),
    Ended(EndReason),
}

#[derive(Default)]
pub struct Model {
    pub fans: BTreeMap<u32, At>,
    pub misses: BTreeMap<u32, u32>,
    pub away: BTreeSet<u32>,
    /// The last number given.
    pub last: u32,
    pub now: Timestamp,
    pub sequence: u64,
    pub is_paused: bool,
    pub passes: u32,
    /// How often each place moved to another device.
    pub moves: BTreeMap<u32, u32>,
    pub ended: BTreeSet<(u32, u32)>,
}

impl Model {
    /// Of the token of the device that has the place.
    pub fn generation(&self, who: u32) -> u32 {
        self.moves.get(&who).copied().unwrap_or(0)
    }

    pub fn waiting(&self) -> BTreeMap<u32, u32> {
        let waiting = self.fans.iter().filter_map(|(who, at)| match at {
            At::Waiting(number) => Some((*number, *who)),
            _ => None,
        });
        waiting.collect()
    }

    pub fn present(&self) -> Vec<u32> {
        let waiting = self.waiting().into_iter();
        let here = waiting.filter(|(_, who)| !self.away.contains(who));
        here.map(|(number, _)| number).collect()
    }

    /// The fan's session or admission is over, and edges hear of it.
    pub fn end(&mut self, who: u32, reason: EndReason) {
        let before = self.fans.insert(who, At::Ended(reason));
        if let Some(At::Admitted(number, _) | At::Active(number, _)) = before {
            self.ended.insert((who, number));
        }
        self.misses.remove(&who);
    }

    pub fn place(&self, room: &Room, who: u32) -> Place {
        match self.fans.get(&who) {
            None => Place::Unknown,
            Some(At::Waiting(number)) => Place::Waiting {
                number: Number(*number),
            },
            Some(At::Admitted(number, claim_by)) => Place::Admitted {
                claim_by: *claim_by,
                lane: room.lane.clone(),
                number: Number(*number),
            },
            Some(At::Active(_, ends_at)) if *ends_at <= self.now => {
                Place::Ended(EndReason::Expired)
            }
            Some(At::Active(number, ends_at)) => Place::Active(Session {
                id: SessionId::of(room.event, &room.lane, Number(*number)),
                lane: room.lane.clone(),
                number: Number(*number),
                ends_at: *ends_at,
            }),
            Some(At::Ended(reason)) => Place::Ended(*reason),
        }
    }
}
