//! What the numbers of one lane were told. The turn that is told moves forward
//! freely and back only for a reason, which is told as well; all of it is remembered
//! for the score. Kept for a few dozen numbers: what is true for both ends of a
//! stretch is true for everybody between.

use std::time::Duration;

use usher_base::{Number, Timestamp};

use super::forecast::Interval;
use super::outlook::{MAX_POINTS, Outlook, Point, SlipReason, between, share};
use super::reach::Reach;
use super::score::Score;
use crate::board::Board;

/// Numbers kept; with more, every second one is let go.
const MAX_KNOTS: usize = 64;
/// Into so many stretches those who came since the last tick are divided at most.
const MAX_STRETCHES: u32 = 32;
/// News is told if it is more than this share of the wait, and than this part of the
/// interval. What is told stays meanwhile: to follow good news only would tell the
/// best that was ever thought, which is too short.
const NOTABLE_SHARE: f64 = 0.05;
const NOTABLE_PART: f64 = 0.1;
/// However wide the interval became after large changes, more than this share is news.
const MOST_NOTABLE_SHARE: f64 = 0.1;
/// Good news is told when it is this part of what bad news must be: it is the more
/// frequent, because people ahead give up, and what is told would stay behind it.
const GOOD_NEWS: f64 = 0.5;
/// A shift that nobody would notice on a page; of good news, half of it.
const UNNOTICED_S: f64 = 1.0;
/// A reason is told this long: longer than from one poll to the next.
const REASON_TOLD: Duration = Duration::from_secs(40);
/// Tellings remembered of one number; then every second one is forgotten.
const MAX_REMEMBERED: usize = 48;
/// A change of the presence that is a reason.
const NOTABLE_AWAY: f64 = 0.02;

/// What a promise was made from, to name what changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Basis {
    pub per_second: f64,
    /// Share of the line that is away.
    pub away: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Told {
    at: Timestamp,
    low: Timestamp,
    likely: Timestamp,
    high: Timestamp,
}

#[derive(Debug)]
struct Knot {
    number: Number,
    since: Timestamp,
    told: Told,
    basis: Basis,
    slipped: Option<(SlipReason, Timestamp)>,
    before: Vec<Told>,
}

/// The line as it is now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span<'b> {
    pub board: &'b Board,
    /// The largest number called so far.
    pub front: Number,
}

#[derive(Debug, Default)]
pub(super) struct Promises {
    /// Ascending, up to the last number given.
    knots: Vec<Knot>,
    /// The newest that was passed: what it was told counts for those after it.
    passed: Option<Knot>,
    was_paused: bool,
    /// When it could be said last, and how far the line had come.
    said: Option<(Timestamp, Number)>,
}

impl Promises {
    /// Takes in the newest forecast; `fresh` says it for a number, `None` while
    /// nobody is let in.
    pub fn update(
        &mut self,
        span: Span<'_>,
        fresh: impl Fn(Number) -> Option<Interval>,
        reach: &Reach,
        basis: Basis,
        now: Timestamp,
    ) {
        self.said = None;
        self.pass(span.front);
        let was_paused = std::mem::take(&mut self.was_paused);
        for knot in &mut self.knots {
            let Some(fresh) = fresh(knot.number) else {
                self.was_paused = was_paused;
                return;
            };
            let fresh = Told::new(&fresh, now);
            if reach.has(knot.number) {
                knot.update(fresh, basis, was_paused);
            } else {
                // It is told nothing, and is held to nothing.
                knot.replace(fresh, basis);
            }
        }
        for number in self.newcomers(span) {
            let Some(fresh) = fresh(number) else { return };
            let fresh = Told::new(&fresh, now);
            self.knots.push(Knot::new(number, fresh, basis));
        }
        self.thin();
        self.said = Some((now, span.front));
    }

