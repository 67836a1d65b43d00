//! Positions from memory: who is alive, read once a tick, with prefix counts, so
//! that the exact `ahead` of any fan costs two lookups. Pure.

use usher_base::Number;

use crate::bitmap::{Bitmap, ascending, position};

/// One lane's living numbers at one moment.
#[derive(Clone, Debug, Default)]
pub struct Board {
    alive: Bitmap,
    /// Living numbers before each word of `alive`.
    before: Vec<u32>,
    waiting: u32,
}

impl Board {
    pub fn new(alive: Bitmap) -> Self {
        let mut waiting = 0;
        let mut before = Vec::with_capacity(alive.words().len());
        for word in alive.words() {
            before.push(waiting);
            waiting += word.count_ones();
        }
        Self {
            alive,
            before,
            waiting,
        }
    }

    pub fn alive(&self) -> &Bitmap {
        &self.alive
    }

    /// How many wait in this lane.
    pub fn waiting(&self) -> u32 {
        self.waiting
    }

    /// Living numbers smaller than this one; right for a number that is not
    /// alive as well.
    pub fn ahead(&self, number: Number) -> u32 {
        let (index, bit) = position(number);
        let Some(offset) = index.checked_sub(self.alive.first_word()) else {
            return 0;
        };
        match self.before.get(offset) {
            // Smaller numbers are the bits above.
            Some(before) => before + (self.alive.word(index) & !(bit | (bit - 1))).count_ones(),
            None => self.waiting,
        }
    }

    /// The living number that has `ahead` living numbers before it.
    pub fn nth(&self, ahead: u32) -> Option<Number> {
        if ahead >= self.waiting {
            return None;
        }
        let offset = self.before.partition_point(|before| *before <= ahead) - 1;
        let within = ahead - self.before[offset];
        let index = self.alive.first_word() + offset;
        ascending(index, self.alive.word(index)).nth(within as usize)
    }

    /// The first `at_most` numbers that are alive and present, in serving order.
    pub fn releasable(&self, here: &Bitmap, at_most: usize) -> Vec<Number> {
        self.alive.common(here).take(at_most).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_counts_like_a_person(
            alive in proptest::collection::btree_set(1u32..5_000, 0..400),
            here in proptest::collection::btree_set(1u32..5_000, 0..400),
            probe in 0u32..6_000,
            k in 0usize..100,
        ) {
            let bits: Bitmap = alive.iter().copied().map(Number).collect();
            let board = Board::new(bits);
            let smaller = alive.iter().filter(|n| **n < probe).count();
            prop_assert_eq!(board.ahead(Number(probe)) as usize, smaller);
            prop_assert_eq!(board.waiting() as usize, alive.len());
            let nth = alive.iter().nth(k).map(|n| Number(*n));
            prop_assert_eq!(board.nth(k as u32), nth);
            let present: Bitmap = here.iter().copied().map(Number).collect();
            let expected: Vec<_> = alive.intersection(&here).copied().map(Number).take(k).collect();
            prop_assert_eq!(board.releasable(&present, k), expected);
        }

        /// The same numbers, read from the head's word on as `board.lua` does.
        #[test]
        fn a_late_head_changes_nothing(
            alive in proptest::collection::btree_set(1_000u32..5_000, 1..300),
            probe in 0u32..6_000,
        ) {
            let bytes = alive.iter().copied().map(Number).collect::<Bitmap>();
            let bytes = { let mut from_zero = Bitmap::default(); from_zero.insert(Number(0)); from_zero.add(&bytes); from_zero.to_bytes() };
            let head = *alive.first().unwrap();
            let first_byte = (head / 64 * 8) as usize;
            let board = Board::new(Bitmap::from_bytes(first_byte, &bytes[first_byte..]));
            prop_assert_eq!(board.ahead(Number(probe)) as usize, alive.range(..probe).count());
        }
    }

    #[test]
    fn an_empty_line_has_nobody_ahead() {
        let board = Board::default();
        assert_eq!(board.ahead(Number(7)), 0);
        assert_eq!((board.waiting(), board.nth(0)), (0, None));
        let nobody = BTreeSet::<u32>::new();
        let here: Bitmap = nobody.into_iter().map(Number).collect();
        assert!(board.releasable(&here, 5).is_empty());
    }
}
