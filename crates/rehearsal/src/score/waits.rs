//! Waits shown against waits that came. usher shows an interval from P50 to P90,
//! so an honest forecast is kept (served by its high end) nine times in ten and is
//! early (served by its low end) every second time. A wide interval would always
//! be kept; the median error of the low end shows whether it was also any use.

use serde::{Deserialize, Serialize};

use super::{median, quantile, thin};
use crate::record::{Ending, FanRecord, Span, WaitSeen};

/// Relative errors are taken against at least this many seconds: one second off
/// in a wait of two is no dishonesty.
const RELATIVE_FLOOR_S: f64 = 5.0;
/// A fan who was away longer than this after asking may have missed the own turn.
const ABSENCE_MAX_MS: u64 = 3_000;
/// A rate that changed by no more than this is the same.
const SAME_RATE: f64 = 0.1;
/// Parts of a fan's own wait that the report tells apart.
const PARTS: u64 = 10;
/// How many spans of asking times the report tells apart.
const ASKING_BUCKETS: usize = 8;
/// Most points in the picture.
const POINTS_MAX: usize = 600;

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Shares {
    pub judged: u64,
    /// Served no later than the high end.
    pub kept: Option<f64>,
    /// Served no later than the low end.
    pub early: Option<f64>,
    /// Served between the two.
    pub within: Option<f64>,
    /// Served between the soonest and the high end.
    pub contained: Option<f64>,
    /// Median of |wait - low end| / wait.
    pub median_error: Option<f64>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    pub asked_from_s: f64,
    pub asked_to_s: f64,
    pub shares: Shares,
    pub shown_low_s: f64,
    pub shown_high_s: f64,
    pub came_p10_s: f64,
    pub came_p50_s: f64,
    pub came_p90_s: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    pub asked_s: f64,
    pub low_s: f64,
    pub high_s: f64,
    pub came_s: f64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Waits {
    pub all: Shares,
    /// Only what was shown nearest to the middle of each fan's own wait.
    pub halfway: Shares,
    /// Of those, fans who were shown the same rate from then on: the others' waits
    /// changed after they were told, which nobody can foresee.
    #[serde(default)]
    pub halfway_same_rate: Shares,
    /// After each tenth of the fans' own waits, from none to nine.
    #[serde(default)]
    pub by_part: Vec<Shares>,
    pub by_asking: Vec<Bucket>,
    pub points: Vec<Point>,
    /// The end of the rehearsal or the fan's leaving came before the truth.
    pub not_known: u64,
    /// Left out, because the fan was away for a part of the wait.
    pub away: u64,
    /// Fans let in, as far as they were shown a wait or none half-way; and of those the
    /// ones who were shown none.
    #[serde(default)]
    pub let_in: u64,
    #[serde(default)]
    pub let_in_untold: u64,
    /// Fans never let in who were shown a wait, and of those the ones whose wait passed
    /// or who were told that it is over.
    #[serde(default)]
    pub left_out_told: u64,
    #[serde(default)]
    pub left_out_in_vain: u64,
}

/// One shown wait and what became of it.
#[derive(Debug, Clone, Copy)]
struct Judged {
    seen: WaitSeen,
    /// `None`: not served, but later than the high end for certain.
    came_s: Option<f64>,
}

enum Truth {
    Known(Judged),
    NotKnown,
    Away,
}

pub fn score(records: &[FanRecord], tolerance_s: f64) -> Waits {
    let mut waits = Waits::default();
    let (mut all, mut halfway) = (Vec::new(), Vec::new());
    for record in records {
        for seen in &record.waits {
            match judge(record, *seen, tolerance_s) {
                Truth::Known(judged) => all.push(judged),
                Truth::NotKnown => waits.not_known += 1,
                Truth::Away => waits.away += 1,
            }
        }
        waits.count_untold(record);
        waits.count_left_out(record, tolerance_s);
        halfway.extend(at_part(record, PARTS / 2, tolerance_s).map(|judged| (record, judged)));
    }
    let same_rate = halfway
        .iter()
        .filter(|(record, judged)| kept_its_rate(record, judged));
    let same_rate: Vec<Judged> = same_rate.map(|(_, judged)| *judged).collect();
    let halfway: Vec<Judged> = halfway.iter().map(|(_, judged)| *judged).collect();
    let part = |part| {
        let then = records
            .iter()
            .filter_map(|record| at_part(record, part, tolerance_s));
        shares(&then.collect::<Vec<_>>(), tolerance_s)
    };
    waits.by_part = (0..PARTS).map(part).collect();
    waits.halfway_same_rate = shares(&same_rate, tolerance_s);
    all.sort_by_key(|judged| judged.seen.at_ms);
    waits.all = shares(&all, tolerance_s);
    waits.halfway = shares(&halfway, tolerance_s);
    waits.by_asking = buckets(&all, tolerance_s);
    waits.points = points(&all);
    waits
}

impl Waits {
    fn count_untold(&mut self, record: &FanRecord) {
        let Some(then_ms) = part_ms(record, PARTS / 2) else {
            return;
        };
        let is_untold = record.was_untold(then_ms);
        self.let_in += u64::from(is_untold || !record.waits.is_empty());
        self.let_in_untold += u64::from(is_untold);
    }

    fn count_left_out(&mut self, record: &FanRecord, tolerance_s: f64) {
        if record.admitted_ms.is_some() || record.waits.is_empty() {
            return;
        }
        self.left_out_told += 1;
        let is_broken = |seen: &WaitSeen| matches!(judge(record, *seen, tolerance_s), Truth::Known(judged) if judged.came_s.is_none());
        self.left_out_in_vain += u64::from(record.waits.iter().any(is_broken));
    }
}

fn judge(record: &FanRecord, seen: WaitSeen, tolerance_s: f64) -> Truth {
    let end_ms = record.admitted_ms.unwrap_or(record.ended_ms);
    if absent_ms(&record.present, seen.at_ms, end_ms) > ABSENCE_MAX_MS {
        return Truth::Away;
    }
    let elapsed_s = end_ms.saturating_sub(seen.at_ms) as f64 / 1000.0;
    match record.admitted_ms {
        Some(_) => Truth::Known(Judged {
            seen,
            came_s: Some(elapsed_s),
        }),
        // Whoever hears that it is over was told a wait that never comes.
        None if elapsed_s > seen.high_s + tolerance_s || record.ending == Some(Ending::SoldOut) => {
            Truth::Known(Judged { seen, came_s: None })
        }
        None => Truth::NotKnown,
    }
}

/// How much of the time between two instants lies outside of all spans; the time
/// before the first span is the opening of the stream and not an absence.
fn absent_ms(spans: &[Span], from_ms: u64, to_ms: u64) -> u64 {
    let from_ms = spans
        .first()
        .map_or(from_ms, |first| from_ms.max(first.from_ms));
    let covered: u64 = spans
        .iter()
        .map(|span| {
            span.to_ms
                .min(to_ms)
                .saturating_sub(span.from_ms.max(from_ms))
        })
        .sum();
    to_ms.saturating_sub(from_ms).saturating_sub(covered)
}

/// When this part of the fan's own wait had passed.
fn part_ms(record: &FanRecord, part: u64) -> Option<u64> {
    let (joined_ms, admitted_ms) = (record.joined_ms?, record.admitted_ms?);
    Some(joined_ms + admitted_ms.checked_sub(joined_ms)? * part / PARTS)
}

/// What the fan was shown nearest to this part of the own wait, if anything was then.
fn at_part(record: &FanRecord, part: u64, tolerance_s: f64) -> Option<Judged> {
    let then_ms = part_ms(record, part)?;
    if record.was_untold(then_ms) {
        return None;
    }
    let nearest = record
        .waits
        .iter()
        .min_by_key(|seen| seen.at_ms.abs_diff(then_ms))?;
    match judge(record, *nearest, tolerance_s) {
        Truth::Known(judged) => Some(judged),
        Truth::NotKnown | Truth::Away => None,
    }
}

fn kept_its_rate(record: &FanRecord, judged: &Judged) -> bool {
    let later = record
        .waits
        .iter()
        .filter(|seen| seen.at_ms >= judged.seen.at_ms);
    let mut rates = later.filter_map(|seen| seen.rate_per_minute);
    let Some(then) = rates.next() else {
        return false;
    };
    rates.all(|rate| (rate - then).abs() <= SAME_RATE * then)
}

fn shares(judged: &[Judged], tolerance_s: f64) -> Shares {
    if judged.is_empty() {
        return Shares::default();
    }
    let total = judged.len() as f64;
    let by = |limit: fn(&WaitSeen) -> f64| {
        let served = judged
            .iter()
            .filter(|one| {
                one.came_s
                    .is_some_and(|came| came <= limit(&one.seen) + tolerance_s)
            })
            .count();
        served as f64 / total
    };
    let (kept, early) = (by(|seen| seen.high_s), by(|seen| seen.low_s));
    let contained = judged.iter().filter(|one| {
        let seen = &one.seen;
        one.came_s.is_some_and(|came| {
            seen.soonest_s - tolerance_s <= came && came <= seen.high_s + tolerance_s
        })
    });
    let contained = contained.count() as f64 / total;
    let mut errors: Vec<f64> = judged
        .iter()
        // Never served within the rehearsal: wrong by a whole wait at the least.
        .map(|one| {
            one.came_s.map_or(1.0, |came| {
                (came - one.seen.low_s).abs() / came.max(RELATIVE_FLOOR_S)
            })
        })
        .collect();
    Shares {
        judged: judged.len() as u64,
        kept: Some(kept),
        early: Some(early),
        within: Some(kept - early),
        contained: Some(contained),
        median_error: median(&mut errors),
    }
}

fn buckets(all: &[Judged], tolerance_s: f64) -> Vec<Bucket> {
    let size = all.len().div_ceil(ASKING_BUCKETS).max(1);
    all.chunks(size)
        .map(|part| bucket(part, tolerance_s))
        .collect()
}

fn bucket(part: &[Judged], tolerance_s: f64) -> Bucket {
    let mut lows: Vec<f64> = part.iter().map(|one| one.seen.low_s).collect();
    let mut highs: Vec<f64> = part.iter().map(|one| one.seen.high_s).collect();
    let mut came: Vec<f64> = part.iter().filter_map(|one| one.came_s).collect();
    let asked_s = |one: Option<&Judged>| one.map_or(0.0, |one| one.seen.at_ms as f64 / 1000.0);
    Bucket {
        asked_from_s: asked_s(part.first()),
        asked_to_s: asked_s(part.last()),
        shares: shares(part, tolerance_s),
        shown_low_s: median(&mut lows).unwrap_or_default(),
        shown_high_s: median(&mut highs).unwrap_or_default(),
        came_p10_s: quantile(&mut came, 0.1).unwrap_or_default(),
        came_p50_s: quantile(&mut came, 0.5).unwrap_or_default(),
        came_p90_s: quantile(&mut came, 0.9).unwrap_or_default(),
    }
}

fn points(all: &[Judged]) -> Vec<Point> {
    let served: Vec<Point> = all
        .iter()
        .filter_map(|one| {
            let asked_s = one.seen.at_ms as f64 / 1000.0;
            Some(Point {
                asked_s,
                low_s: one.seen.low_s,
                high_s: one.seen.high_s,
                came_s: one.came_s?,
            })
        })
        .collect();
    thin(&served, POINTS_MAX)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Fans served one a second by an exact clock. The shown P50 is right for
    /// half of them, the P90 for nine in ten: an honest forecast, by construction.
    pub(crate) fn honest_crowd(fans: u32) -> Vec<FanRecord> {
        (0..fans)
            .map(|index| {
                let wait_s = 20.0 + f64::from(index);
                let luck = f64::from(index % 10);
                // Waits come as 0.8 .. 1.25 of what was expected; P90 is 1.2 of it.
                let expected = wait_s / (0.775 + luck * 0.05);
                let mut record = FanRecord::new(index);
                record.joined_ms = Some(0);
                record.number = Some(u64::from(index) + 1);
                record.arrive(0);
                record.see_wait(WaitSeen::new(0, expected, expected * 1.2));
                record.admitted_ms = Some((wait_s * 1000.0) as u64);
                record.still_waiting_ms = Some((wait_s * 1000.0) as u64 - 500);
                record.end(Ending::Bought, (wait_s * 1000.0) as u64 + 5000);
                record
            })
            .collect()
    }

    #[test]
    fn an_honest_forecast_is_kept_nine_times_in_ten_and_early_every_second_time() {
        let waits = score(&honest_crowd(1000), 0.0);
        assert_eq!(waits.all.judged, 1000);
        let near = |share: Option<f64>, wanted: f64| {
            share.is_some_and(|share| (share - wanted).abs() < 0.02)
        };
        assert!(near(waits.all.kept, 0.9), "{:?}", waits.all);
        assert!(near(waits.all.early, 0.5), "{:?}", waits.all);
        assert!(near(waits.all.within, 0.4), "{:?}", waits.all);
        assert!(waits.all.median_error.is_some_and(|error| error < 0.15));
        assert_eq!(waits.halfway.judged, 1000);
        assert_eq!(waits.by_part.len(), 10);
        assert_eq!(
            waits
                .by_asking
                .iter()
                .map(|bucket| bucket.shares.judged)
                .sum::<u64>(),
            1000
        );
    }

    #[test]
    fn halved_waits_are_seen() {
        let mut crowd = honest_crowd(1000);
        for wait in crowd.iter_mut().flat_map(|record| &mut record.waits) {
            wait.low_s /= 2.0;
            wait.high_s /= 2.0;
        }
        let waits = score(&crowd, 2.0);
        assert!(
            waits.all.kept.is_some_and(|kept| kept < 0.1),
            "{:?}",
            waits.all
        );
        assert!(
            waits.all.median_error.is_some_and(|error| error > 0.4),
            "{:?}",
            waits.all
        );
    }

    #[test]
    fn who_was_not_served_counts_only_once_the_promise_is_broken() {
        let mut record = FanRecord::new(1);
        record.arrive(0);
        record.see_wait(WaitSeen::new(0, 5.0, 9.0));
        record.see_wait(WaitSeen::new(1000, 50.0, 90.0));
        record.end(Ending::RunEnded, 20_000);
        let waits = score(&[record], 2.0);
        assert_eq!((waits.all.judged, waits.not_known), (1, 1));
        assert_eq!(waits.all.kept, Some(0.0));
    }

    #[test]
    fn waits_that_are_not_shown_are_counted() {
        let mut crowd = honest_crowd(10);
        for record in crowd.iter_mut().take(4) {
            record.waits.clear();
            record.see_no_wait(1_000);
            record.see_no_wait(20_000);
        }
        let waits = score(&crowd, 0.0);
        assert_eq!((waits.let_in, waits.let_in_untold), (10, 4));
        assert_eq!(waits.halfway.judged, 6);
    }

    #[test]
    fn who_was_told_a_wait_and_then_that_it_is_over_was_told_it_in_vain() {
        let left_out = |ending, waits: &[f64]| {
            let mut record = FanRecord::new(1);
            record.arrive(0);
            for (index, high_s) in waits.iter().enumerate() {
                record.see_wait(WaitSeen::new(1_000 * index as u64, 1.0, *high_s));
            }
            record.end(ending, 60_000);
            record
        };
        let crowd = [
            left_out(Ending::SoldOut, &[900.0]),
            left_out(Ending::RunEnded, &[900.0]),
            left_out(Ending::RunEnded, &[900.0, 30.0]),
            left_out(Ending::SoldOut, &[]),
        ];
        let waits = score(&crowd, 2.0);
        assert_eq!((waits.left_out_told, waits.left_out_in_vain), (3, 2));
        assert_eq!((waits.all.judged, waits.not_known), (2, 2));
    }

    #[test]
    fn a_fan_in_a_tunnel_proves_nothing_about_the_forecast() {
        let mut record = FanRecord::new(1);
        record.arrive(0);
        record.see_wait(WaitSeen::new(0, 5.0, 9.0));
        record.depart(2_000);
        record.arrive(30_000);
        record.admitted_ms = Some(31_000);
        record.end(Ending::Bought, 31_000);
        let waits = score(&[record], 2.0);
        assert_eq!((waits.all.judged, waits.away), (0, 1));
    }
}
