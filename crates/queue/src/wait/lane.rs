//! One lane's waits, tick by tick: measures its people and how much of its pace is
//! carried out, and keeps what its numbers were told.

use std::collections::VecDeque;

use usher_base::{Number, Timestamp};

use super::fading::Fading;
use super::forecast::{Ahead, Forecast, STRETCH_S, TICK_S};
use super::knot::Basis;
use super::outlook::Outlook;
use super::pace::Pace;
use super::people::People;
use super::promises::{Promises, Span};
use super::rate::Rate;
use super::reach::Reach;
use super::score::Scorer;
use crate::bitmap::Bitmap;
use crate::board::Board;

/// How far back it is seen whether the pace is carried out.
const MEMORY_S: f64 = 60.0;
/// That it is carried out is believed like so many people who were let in.
const BELIEVED_PEOPLE: f64 = 30.0;
/// Stretches that the noise is taken of.
const MAX_STRETCHES: usize = 24;
const LEAST_STRETCHES: usize = 3;
/// Of an unmeasured lane.
const FIRST_NOISE: f64 = 0.1;
/// However late a look comes, it lets people in for no longer (the law's `DT_MAX_S`).
const LATE_AT_MOST_S: f64 = 2.0;
/// With fewer people for each place, the pace is not carried out for lack of them.
const PEOPLE_A_PLACE: f64 = 2.0;

/// A lane at one tick.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    pub board: &'a Board,
    /// Whom edges have connected.
    pub here: &'a Bitmap,
    /// The last number given.
    pub last: Number,
    /// Gave up, or were given up, since the last tick.
    pub left: u32,
}

/// What is to come of a lane.
#[derive(Clone, Debug)]
pub struct Plan<'r> {
    pub pace: Pace,
    pub rate: &'r Rate,
    /// People of the lane whom what is left to sell still serves; `None` where
    /// nothing can run out.
    pub reach: Option<f64>,
}

#[derive(Debug)]
pub struct LaneWaits {
    /// The largest number called so far.
    front: Number,
    called: u32,
    people: People,
    promises: Promises,
    reach: Reach,
    /// People let in over people meant to be.
    carried_out: Fading,
    /// That of each full stretch, the newest last.
    stretches: VecDeque<f64>,
    open: Stretch,
    /// The last tick, and how many people were to be called from then on.
    before: Option<(Timestamp, f64)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Stretch {
    seconds: f64,
    released: f64,
    meant: f64,
}

impl Default for LaneWaits {
    fn default() -> Self {
        Self {
            front: Number(0),
            called: 0,
            people: People::default(),
            promises: Promises::default(),
            reach: Reach::default(),
            carried_out: Fading::guess(0.0, 0.0, MEMORY_S),
            stretches: VecDeque::with_capacity(MAX_STRETCHES),
            open: Stretch::default(),
            before: None,
        }
    }
}

impl LaneWaits {
    /// These were called, ascending. Who was passed over and is served on return
    /// was told nothing meanwhile, and is not scored.
    pub fn called(
        &mut self,
        numbers: impl Iterator<Item = Number>,
        now: Timestamp,
        scorer: &mut Scorer,
    ) {
        for number in numbers {
            self.called += 1;
            if number > self.front {
                self.front = number;
                if let Some(score) = self.promises.score(number, &self.reach, now) {
                    scorer.take_in(score);
                }
            }
        }
    }

    /// Takes in one tick of an open event. Returns who could be let in now.
    pub fn measure(&mut self, seen: Seen<'_>, now: Timestamp) -> u32 {
        let released = std::mem::take(&mut self.called);
        self.people.observe(seen, now);
        let present = seen.board.waiting() - self.people.away_ahead(Number(u32::MAX));
        if let Some((then, meant)) = self.before
            && meant > 0.0
        {
            self.carry_out(f64::from(released), meant, now.since(then).as_secs_f64());
        }
        present
    }

    fn carry_out(&mut self, released: f64, meant: f64, seconds: f64) {
        self.carried_out.count(released, meant, seconds);
        self.open.seconds += seconds;
        self.open.released += released;
        self.open.meant += meant;
        if self.open.seconds >= STRETCH_S {
            if self.stretches.len() == MAX_STRETCHES {
                self.stretches.pop_front();
            }
            self.stretches
                .push_back(self.open.released / self.open.meant);
            self.open = Stretch::default();
        }
    }

    /// Nobody is let in for now, which is no slow rate.
    pub fn interrupt(&mut self) {
        self.before = None;
        self.people.interrupt();
        self.promises.pause();
    }

