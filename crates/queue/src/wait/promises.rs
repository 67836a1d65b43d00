//! What the numbers of one lane were told, remembered for the score. Kept for a few
//! dozen numbers (`Knot`): what is true for both ends of a stretch is true for
//! everybody between.

use std::time::Duration;

use usher_base::{Number, Timestamp};

use super::forecast::Interval;
use super::knot::{Basis, Knot, Told, UNNOTICED_S};
use super::outlook::{MAX_POINTS, Outlook, Point, between, share};
use super::reach::Reach;
use super::score::Score;
use crate::board::Board;

/// Numbers kept; with more, every second one is let go.
const MAX_KNOTS: usize = 64;
/// Into so many stretches those who came since the last tick are divided at most.
const MAX_STRETCHES: u32 = 32;

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

#[cfg(test)]
mod tests;