    /// Nobody is let in for now: nothing is said, and what is said next may be later.
    pub fn pause(&mut self) {
        self.was_paused = true;
        self.said = None;
    }

    /// Another leader told this: it holds on.
    pub fn take_over(&mut self, outlook: &Outlook, basis: Basis, now: Timestamp) {
        let told = outlook.points().iter().skip(1).map(|point| {
            let told = Told {
                at: now,
                low: point.low,
                likely: point.likely,
                high: point.high,
            };
            Knot::new(point.number, told, basis)
        });
        self.knots = told.collect();
    }

    pub fn is_empty(&self) -> bool {
        self.knots.is_empty()
    }

    pub fn outlook(&self, reach: &Reach) -> Outlook {
        let Some((now, front)) = self.said.filter(|_| !self.knots.is_empty()) else {
            return Outlook::new(Vec::new(), reach.end());
        };
        // Who is at the front is being called.
        let called = Point {
            number: front,
            low: now,
            likely: now,
            high: now.plus(Duration::from_secs_f64(UNNOTICED_S)),
            slipped: None,
        };
        let told = self.knots.iter().map(|knot| knot.point(now));
        let points = [called].into_iter().chain(told).take(MAX_POINTS);
        Outlook::new(points.collect(), reach.end())
    }

    /// The turn of this number came: what was it told half-way, if anything?
    pub fn score(&self, number: Number, reach: &Reach, admitted_at: Timestamp) -> Option<Score> {
        let index = self.knots.partition_point(|knot| knot.number < number);
        let to = self.knots.get(index)?;
        let from = match index.checked_sub(1) {
            Some(before) => self.knots.get(before),
            None => self.passed.as_ref(),
        };
        let from = from.or((to.number == number).then_some(to))?;
        let way = share(from.number, to.number, number).min(1.0);
        let since = between(from.since, to.since, way);
        let half_way = between(since, admitted_at, 0.5);
        if !reach.had(number, half_way) {
            return None;
        }
        let (from, to) = (from.told_at(half_way), to.told_at(half_way));
        let point = |of: fn(&Told) -> Timestamp| between(of(from), of(to), way);
        Some(Score::new(
            [
                point(|told| told.low),
                point(|told| told.likely),
                point(|told| told.high),
            ],
            half_way,
            admitted_at,
        ))
    }

    /// Those called by now go; the last of them is kept for those after it.
    fn pass(&mut self, front: Number) {
        let passed = self.knots.partition_point(|knot| knot.number <= front);
        if let Some(last) = self.knots.drain(..passed).next_back() {
            self.passed = Some(last);
        }
    }

    /// Numbers that divide those who came since the last knot into stretches of as many
    /// people each; by people, because numbers may have gaps of a million.
    fn newcomers(&self, span: Span<'_>) -> Vec<Number> {
        let known = self.knots.last().map_or(span.front, |knot| knot.number);
        let from = span.board.ahead(Number(known.0.saturating_add(1)));
        let new = span.board.waiting().saturating_sub(from);
        let stretches = new.min(MAX_STRETCHES);
        let after = |stretch: u32| u64::from(new) * u64::from(stretch) / u64::from(stretches);
        (1..=stretches)
            .filter_map(|stretch| span.board.nth(from + after(stretch) as u32 - 1))
            .collect()
    }

    /// Lets every second one go, but not the last.
    fn thin(&mut self) {
        while self.knots.len() > MAX_KNOTS {
            let mut keep = self.knots.len().is_multiple_of(2);
            self.knots.retain(|_| {
                keep = !keep;
                keep
            });
        }
    }
}

impl Knot {
    fn new(number: Number, told: Told, basis: Basis) -> Self {
        Self {
            number,
            since: told.at,
            told,
            basis,
            slipped: None,
            before: Vec::new(),
        }
    }

