//! What the leader tells of a lane's waits, small enough to be announced each tick:
//! the turns of a few dozen numbers, between which every other number lies.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use usher_base::{InvalidId, Number, Timestamp};

use super::forecast::Interval;
use super::reach::is_within;

/// Points of one lane at most.
pub(super) const MAX_POINTS: usize = 66;

/// Why the wait got longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlipReason {
    /// Fewer are let in a minute than before.
    Slower,
    /// People ahead who were away came back.
    MoreCameBack,
    /// Nobody was let in for a while.
    Paused,
}

/// When the turn of one number comes, by Redis's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    pub number: Number,
    pub low: Timestamp,
    pub likely: Timestamp,
    pub high: Timestamp,
    /// It became later a moment ago.
    pub slipped: Option<SlipReason>,
}

/// A lane's points, ascending. Empty while nobody can say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outlook {
    points: Vec<Point>,
    /// What is left to sell reaches so far; `None`: to everybody.
    reach: Option<Number>,
}

/// What one fan is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    pub interval: Interval,
    pub slipped: Option<SlipReason>,
}

impl Outlook {
    /// `points` ascend by number, and are few.
    pub(super) fn new(points: Vec<Point>, reach: Option<Number>) -> Self {
        Self { points, reach }
    }

    pub fn points(&self) -> &[Point] {
        &self.points
    }

    pub(super) fn reach(&self) -> Option<Number> {
        self.reach
    }

    /// Whether what is left to sell goes to people before this number, as it looks now.
    pub fn is_beyond(&self, number: Number) -> bool {
        !is_within(self.reach, number)
    }

    /// The wait of this number. Numbers before the first point are served at once;
    /// one that came after the last tick lies where the last stretch leads.
    pub fn wait(&self, number: Number, now: Timestamp) -> Option<Wait> {
        if self.is_beyond(number) {
            return None;
        }
        let behind = self.points.partition_point(|point| point.number < number);
        let behind = behind.clamp(1, self.points.len().checked_sub(1)?.max(1));
        let from = self.points.get(behind - 1)?;
        let to = self.points.get(behind).unwrap_or(from);
        let way = share(from.number, to.number, number);
        let span = |of: fn(&Point) -> Timestamp| between(of(from), of(to), way).since(now);
        let interval = Interval {
            low: span(|point| point.low),
            likely: span(|point| point.likely),
            high: span(|point| point.high),
        };
        let slipped = to.slipped.or(from.slipped);
        Some(Wait { interval, slipped })
    }
}

/// How far the number is from one to the other; 0 before, more than 1 beyond.
pub(super) fn share(from: Number, to: Number, number: Number) -> f64 {
    let steps = to.0.saturating_sub(from.0).max(1);
    f64::from(number.0.saturating_sub(from.0)) / f64::from(steps)
}

pub(super) fn between(from: Timestamp, to: Timestamp, way: f64) -> Timestamp {
    let span = (to.millis() - from.millis()) as f64;
    Timestamp::from_millis(from.millis() + (span * way).round() as i64)
}

impl SlipReason {
    const fn letter(self) -> &'static str {
        match self {
            Self::Slower => "s",
            Self::MoreCameBack => "m",
            Self::Paused => "p",
        }
    }

    fn of_letter(letter: &str) -> Option<Self> {
        [Self::Slower, Self::MoreCameBack, Self::Paused]
            .into_iter()
            .find(|reason| reason.letter() == letter)
    }
}

/// `number low likely-low high-likely [reason];...[>reach]`, in milliseconds, as the
/// event's meta keeps it.
impl fmt::Display for Outlook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, point) in self.points.iter().enumerate() {
            let separator = if index > 0 { ";" } else { "" };
            let (low, likely) = (point.low.millis(), point.likely);
            let (to_likely, to_high) = (
                likely.since(point.low).as_millis(),
                point.high.since(likely).as_millis(),
            );
            write!(
                f,
                "{separator}{} {low} {to_likely} {to_high}",
                point.number.0
            )?;
            if let Some(reason) = point.slipped {
                write!(f, " {}", reason.letter())?;
            }
        }
        match self.reach {
            Some(last) => write!(f, ">{}", last.0),
            None => Ok(()),
        }
    }
}

