//! The numbers of an event's releases: never one for two batches, whoever leads,
//! whatever Redis or Postgres forgot of a leader before. Pure.

use usher_base::Timestamp;

/// So many releases fit between two terms that begin a millisecond apart.
const PER_MILLISECOND: u64 = 1_000;

/// A term's numbers: microseconds of Redis's clock at its beginning, then counted
/// on. Redis's clock is one for all leaders, so a term never meets a number that
/// an earlier leader planned, wrote down, and then could not carry out. Below
/// 2^53 for another two centuries, so Lua counts with them exactly.
#[derive(Debug)]
pub struct Sequence {
    last: u64,
}

impl Sequence {
    /// `done` is the last release that Redis knows of.
    pub fn begin(at: Timestamp, done: u64) -> Self {
        let from_clock = u64::try_from(at.millis()).unwrap_or(0) * PER_MILLISECOND;
        // Should the clock have been set back, behind what was done with a wide step.
        Self {
            last: from_clock.max(done + PER_MILLISECOND),
        }
    }

    pub fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_term_never_repeats_what_an_earlier_one_only_planned() {
        let began = Timestamp::from_millis(1_795_255_200_000);
        let mut first = Sequence::begin(began, 0);
        let planned: Vec<u64> = (0..900).map(|_| first.next()).collect();
        // Redis has heard of none of them.
        let mut second = Sequence::begin(Timestamp::from_millis(began.millis() + 1), 0);
        assert!(second.next() > planned[899]);
    }

    #[test]
    fn a_clock_that_stepped_back_does_not_matter() {
        let done = Sequence::begin(Timestamp::from_millis(2_000), 0).next();
        let mut after = Sequence::begin(Timestamp::from_millis(1_000), done);
        assert!(after.next() > done);
    }
}
