//! How far into a lane reaches what is left to sell, as it looks now. Whoever stands
//! beyond is told no wait, because none would be true: their turn comes only if
//! somebody gives something back.

use std::collections::VecDeque;

use usher_base::{Number, Timestamp};

use crate::board::Board;

/// It is told anew when it moved by more than this share of the people it reaches, so
/// that nobody near its end is told a wait in one second and none in the next.
const NOTABLE_SHARE: f64 = 0.1;
/// And when it grew, by so many people at least: the last seats come back and go again.
const NOTABLE_GROWTH: f64 = 3.0;
/// Ends remembered for the score; those before are forgotten.
const MAX_REMEMBERED: usize = 128;
/// Before everybody.
const NOBODY: Number = Number(0);

#[derive(Debug, Default)]
pub(super) struct Reach {
    /// The last number within; `None` if everybody is.
    end: Option<Number>,
    /// Earlier ends, and until when they were told.
    before: VecDeque<(Timestamp, Option<Number>)>,
}

impl Reach {
    /// So many people of the lane can still be served; `None`: as many as may come.
    pub fn update(&mut self, board: &Board, people: Option<f64>, now: Timestamp) {
        let fresh = people.and_then(|people| end(board, people));
        let told = f64::from(match self.end {
            Some(last) => board.ahead(Number(last.0.saturating_add(1))),
            None => board.waiting(),
        });
        // Not only those in line: what serves many more than those is no small change.
        let served = people.unwrap_or(f64::INFINITY);
        let grown = served - told;
        let is_notable =
            grown.abs() > NOTABLE_SHARE * told && !(0.0..NOTABLE_GROWTH).contains(&grown);
        if fresh != self.end && is_notable {
            if self.before.len() == MAX_REMEMBERED {
                self.before.pop_front();
            }
            self.before.push_back((now, self.end));
            self.end = fresh;
        }
    }

    /// Another leader told this.
    pub fn take_over(&mut self, end: Option<Number>) {
        self.end = end;
    }

    pub fn end(&self) -> Option<Number> {
        self.end
    }

    pub fn has(&self, number: Number) -> bool {
        is_within(self.end, number)
    }

    /// Whether it had that number then.
    pub fn had(&self, number: Number, then: Timestamp) -> bool {
        let next = self.before.iter().find(|(until, _)| then < *until);
        is_within(next.map_or(self.end, |(_, end)| *end), number)
    }
}

pub(super) fn is_within(end: Option<Number>, number: Number) -> bool {
    end.is_none_or(|last| number <= last)
}

/// The last of so many people; the absent count, because they may come back in time.
fn end(board: &Board, people: f64) -> Option<Number> {
    let people = people.clamp(0.0, f64::from(u32::MAX)) as u32;
    match people.checked_sub(1) {
        None => Some(NOBODY),
        Some(_) if people >= board.waiting() => None,
        Some(last) => board.nth(last),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn line(numbers: std::ops::RangeInclusive<u32>) -> Board {
        Board::new(numbers.map(Number).collect())
    }

    fn at(second: u64) -> Timestamp {
        Timestamp::default().plus(Duration::from_secs(second))
    }

    #[test]
    fn it_ends_after_so_many_people() {
        let mut reach = Reach::default();
        let board = line(11..=110);
        reach.update(&board, Some(40.9), at(0));
        assert!(reach.has(Number(50)) && !reach.has(Number(51)));
        reach.update(&board, Some(200.0), at(1));
        assert!(reach.has(Number(5_000)), "whoever comes yet, too");
        reach.update(&board, Some(0.3), at(2));
        assert!(!reach.has(Number(3)), "not even who was passed over");
        reach.update(&board, None, at(3));
        assert!(reach.has(Number(110)));
    }

    #[test]
    fn it_does_not_waver() {
        let mut reach = Reach::default();
        reach.update(&line(1..=100), Some(40.0), at(0));
        for (people, end) in [(42.0, 40), (37.0, 40), (45.0, 45), (30.0, 30), (0.0, 0)] {
            reach.update(&line(1..=100), Some(people), at(1));
            assert_eq!(reach.end(), Some(Number(end)), "{people}");
        }
        // A little more than the line is little; much more serves whoever comes, too.
        reach.update(&line(1..=100), Some(95.0), at(1));
        reach.update(&line(1..=100), Some(102.0), at(1));
        assert_eq!(reach.end(), Some(Number(95)));
        reach.update(&line(1..=100), Some(1_000.0), at(1));
        assert_eq!(reach.end(), None);
        for (people, end) in [(2.0, 2), (0.0, 0), (2.9, 0), (1.0, 0), (3.0, 3), (2.0, 2)] {
            reach.update(&line(1..=100), Some(people), at(1));
            assert_eq!(reach.end(), Some(Number(end)), "{people}");
        }
        // The line moves on, and its end with it.
        reach.update(&line(1..=100), Some(40.0), at(2));
        reach.update(&line(31..=100), Some(10.4), at(3));
        assert_eq!(reach.end(), Some(Number(40)));
    }

    #[test]
    fn what_it_was_is_remembered() {
        let mut reach = Reach::default();
        let board = line(1..=100);
        reach.update(&board, Some(40.0), at(10));
        reach.update(&board, Some(20.0), at(20));
        let had = |second| reach.had(Number(30), at(second));
        assert_eq!(
            [9, 10, 19, 20, 30].map(had),
            [true, true, true, false, false]
        );
        assert!(!reach.had(Number(41), at(15)));
    }
}