impl FromStr for Outlook {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        outlook(text).ok_or(InvalidId("outlook"))
    }
}

fn outlook(text: &str) -> Option<Outlook> {
    let (points, reach) = match text.split_once('>') {
        Some((points, last)) => (points, Some(Number(last.parse().ok()?))),
        None => (text, None),
    };
    let points = points.split_terminator(';').take(MAX_POINTS);
    let points: Vec<Point> = points.map(point).collect::<Option<_>>()?;
    let is_sorted = points.is_sorted_by_key(|point| point.number);
    is_sorted.then(|| Outlook::new(points, reach))
}

fn point(text: &str) -> Option<Point> {
    let mut parts = text.split(' ');
    let number = Number(parts.next()?.parse().ok()?);
    let low = Timestamp::from_millis(parts.next()?.parse().ok()?);
    let likely = low.plus(Duration::from_millis(
        parts.next()?.parse::<u32>().ok()?.into(),
    ));
    let high = likely.plus(Duration::from_millis(
        parts.next()?.parse::<u32>().ok()?.into(),
    ));
    let slipped = match parts.next() {
        Some(letter) => Some(SlipReason::of_letter(letter)?),
        None => None,
    };
    Some(Point {
        number,
        low,
        likely,
        high,
        slipped,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_255_200_000);

    fn at(number: u32, seconds: u64, slipped: Option<SlipReason>) -> Point {
        let after = |seconds| NOW.plus(Duration::from_secs(seconds));
        Point {
            number: Number(number),
            low: after(seconds * 9 / 10),
            likely: after(seconds),
            high: after(seconds * 11 / 10),
            slipped,
        }
    }

    fn outlook() -> Outlook {
        let slipped = Some(SlipReason::MoreCameBack);
        let points = vec![at(10, 0, None), at(20, 100, None), at(40, 300, slipped)];
        Outlook::new(points, None)
    }

    fn likely(number: u32) -> u64 {
        let wait = outlook().wait(Number(number), NOW).unwrap();
        wait.interval.likely.as_secs()
    }

    #[test]
    fn each_number_lies_between_its_points() {
        assert_eq!((likely(15), likely(20), likely(30)), (50, 100, 200));
        assert_eq!((likely(3), likely(10)), (0, 0), "passed over, and back");
        assert_eq!(likely(50), 400, "came since the last tick");
        let told = outlook().wait(Number(30), NOW).unwrap();
        assert_eq!(told.slipped, Some(SlipReason::MoreCameBack));
        assert_eq!(Outlook::default().wait(Number(3), NOW), None);
        let one = Outlook::new(vec![at(10, 7, None)], None).wait(Number(12), NOW);
        assert_eq!(one.unwrap().interval.likely.as_secs(), 7);
    }

    #[test]
    fn nothing_is_told_beyond_what_is_left() {
        let ended = Outlook::new(outlook().points, Some(Number(30)));
        assert_eq!(ended.wait(Number(30), NOW), outlook().wait(Number(30), NOW));
        assert_eq!(ended.wait(Number(31), NOW), None);
        assert!(ended.is_beyond(Number(31)) && !ended.is_beyond(Number(30)));
        assert!(!outlook().is_beyond(Number(5_000)));
    }

    #[test]
    fn it_survives_text() {
        let ended = Outlook::new(outlook().points, Some(Number(30)));
        let empty = Outlook::new(Vec::new(), Some(Number(0)));
        for outlook in [outlook(), Outlook::default(), ended, empty] {
            assert_eq!(outlook.to_string().parse(), Ok(outlook));
        }
        for bad in [
            "1",
            "1 2 3",
            "1 2 3 4 x",
            "2 0 0 0;1 0 0 0",
            "1 2 -3 4",
            ";",
            "1 2 3 4>",
            "1 2 3 4>5>6",
        ] {
            assert!(bad.parse::<Outlook>().is_err(), "{bad}");
        }
    }
}
