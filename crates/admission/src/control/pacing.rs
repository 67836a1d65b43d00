//! Pacing: a rate becomes whole people, evenly. Fractions are carried to the next second, and the release loop
//! splits each second's people over its slices, because the same mean rate released in lumps costs refusals.

use serde::{Deserialize, Serialize};

/// Carries the fraction of a person from second to second.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Pacer {
    carry: f64,
}

impl Pacer {
    /// People to release for `dt_s` seconds at this rate; the rest below one is kept. At most `max`; what is above
    /// it is forgotten, not owed.
    pub fn take(&mut self, rate_per_s: f64, dt_s: f64, max: u32) -> u32 {
        let due = rate_per_s * dt_s + self.carry;
        if due >= f64::from(max) {
            self.carry = 0.0;
            return max;
        }
        // The tiny addend keeps 600 a minute from ever being 9.999999 a second.
        let whole = (due + 1e-9).floor().max(0.0);
        self.carry = (due - whole).clamp(0.0, 1.0);
        whole as u32
    }
}

/// How many of `total` belong to slice `index` (from 0) of `slices`, spread evenly; all slices together give `total`.
pub fn slice_of(total: u32, index: u32, slices: u32) -> u32 {
    let slices = u64::from(slices.max(1));
    let until = |i: u64| u64::from(total) * i.min(slices) / slices;
    (until(u64::from(index) + 1) - until(u64::from(index))) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_comes_out_evenly_and_in_full() {
        for per_minute in [1.0, 7.0, 59.0, 61.0, 600.0, 601.5, 10_000.0] {
            let mut pacer = Pacer::default();
            let mean = per_minute / 60.0;
            let seconds: Vec<u32> = (0..600).map(|_| pacer.take(mean, 1.0, 1_000)).collect();
            let sum: u32 = seconds.iter().sum();
            assert!(
                (f64::from(sum) - mean * 600.0).abs() <= 1.0,
                "{per_minute}: {sum}"
            );
            for &people in &seconds {
                assert!(
                    (f64::from(people) - mean).abs() < 1.0,
                    "{per_minute}: {people}"
                );
            }
        }
    }

    #[test]
    fn what_exceeds_the_maximum_is_not_owed_later() {
        let mut pacer = Pacer::default();
        assert_eq!(pacer.take(1e12, 1.0, 100), 100);
        assert_eq!(pacer.take(0.0, 1.0, 100), 0);
    }

    #[test]
    fn slices_are_even_and_complete() {
        for total in [0, 1, 9, 10, 11, 137] {
            let slices: Vec<u32> = (0..10).map(|i| slice_of(total, i, 10)).collect();
            assert_eq!(slices.iter().sum::<u32>(), total);
            let spread = slices.iter().max().zip(slices.iter().min());
            assert!(
                spread.is_some_and(|(max, min)| max - min <= 1),
                "{slices:?}"
            );
        }
    }
}