    fn update(&mut self, fresh: Told, basis: Basis, was_paused: bool) {
        let now = fresh.at;
        let later_s = (fresh.likely.millis() - self.told.likely.millis()) as f64 / 1_000.0;
        let wait_s = fresh.likely.since(now).as_secs_f64();
        let doubt_s = fresh.high.since(fresh.low).as_secs_f64();
        let of_doubt_s = (doubt_s * NOTABLE_PART).min(wait_s * MOST_NOTABLE_SHARE);
        let notable_s = (wait_s * NOTABLE_SHARE).max(of_doubt_s).max(UNNOTICED_S);
        if later_s > notable_s {
            let reason = self.reason(basis, was_paused);
            self.replace(fresh, basis);
            self.slipped = Some((reason, now));
        } else if later_s < -notable_s * GOOD_NEWS {
            let slipped = self.slipped;
            self.replace(fresh, basis);
            self.slipped = slipped;
        } else {
            let likely = self.told.likely;
            // The bounds lie around it as they do now; the later one only comes nearer.
            let low = likely.millis() - (fresh.likely.millis() - fresh.low.millis());
            let high = likely.plus(fresh.high.since(fresh.likely));
            self.remember(Told {
                at: now,
                low: Timestamp::from_millis(low),
                likely,
                high: high.min(self.told.high).max(likely),
            });
        }
    }

    /// What was told before counts no longer.
    fn replace(&mut self, fresh: Told, basis: Basis) {
        self.remember(fresh);
        self.basis = basis;
        self.slipped = None;
    }

    fn reason(&self, basis: Basis, was_paused: bool) -> SlipReason {
        if was_paused {
            SlipReason::Paused
        } else if basis.per_second < self.basis.per_second * (1.0 - NOTABLE_SHARE) {
            SlipReason::Slower
        } else if basis.away + NOTABLE_AWAY < self.basis.away {
            SlipReason::MoreCameBack
        } else {
            // It went slower than it looked.
            SlipReason::Slower
        }
    }

    fn remember(&mut self, told: Told) {
        let is_as_remembered = self.before.last().is_some_and(|last| {
            let moved = |of: fn(&Told) -> Timestamp| of(last).millis().abs_diff(of(&told).millis());
            let unnoticed = (UNNOTICED_S * 1_000.0) as u64;
            moved(|told| told.likely) < unnoticed && moved(|told| told.high) < unnoticed
        });
        if !is_as_remembered {
            if self.before.len() == MAX_REMEMBERED {
                let mut keep = false;
                self.before.retain(|_| {
                    keep = !keep;
                    keep
                });
            }
            self.before.push(self.told);
        }
        self.told = told;
    }

    /// What was in force then; the first telling for the time before it.
    fn told_at(&self, then: Timestamp) -> &Told {
        if self.told.at <= then {
            return &self.told;
        }
        let told = self.before.partition_point(|one| one.at <= then);
        self.before
            .get(told.saturating_sub(1))
            .unwrap_or(&self.told)
    }

    fn point(&self, now: Timestamp) -> Point {
        let slipped = self.slipped.filter(|(_, at)| now.since(*at) < REASON_TOLD);
        Point {
            number: self.number,
            low: self.told.low,
            likely: self.told.likely,
            high: self.told.high,
            slipped: slipped.map(|(reason, _)| reason),
        }
    }
}

