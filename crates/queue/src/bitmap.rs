//! Sets of numbers as bits, in the order of Redis's bitmaps: number n is bit
//! n % 8 of byte n / 8, the highest bit first. Read big-endian, a word of 64
//! numbers keeps their order. A million numbers are 125 kB and some 30 us to count.

use usher_base::Number;

const WORD_BITS: u32 = u64::BITS;
const WORD_BYTES: usize = 8;

/// A set of numbers. What lies before the first word is empty and takes no room.
#[derive(Clone, Debug, Default)]
pub struct Bitmap {
    first_word: usize,
    words: Vec<u64>,
}

impl Bitmap {
    /// From Redis's bytes; `first_byte` is a multiple of 8.
    pub fn from_bytes(first_byte: usize, bytes: &[u8]) -> Self {
        let (whole, rest) = bytes.as_chunks::<WORD_BYTES>();
        let mut words: Vec<u64> = whole.iter().map(|b| u64::from_be_bytes(*b)).collect();
        if !rest.is_empty() {
            let mut last = [0; WORD_BYTES];
            last[..rest.len()].copy_from_slice(rest);
            words.push(u64::from_be_bytes(last));
        }
        Self {
            first_word: first_byte / WORD_BYTES,
            words,
        }
    }

    /// As Redis stores it, from number 0 on.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.first_word * WORD_BYTES];
        for word in &self.words {
            bytes.extend_from_slice(&word.to_be_bytes());
        }
        bytes
    }

    pub fn insert(&mut self, number: Number) {
        let (index, bit) = position(number);
        self.grow(index, index);
        self.words[index - self.first_word] |= bit;
    }

    pub fn remove(&mut self, number: Number) {
        let (index, bit) = position(number);
        let offset = index.checked_sub(self.first_word);
        if let Some(word) = offset.and_then(|offset| self.words.get_mut(offset)) {
            *word &= !bit;
        }
    }

    pub fn contains(&self, number: Number) -> bool {
        let (index, bit) = position(number);
        self.word(index) & bit != 0
    }

    pub fn len(&self) -> u32 {
        self.words.iter().map(|word| word.count_ones()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// Adds all of `other`.
    pub fn add(&mut self, other: &Self) {
        self.combine(other, |mine, theirs| mine | theirs);
    }

    /// Takes all of `other` away.
    pub fn subtract(&mut self, other: &Self) {
        for (offset, word) in self.words.iter_mut().enumerate() {
            *word &= !other.word(self.first_word + offset);
        }
    }

    /// Numbers that are in both, ascending.
    pub fn common<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = Number> + 'a {
        let indexed = self.words.iter().enumerate();
        indexed.flat_map(move |(offset, word)| {
            let index = self.first_word + offset;
            ascending(index, word & other.word(index))
        })
    }

    /// How many numbers are in both.
    pub fn common_len(&self, other: &Self) -> u32 {
        let indexed = self.words.iter().enumerate();
        indexed
            .map(|(offset, word)| (word & other.word(self.first_word + offset)).count_ones())
            .sum()
    }

    /// All numbers, ascending.
    pub fn iter(&self) -> impl Iterator<Item = Number> + '_ {
        self.common(self)
    }

    pub(crate) fn word(&self, index: usize) -> u64 {
        let offset = index.checked_sub(self.first_word);
        let word = offset.and_then(|offset| self.words.get(offset));
        word.copied().unwrap_or(0)
    }

    pub(crate) fn words(&self) -> &[u64] {
        &self.words
    }

    pub(crate) fn first_word(&self) -> usize {
        self.first_word
    }

    fn combine(&mut self, other: &Self, with: impl Fn(u64, u64) -> u64) {
        let Some(last) = other.words.len().checked_sub(1) else {
            return;
        };
        self.grow(other.first_word, other.first_word + last);
        for (offset, theirs) in other.words.iter().enumerate() {
            let mine = &mut self.words[other.first_word + offset - self.first_word];
            *mine = with(*mine, *theirs);
        }
    }

    /// Makes room for the words from `first` to `last`.
    fn grow(&mut self, first: usize, last: usize) {
        if self.words.is_empty() {
            self.first_word = first;
        }
        if first < self.first_word {
            let missing = self.first_word - first;
            self.words.splice(..0, std::iter::repeat_n(0, missing));
            self.first_word = first;
        }
        let length = last - self.first_word + 1;
        if length > self.words.len() {
            self.words.resize(length, 0);
        }
    }
}

