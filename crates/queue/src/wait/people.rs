//! Who of a lane is here: how many go away in a second, come back, give up. All
//! counted from the people themselves, tick by tick.

use std::collections::VecDeque;

use usher_base::{Number, Timestamp};

use super::fading::Fading;
use super::lane::Seen;
use crate::bitmap::Bitmap;
use crate::board::Board;

/// Edges tell of a newcomer within this time; until then nobody is missing.
const SEEN_AFTER_S: f64 = 6.0;
/// Ticks remembered to know who came within it.
const MAX_TICKS: usize = 16;
/// Habits fade over this.
const MEMORY_S: f64 = 300.0;
/// At first: who is away comes back within about two minutes, ...
const FIRST_AWAY_S: f64 = 120.0;
/// ... which weighs as much as so many people who were seen to; ...
const FIRST_RETURNS: f64 = 2.0;
/// ... and in so many seconds of waiting, of all together, so many go away or leave.
const FIRST_SECONDS: f64 = 3_000.0;
const FIRST_GOING: f64 = 2.0;
const FIRST_LEAVING: f64 = 1.0;

/// How people behave, as shares a second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Habits {
    pub going: f64,
    pub returning: f64,
    pub leaving: f64,
}

#[derive(Debug)]
pub(super) struct People {
    going: Fading,
    returning: Fading,
    leaving: Fading,
    /// The last number at each of the newest ticks.
    lasts: VecDeque<(Timestamp, Number)>,
    here: Bitmap,
    away: Board,
    observed_at: Option<Timestamp>,
}

impl Default for People {
    fn default() -> Self {
        let returning = Fading::guess(FIRST_RETURNS, FIRST_RETURNS * FIRST_AWAY_S, MEMORY_S);
        Self {
            going: Fading::guess(FIRST_GOING, FIRST_SECONDS, MEMORY_S),
            returning,
            leaving: Fading::guess(FIRST_LEAVING, FIRST_SECONDS, MEMORY_S),
            lasts: VecDeque::with_capacity(MAX_TICKS),
            here: Bitmap::default(),
            away: Board::default(),
            observed_at: None,
        }
    }
}

impl People {
    pub fn observe(&mut self, seen: Seen<'_>, now: Timestamp) {
        let settled = self.settled(seen.last, now);
        let alive = seen.board.alive();
        let mut away = alive.clone();
        away.subtract(seen.here);
        let known: Bitmap = away
            .iter()
            .take_while(|number| *number <= settled)
            .collect();
        let mut here = alive.clone();
        here.subtract(&away);
        if let Some(before) = self.observed_at.replace(now) {
            let elapsed_s = now.since(before).as_secs_f64();
            let seconds = |people: u32| f64::from(people) * elapsed_s;
            let went = self.here.common_len(&known);
            let came = self.away.alive().common_len(&here);
            self.going
                .count(went.into(), seconds(self.here.len()), elapsed_s);
            // Who was called meanwhile is no longer known to come or stay.
            let still = self.away.alive().common_len(alive);
            self.returning.count(came.into(), seconds(still), elapsed_s);
            let waiting = seconds(seen.board.waiting());
            self.leaving.count(seen.left.into(), waiting, elapsed_s);
        }
        (self.here, self.away) = (here, Board::new(known));
    }

    /// The last number that came long enough ago to be seen.
    fn settled(&mut self, last: Number, now: Timestamp) -> Number {
        if self.lasts.len() == MAX_TICKS {
            self.lasts.pop_front();
        }
        self.lasts.push_back((now, last));
        let long_ago = |at: &Timestamp| now.since(*at).as_secs_f64() >= SEEN_AFTER_S;
        let settled = self.lasts.iter().rev().find(|(at, _)| long_ago(at));
        settled.map_or(Number(0), |(_, last)| *last)
    }

    /// Nothing was seen for a while: the next tick compares with nothing.
    pub fn interrupt(&mut self) {
        self.observed_at = None;
    }

    /// Those away among the living numbers before this one.
    pub fn away_ahead(&self, number: Number) -> u32 {
        self.away.ahead(number)
    }

    pub fn habits(&self) -> Habits {
        Habits {
            going: self.going.get(),
            returning: self.returning.get(),
            leaving: self.leaving.get(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn bits(numbers: impl Iterator<Item = u32>) -> Bitmap {
        numbers.map(Number).collect()
    }

    fn watch(people: &mut People, from: u64, to: u64, here: impl Fn(u64) -> Bitmap) {
        let board = Board::new(bits(1..=100));
        for second in from..to {
            let here = here(second);
            let seen = Seen {
                board: &board,
                here: &here,
                last: Number(100),
                left: u32::from(second % 10 == 0),
            };
            let now = Timestamp::default().plus(Duration::from_secs(second));
            people.observe(seen, now);
        }
    }

    #[test]
    fn newcomers_are_not_missed_before_they_can_be_seen() {
        let mut people = People::default();
        watch(&mut people, 0, 6, |_| Bitmap::default());
        assert_eq!(people.away_ahead(Number(1_000)), 0);
        watch(&mut people, 6, 8, |_| bits(1..=90));
        assert_eq!(people.away_ahead(Number(1_000)), 10);
        assert_eq!(people.away_ahead(Number(96)), 5);
    }

    #[test]
    fn habits_are_counted() {
        let mut people = People::default();
        // Ten of them are away for 20 s and here for 20 s.
        watch(&mut people, 0, 600, |second| {
            bits(if second / 20 % 2 == 0 {
                1..=100
            } else {
                11..=100
            })
        });
        let habits = people.habits();
        assert!((habits.returning - 0.05).abs() < 0.01, "{habits:?}");
        assert!(
            (habits.going - 10.0 / 40.0 / 95.0).abs() < 0.000_5,
            "{habits:?}"
        );
        assert!((habits.leaving - 0.001).abs() < 0.000_2, "{habits:?}");
    }
}
