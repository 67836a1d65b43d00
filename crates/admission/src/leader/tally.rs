//! What happened between two looks, from totals that only rise: exact, whoever
//! did it (a release, a fan who passed an empty line, a call whose answer was
//! lost), and across a change of leaders. Pure.

use serde::{Deserialize, Serialize};
use usher_queue::Totals;

/// The totals of the last look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    released: u64,
    claimed: u64,
    ended: u64,
    gave_up: u64,
}

/// Since the look before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Happened {
    pub released: u32,
    pub claimed: u32,
    /// Sessions, and admissions that were never claimed.
    pub ended: u32,
    /// Left the line, or were given up after a long absence.
    pub gave_up: u32,
}

impl Tally {
    pub fn of(totals: &Totals) -> Self {
        Self {
            released: totals.released,
            claimed: totals.claimed,
            ended: totals.ended,
            gave_up: totals.left + totals.absent,
        }
    }

    pub fn advance(&mut self, totals: &Totals) -> Happened {
        let before = std::mem::replace(self, Self::of(totals));
        Happened {
            released: risen(before.released, self.released),
            claimed: risen(before.claimed, self.claimed),
            ended: risen(before.ended, self.ended),
            gave_up: risen(before.gave_up, self.gave_up),
        }
    }
}

/// A total that fell began anew after a rebuild.
fn risen(before: u64, now: u64) -> u32 {
    let risen = if now < before { now } else { now - before };
    u32::try_from(risen).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(released: u64, claimed: u64, ended: u64) -> Totals {
        Totals {
            released,
            claimed,
            ended,
            ..Totals::default()
        }
    }

    #[test]
    fn it_counts_what_came_in_between_and_begins_anew_after_a_rebuild() {
        let mut tally = Tally::of(&totals(100, 70, 50));
        let happened = tally.advance(&totals(110, 71, 50));
        let of = |released, claimed, ended| Happened {
            released,
            claimed,
            ended,
            gave_up: 0,
        };
        assert_eq!(happened, of(10, 1, 0));
        assert_eq!(tally.advance(&totals(3, 0, 2)), of(3, 0, 2));
    }
}