impl Told {
    fn new(interval: &Interval, now: Timestamp) -> Self {
        Self {
            at: now,
            low: now.plus(interval.low),
            likely: now.plus(interval.likely),
            high: now.plus(interval.high),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::bitmap::Bitmap;
    use crate::wait::Outcome;

    const BASIS: Basis = Basis {
        per_second: 1.0,
        away: 0.1,
    };

    fn at(second: u64) -> Timestamp {
        Timestamp::default().plus(Duration::from_secs(second))
    }

    /// One a second, times a factor, of the numbers behind the front.
    fn told(
        promises: &mut Promises,
        front: u32,
        last: u32,
        factor: f64,
        basis: Basis,
        second: u64,
    ) {
        let fresh = |number: Number| {
            let seconds = f64::from(number.0.saturating_sub(front)) * factor;
            let span = |share: f64| Duration::from_secs_f64(seconds * share);
            Some(Interval {
                low: span(0.9),
                likely: span(1.0),
                high: span(1.1),
            })
        };
        let living: Bitmap = (front + 1..=last).map(Number).collect();
        let board = Board::new(living);
        let span = Span {
            board: &board,
            front: Number(front),
        };
        promises.update(span, fresh, &Reach::default(), basis, at(second));
    }

    fn likely(promises: &Promises, number: u32, second: u64) -> (u64, Option<SlipReason>) {
        let wait = promises
            .outlook(&Reach::default())
            .wait(Number(number), at(second))
            .unwrap();
        (wait.interval.likely.as_secs(), wait.slipped)
    }

    #[test]
    fn good_news_is_told_sooner_than_bad() {
        for (factor, expected) in [(0.97, 776), (1.03, 799)] {
            let mut promises = Promises::default();
            told(&mut promises, 0, 1_000, 1.0, BASIS, 0);
            told(&mut promises, 0, 1_000, factor, BASIS, 1);
            let (wait, _) = likely(&promises, 800, 1);
            assert!(wait.abs_diff(expected) <= 3, "{factor}: {wait}");
        }
    }

    #[test]
    fn without_a_reason_the_time_told_never_slips() {
        let mut promises = Promises::default();
        told(&mut promises, 0, 1_000, 1.0, BASIS, 0);
        assert_eq!(likely(&promises, 500, 0), (500, None));
        told(&mut promises, 0, 1_000, 1.04, BASIS, 1);
        assert_eq!(
            likely(&promises, 500, 1),
            (499, None),
            "a little later is kept"
        );
        told(&mut promises, 0, 1_000, 0.8, BASIS, 2);
        assert_eq!(likely(&promises, 500, 2), (400, None), "good news is told");
        told(&mut promises, 0, 1_000, 0.78, BASIS, 3);
        assert_eq!(
            likely(&promises, 500, 3),
            (399, None),
            "a little of it is not"
        );
    }

    #[test]
    fn each_slip_has_its_reason() {
        let slower = Basis {
            per_second: 0.8,
            ..BASIS
        };
        let fuller = Basis { away: 0.0, ..BASIS };
        let slip = |basis: Basis, paused: bool| {
            let mut promises = Promises::default();
            told(&mut promises, 0, 1_000, 1.0, BASIS, 0);
            if paused {
                promises.pause();
                assert_eq!(promises.outlook(&Reach::default()), Outlook::default());
            }
            told(&mut promises, 0, 1_000, 1.25, basis, 1);
            let (wait, reason) = likely(&promises, 800, 1);
            assert_eq!(wait, 1_000);
            told(&mut promises, 48, 1_000, 1.25, basis, 61);
            assert_eq!(likely(&promises, 800, 61).1, None, "told for a while only");
            reason.unwrap()
        };
        assert_eq!(slip(slower, false), SlipReason::Slower);
        assert_eq!(slip(fuller, false), SlipReason::MoreCameBack);
        assert_eq!(slip(BASIS, true), SlipReason::Paused);
        assert_eq!(slip(BASIS, false), SlipReason::Slower);
    }

    #[test]
    fn a_line_of_any_length_has_few_points_and_all_numbers_between() {
        let mut promises = Promises::default();
        for (second, last) in [(0, 1), (1, 50), (2, 5_000), (3, 100_000)] {
            told(&mut promises, 0, last, 1.0, BASIS, second);
            assert!(promises.outlook(&Reach::default()).points().len() <= MAX_POINTS);
            let (wait, _) = likely(&promises, last, second);
            assert!(wait.abs_diff(last.into()) <= 3, "{last}: {wait}");
        }
        told(&mut promises, 99_000, 100_000, 1.0, BASIS, 4);
        assert_eq!(likely(&promises, 99_500, 4).0, 500);
        told(&mut promises, 100_000, 100_000, 1.0, BASIS, 5);
        told(&mut promises, 100_000, 100_010, 1.0, BASIS, 6);
        assert_eq!(likely(&promises, 100_007, 6).0, 7, "and begins anew");
    }

    #[test]
    fn a_gap_of_a_million_numbers_is_nobody() {
        let numbers = (1..=40).chain(1_000_001..=1_000_040);
        let board = Board::new(numbers.map(Number).collect());
        let span = Span {
            board: &board,
            front: Number(0),
        };
        let fresh = |number| {
            let seconds = Duration::from_secs(board.ahead(number).into());
            Some(Interval {
                low: seconds,
                likely: seconds,
                high: seconds,
            })
        };
        let mut promises = Promises::default();
        promises.update(span, fresh, &Reach::default(), BASIS, at(0));
        for (number, seconds) in [(30, 29), (40, 39), (1_000_001, 40), (1_000_040, 79)] {
            let (wait, _) = likely(&promises, number, 0);
            assert!(wait.abs_diff(seconds) <= 2, "{number}: {wait}");
        }
    }

    #[test]
    fn the_score_looks_at_the_half_way_point() {
        let mut promises = Promises::default();
        for second in 0..300 {
            told(&mut promises, second as u32, 1_000, 1.0, BASIS, second);
        }
        let on_time = promises
            .score(Number(900), &Reach::default(), at(905))
            .unwrap();
        assert_eq!(on_time.half_way, Outcome::Held);
        assert!(on_time.half_way_error < 0.03, "{on_time:?}");
        let early = promises
            .score(Number(900), &Reach::default(), at(500))
            .unwrap();
        assert_eq!(early.half_way, Outcome::Early);
        let late = promises
            .score(Number(900), &Reach::default(), at(1_800))
            .unwrap();
        assert_eq!(late.half_way, Outcome::Late);
        assert!((late.half_way_error - 1.0).abs() < 0.01, "{late:?}");
    }

    #[test]
    fn who_was_told_nothing_half_way_is_not_scored_and_slips_from_nothing() {
        let board = Board::new((1..=1_000).map(Number).collect());
        let (mut reach, mut promises) = (Reach::default(), Promises::default());
        for second in 0..300 {
            let people = if second < 200 { 100.0 } else { 1_000.0 };
            reach.update(&board, Some(people), at(second));
            let span = Span {
                board: &board,
                front: Number(0),
            };
            // It takes longer and longer.
            let wait = |number: Number| Duration::from_secs(u64::from(number.0) + 2 * second);
            let fresh = |number| {
                Some(Interval {
                    low: wait(number),
                    likely: wait(number),
                    high: wait(number),
                })
            };
            promises.update(span, fresh, &reach, BASIS, at(second));
        }
        let score = |second| promises.score(Number(500), &reach, at(second));
        assert_eq!(score(380), None, "half-way it was beyond");
        assert!(score(500).is_some());
        let told = promises.outlook(&reach).wait(Number(500), at(299)).unwrap();
        assert_eq!(told.slipped, Some(SlipReason::Slower));
        let mut reach = Reach::default();
        reach.update(&board, Some(100.0), at(299));
        assert_eq!(promises.outlook(&reach).wait(Number(500), at(299)), None);
    }

    #[test]
    fn the_next_leader_keeps_what_was_told() {
        let mut before = Promises::default();
        told(&mut before, 0, 1_000, 1.0, BASIS, 0);
        let mut after = Promises::default();
        after.take_over(&before.outlook(&Reach::default()), BASIS, at(1));
        told(&mut after, 0, 1_000, 1.04, BASIS, 1);
        assert_eq!(likely(&after, 500, 1), (499, None));
    }
}
