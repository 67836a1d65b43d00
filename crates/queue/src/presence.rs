//! Who was seen when, as the leader remembers it: one bitmap a minute. A place
//! is given up only after an absence longer than the grace; a new leader, a new
//! epoch or an outage begins with an empty memory and so restarts everybody's
//! grace. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use usher_base::{Number, Timestamp};

use crate::bitmap::Bitmap;

/// Longest grace that can be kept, in minutes: so many bitmaps are remembered.
pub const MAX_GRACE_MINUTES: i64 = 60;
/// Without an observation for so long nobody could be seen: all begin anew.
const OUTAGE: Duration = Duration::from_secs(30);
const MINUTE_MS: i64 = 60_000;

/// One lane's memory of presence.
#[derive(Debug, Default)]
pub struct Presence {
    seen: VecDeque<SeenIn>,
    alive_before: Bitmap,
    since: Timestamp,
    observed_at: Option<Timestamp>,
}

#[derive(Debug)]
struct SeenIn {
    minute: i64,
    numbers: Bitmap,
}

impl Presence {
    /// Takes in one tick: who is alive and who is here.
    pub fn observe(&mut self, alive: &Bitmap, here: &Bitmap, now: Timestamp) {
        let silent_for = self.observed_at.map(|at| now.since(at));
        if silent_for.is_none_or(|span| span > OUTAGE) {
            *self = Self {
                since: now,
                ..Self::default()
            };
        }
        self.observed_at = Some(now);
        let minute = now.millis().div_euclid(MINUTE_MS);
        // A number that has just come, or come back, counts as seen: its grace begins.
        let mut come = alive.clone();
        come.subtract(&self.alive_before);
        self.alive_before = alive.clone();
        let seen = self.in_minute(minute);
        seen.add(&come);
        seen.add(here);
        while (self.seen.front()).is_some_and(|s| s.minute < minute - MAX_GRACE_MINUTES) {
            self.seen.pop_front();
        }
    }

    /// The first `at_most` living numbers that nobody saw for longer than `grace`.
    pub fn absent(
        &self,
        alive: &Bitmap,
        grace: Duration,
        now: Timestamp,
        at_most: usize,
    ) -> Vec<Number> {
        let grace = grace.min(Duration::from_secs(MAX_GRACE_MINUTES as u64 * 60));
        if now.since(self.since) <= grace {
            return Vec::new();
        }
        let grace_ms = i64::try_from(grace.as_millis()).unwrap_or(i64::MAX);
        // The minute in which the grace begins counts whole, in favour of the fan.
        let from_minute = (now.millis() - grace_ms).div_euclid(MINUTE_MS);
        let mut absent = alive.clone();
        for seen in self.seen.iter().filter(|s| s.minute >= from_minute) {
            absent.subtract(&seen.numbers);
        }
        absent.iter().take(at_most).collect()
    }

    fn in_minute(&mut self, minute: i64) -> &mut Bitmap {
        let newest = self.seen.back().map(|s| s.minute);
        // A clock that stepped back writes into the newest minute there is.
        if newest.is_none_or(|newest| newest < minute) {
            self.seen.push_back(SeenIn {
                minute,
                numbers: Bitmap::default(),
            });
        }
        let last = self.seen.back_mut();
        &mut last
            .expect("a minute was just pushed if there was none")
            .numbers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_795_255_200_000);
    const GRACE: Duration = Duration::from_secs(600);

    fn set(numbers: &[u32]) -> Bitmap {
        numbers.iter().copied().map(Number).collect()
    }

    fn at(second: u64) -> Timestamp {
        START.plus(Duration::from_secs(second))
    }

    /// Ticks every 10 s from `from` to `to`, with the same people.
    fn watch(presence: &mut Presence, alive: &Bitmap, here: &Bitmap, from: u64, to: u64) {
        for second in (from..=to).step_by(10) {
            presence.observe(alive, here, at(second));
        }
    }

    fn absent(presence: &Presence, alive: &Bitmap, second: u64) -> Vec<u32> {
        let numbers = presence.absent(alive, GRACE, at(second), 10);
        numbers.into_iter().map(|n| n.0).collect()
    }

    #[test]
    fn only_a_long_absence_counts() {
        let mut presence = Presence::default();
        let (alive, here) = (set(&[1, 2, 3]), set(&[2]));
        watch(&mut presence, &alive, &here, 0, 600);
        assert_eq!(absent(&presence, &alive, 600), [] as [u32; 0]);
        watch(&mut presence, &alive, &here, 610, 680);
        assert_eq!(absent(&presence, &alive, 680), [1, 3]);
    }

    #[test]
    fn who_comes_back_within_grace_keeps_the_place() {
        let mut presence = Presence::default();
        let alive = set(&[1, 2]);
        watch(&mut presence, &alive, &set(&[2]), 0, 500);
        presence.observe(&alive, &set(&[1, 2]), at(505));
        watch(&mut presence, &alive, &set(&[2]), 510, 1_000);
        assert_eq!(absent(&presence, &alive, 1_000), [] as [u32; 0]);
        watch(&mut presence, &alive, &set(&[2]), 1_010, 1_200);
        assert_eq!(absent(&presence, &alive, 1_200), [1]);
    }

    #[test]
    fn a_number_that_was_put_back_has_its_grace_again() {
        let mut presence = Presence::default();
        let nobody = set(&[]);
        watch(&mut presence, &set(&[1, 2]), &nobody, 0, 100);
        watch(&mut presence, &set(&[2]), &nobody, 110, 900); // 1 is admitted
        watch(&mut presence, &set(&[1, 2]), &nobody, 910, 1_000);
        assert_eq!(absent(&presence, &set(&[1, 2]), 1_000), [2]);
    }

    #[test]
    fn an_outage_restarts_everybodys_grace() {
        let mut presence = Presence::default();
        let alive = set(&[1]);
        watch(&mut presence, &alive, &set(&[]), 0, 590);
        presence.observe(&alive, &set(&[]), at(700));
        assert_eq!(absent(&presence, &alive, 700), [] as [u32; 0]);
        watch(&mut presence, &alive, &set(&[]), 710, 1_400);
        assert_eq!(absent(&presence, &alive, 1_400), [1]);
    }
}