impl FromIterator<Number> for Bitmap {
    fn from_iter<I: IntoIterator<Item = Number>>(numbers: I) -> Self {
        let mut bitmap = Self::default();
        for number in numbers {
            bitmap.insert(number);
        }
        bitmap
    }
}

/// The word of a number and its bit there.
pub(crate) fn position(number: Number) -> (usize, u64) {
    let index = (number.0 / WORD_BITS) as usize;
    (index, (1 << (WORD_BITS - 1)) >> (number.0 % WORD_BITS))
}

/// The numbers of one word, ascending.
pub(crate) fn ascending(index: usize, mut word: u64) -> impl Iterator<Item = Number> {
    let base = index as u32 * WORD_BITS;
    std::iter::from_fn(move || {
        let at = word.leading_zeros();
        if at == WORD_BITS {
            return None;
        }
        word &= !((1 << (WORD_BITS - 1)) >> at);
        Some(Number(base + at))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn bitmap(numbers: &BTreeSet<u32>) -> Bitmap {
        // From the highest down, so that growing to the front is met as well.
        numbers.iter().rev().copied().map(Number).collect()
    }

    fn plain(numbers: impl Iterator<Item = Number>) -> Vec<u32> {
        numbers.map(|n| n.0).collect()
    }

    fn some_numbers() -> impl Strategy<Value = BTreeSet<u32>> {
        proptest::collection::btree_set(0u32..2_000, 0..200)
    }

    #[test]
    fn the_order_is_that_of_redis() {
        let one = bitmap(&BTreeSet::from([0, 9]));
        assert_eq!(one.to_bytes()[..2], [0b1000_0000, 0b0100_0000]);
        let read = Bitmap::from_bytes(8, &[0, 1]);
        assert_eq!(plain(read.iter()), [79]);
    }

    proptest! {
        #[test]
        fn bytes_survive(numbers in some_numbers()) {
            let bytes = bitmap(&numbers).to_bytes();
            let read = Bitmap::from_bytes(0, &bytes);
            let expected: Vec<_> = numbers.iter().copied().collect();
            prop_assert_eq!(plain(read.iter()), expected);
            prop_assert_eq!(read.len() as usize, numbers.len());
            prop_assert_eq!(read.is_empty(), numbers.is_empty());
        }

        #[test]
        fn it_is_a_set(a in some_numbers(), b in some_numbers(), probe in 0u32..2_500) {
            let (mut left, right) = (bitmap(&a), bitmap(&b));
            prop_assert_eq!(left.contains(Number(probe)), a.contains(&probe));
            let mut without = left.clone();
            without.remove(Number(probe));
            let rest: Vec<_> = a.iter().copied().filter(|n| *n != probe).collect();
            prop_assert_eq!(plain(without.iter()), rest);
            let both: Vec<_> = a.intersection(&b).copied().collect();
            prop_assert_eq!(left.common_len(&right) as usize, both.len());
            prop_assert_eq!(plain(left.common(&right)), both);
            left.add(&right);
            let either: Vec<_> = a.union(&b).copied().collect();
            prop_assert_eq!(plain(left.iter()), either);
            left.subtract(&right);
            let only: Vec<_> = a.difference(&b).copied().collect();
            prop_assert_eq!(plain(left.iter()), only);
        }
    }
}