    /// What the lane is told. `told_before` is what the line heard last, perhaps from
    /// another leader.
    pub fn tell(
        &mut self,
        seen: Seen<'_>,
        plan: Plan<'_>,
        told_before: Option<&Outlook>,
        width: f64,
        now: Timestamp,
    ) -> Outlook {
        let Plan { pace, rate, reach } = plan;
        let is_new = self.before.is_none();
        let surplus = rate.surplus();
        // Called from now on are those who became due since the last tick.
        let due_s = self.before.map_or(TICK_S, |(then, _)| {
            now.since(then).as_secs_f64().min(LATE_AT_MOST_S)
        });
        let meant = pace.people_in(due_s) * surplus.factor(0.0);
        // Few let in because few are seen now, or little is left, is no slow rate.
        let could_be_called = f64::from(seen.board.alive().common_len(seen.here));
        let is_measured =
            could_be_called >= PEOPLE_A_PLACE * meant && reach.is_none_or(|people| people >= meant);
        self.before = Some((now, if is_measured { meant } else { 0.0 }));
        let forecast = Forecast {
            surplus,
            pace: pace.times(self.carried_out.believed(BELIEVED_PEOPLE)),
            habits: self.people.habits(),
            noise: self.noise(),
            wander: rate.variance_over(1.0),
            width,
        };
        let waiting = f64::from(seen.board.waiting().max(1));
        let basis = Basis {
            per_second: forecast.pace.people_in(STRETCH_S) / STRETCH_S * surplus.factor(0.0),
            away: f64::from(self.people.away_ahead(Number(u32::MAX))) / waiting,
        };
        if is_new
            && self.promises.is_empty()
            && let Some(told) = told_before
        {
            self.front = told.points().first().map_or(self.front, |of| of.number);
            self.promises.take_over(told, basis, now);
            self.reach.take_over(told.reach());
        }
        self.reach.update(seen.board, reach, now);
        let span = Span {
            board: seen.board,
            front: self.front,
        };
        let mut promises = std::mem::take(&mut self.promises);
        let fresh = |number| forecast.wait(self.ahead(seen, number));
        promises.update(span, fresh, &self.reach, basis, now);
        self.promises = promises;
        self.promises.outlook(&self.reach)
    }

    /// Who stands before a number.
    fn ahead(&self, seen: Seen<'_>, number: Number) -> Ahead {
        let away = self.people.away_ahead(number);
        Ahead {
            here: f64::from(seen.board.ahead(number).saturating_sub(away)),
            away: away.into(),
        }
    }

    /// Relative deviation of what is carried out in a stretch.
    fn noise(&self) -> f64 {
        let count = self.stretches.len();
        let mean = self.stretches.iter().sum::<f64>() / count.max(1) as f64;
        if count < LEAST_STRETCHES || mean <= 0.0 {
            return FIRST_NOISE;
        }
        let squares = self.stretches.iter().map(|one| (one - mean) * (one - mean));
        (squares.sum::<f64>() / (count - 1) as f64).sqrt() / mean
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;
    use crate::wait::Aim;

    const LAST: u32 = 300;
    /// Let in each second.
    const CALLED: u32 = 5;

    /// The leader looks in these seconds. All come at once, are seen from a second on, and
    /// are let in from then on, each time as many as are due since the last look, for two
    /// seconds at most: the wait that the last one is told at the end.
    fn told_to_the_last(seen_from: u32, looks: &[u32]) -> f64 {
        let (mut lane, mut rate, mut scorer) =
            (LaneWaits::default(), Rate::default(), Scorer::default());
        let (mut front, mut last_look) = (0, None);
        let mut told = Outlook::default();
        for &second in looks {
            let now = Timestamp::default().plus(Duration::from_secs(second.into()));
            let due = CALLED
                * last_look
                    .replace(second)
                    .map_or(1, |last| second - last)
                    .min(2);
            let board = Board::new((front + 1..=LAST).map(Number).collect());
            let here = if second < seen_from {
                Bitmap::default()
            } else {
                board.alive().clone()
            };
            let seen = Seen {
                board: &board,
                here: &here,
                last: Number(LAST),
                left: 0,
            };
            rate.observe(Aim::Set(CALLED.into()), now);
            lane.measure(seen, now);
            let plan = Plan {
                pace: Pace::steady(rate.per_second()),
                rate: &rate,
                reach: None,
            };
            told = lane.tell(seen, plan, None, 1.0, now);
            if !here.is_empty() {
                lane.called((front + 1..=front + due).map(Number), now, &mut scorer);
                front += due;
            }
        }
        let end = last_look.unwrap();
        let end = Timestamp::default().plus(Duration::from_secs(end.into()));
        let wait = told.wait(Number(LAST), end).unwrap();
        wait.interval.likely.as_secs_f64()
    }

    fn seconds(of: std::ops::RangeInclusive<u32>) -> Vec<u32> {
        of.collect()
    }

    #[test]
    fn that_nobody_could_be_let_in_before_being_seen_is_no_slow_rate() {
        let at_once = told_to_the_last(0, &seconds(0..=10));
        // Beforehand it is believed that one or two leave.
        assert!((48.0..50.0).contains(&at_once), "{at_once}");
        let later = told_to_the_last(3, &seconds(0..=13));
        assert!((later - at_once).abs() < 0.5, "{later} {at_once}");
    }

    #[test]
    fn that_a_late_look_makes_up_for_two_seconds_is_no_other_rate() {
        let in_time = told_to_the_last(5, &seconds(0..=13));
        let late = told_to_the_last(5, &[seconds(0..=2), seconds(5..=13)].concat());
        // One second more of them is gone.
        assert!((in_time - 1.0 - late).abs() < 0.5, "{late} {in_time}");
    }
}
