//! Was anybody served before a smaller present number of the same lane? Judged
//! from what fans heard themselves: A was overtaken if A heard "still waiting"
//! later than one push interval after some B with a larger number heard
//! "admitted", while A was connected long enough before for usher to know it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::thin;
use crate::record::{FanRecord, Finding, Span};

/// How long a fan must have been connected before usher must count it as present:
/// edges report every 2 s and the leader's snapshot is at most 3 s old.
pub const SETTLE_MS: u64 = 6_000;
/// Most examples named in the report.
const EXAMPLES_MAX: usize = 20;
/// Most points in the picture.
const POINTS_MAX: usize = 1500;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overtaking {
    pub lane: String,
    pub number: u64,
    pub still_waiting_ms: u64,
    pub by_number: u64,
    pub by_admitted_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Served {
    pub number: u64,
    pub admitted_s: f64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// Fans with a number who were admitted: what others are compared with.
    pub admitted: u64,
    /// Fans with a number who heard at least once that they are still waiting.
    pub judged: u64,
    pub overtaken: u64,
    pub examples: Vec<Overtaking>,
    /// Numbers that two fans of one lane were given.
    pub numbers_given_twice: u64,
    /// Fans whose number changed after it was final.
    pub numbers_changed: u64,
    pub served: Vec<Served>,
}

/// One fan in a lane, as far as the order is concerned.
struct Standing<'a> {
    number: u64,
    admitted_ms: Option<u64>,
    still_waiting_ms: Option<u64>,
    present: &'a [Span],
}

pub fn score(records: &[FanRecord], push_interval_ms: u64) -> Order {
    let mut order = Order::default();
    let mut lanes: BTreeMap<&str, Vec<Standing<'_>>> = BTreeMap::new();
    for record in records {
        let changed = record
            .findings
            .iter()
            .any(|finding| matches!(finding, Finding::NumberChanged { .. }));
        order.numbers_changed += u64::from(changed);
        if let Some(number) = record.number {
            lanes
                .entry(record.lane.as_deref().unwrap_or("main"))
                .or_default()
                .push(Standing {
                    number,
                    admitted_ms: record.admitted_ms,
                    still_waiting_ms: record.still_waiting_ms,
                    present: &record.present,
                });
        }
    }
    let mut served = Vec::new();
    for (lane, mut fans) in lanes {
        fans.sort_by_key(|fan| fan.number);
        order.numbers_given_twice += fans
            .windows(2)
            .filter(|two| two[0].number == two[1].number)
            .count() as u64;
        judge_lane(lane, &fans, push_interval_ms, &mut order);
        served.extend(fans.iter().filter_map(|fan| {
            Some(Served {
                number: fan.number,
                admitted_s: fan.admitted_ms? as f64 / 1000.0,
            })
        }));
    }
    order.admitted = served.len() as u64;
    order.served = thin(&served, POINTS_MAX);
    order
}

/// Goes from the largest number down and keeps the admissions of all larger ones.
fn judge_lane(lane: &str, fans: &[Standing<'_>], push_interval_ms: u64, order: &mut Order) {
    let mut behind: BTreeSet<(u64, u64)> = BTreeSet::new();
    for fan in fans.iter().rev() {
        order.judged += u64::from(fan.still_waiting_ms.is_some());
        if let Some((by_admitted_ms, by_number)) = overtaker(fan, &behind, push_interval_ms) {
            order.overtaken += 1;
            if order.examples.len() < EXAMPLES_MAX {
                order.examples.push(Overtaking {
                    lane: lane.to_owned(),
                    number: fan.number,
                    still_waiting_ms: fan.still_waiting_ms.unwrap_or_default(),
                    by_number,
                    by_admitted_ms,
                });
            }
        }
        behind.extend(fan.admitted_ms.map(|at_ms| (at_ms, fan.number)));
    }
}

/// The first larger number that was admitted while this fan was surely present
/// and afterwards still heard that it waits.
fn overtaker(
    fan: &Standing<'_>,
    behind: &BTreeSet<(u64, u64)>,
    push_interval_ms: u64,
) -> Option<(u64, u64)> {
    let heard_until = fan.still_waiting_ms?.checked_sub(push_interval_ms)?;
    fan.present.iter().find_map(|span| {
        let from = span.from_ms + SETTLE_MS;
        let until = span.to_ms.saturating_sub(push_interval_ms).min(heard_until);
        if from > until {
            return None;
        }
        behind
            .range((from, 0)..=(until, u64::MAX))
            .find(|(_, number)| *number > fan.number)
            .copied()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::Ending;
    use crate::score::waits::tests::honest_crowd;

    const PUSH_MS: u64 = 1000;

    fn fan(number: u64, present: &[(u64, u64)], still: u64, admitted: Option<u64>) -> FanRecord {
        let mut record = FanRecord::new(u32::try_from(number).unwrap_or(0));
        record.number = Some(number);
        record.present = present
            .iter()
            .map(|(from_ms, to_ms)| Span {
                from_ms: *from_ms,
                to_ms: *to_ms,
            })
            .collect();
        record.still_waiting_ms = Some(still);
        record.admitted_ms = admitted;
        record
    }

    #[test]
    fn an_orderly_line_is_clean() {
        let order = score(&honest_crowd(500), PUSH_MS);
        assert_eq!(
            (order.overtaken, order.judged, order.admitted),
            (0, 500, 500)
        );
    }

    #[test]
    fn a_release_that_skips_a_present_fan_is_seen() {
        let mut crowd = honest_crowd(500);
        let skipped = &mut crowd[100];
        skipped.admitted_ms = None;
        skipped.still_waiting_ms = Some(300_000);
        skipped.end(Ending::RunEnded, 300_000);
        skipped.present = vec![Span {
            from_ms: 0,
            to_ms: 300_000,
        }];
        let order = score(&crowd, PUSH_MS);
        assert_eq!(order.overtaken, 1);
        assert_eq!(
            (order.examples[0].number, order.examples[0].by_number),
            (101, 102)
        );
    }

    #[test]
    fn absence_lateness_within_a_push_and_other_lanes_are_no_violation() {
        let served = fan(9, &[(0, 50_000)], 49_000, Some(50_000));
        let away = fan(1, &[(0, 10_000), (60_000, 90_000)], 90_000, Some(90_500));
        let just_back = fan(2, &[(45_000, 90_000)], 90_000, Some(90_500));
        let late_push = fan(3, &[(0, 50_900)], 50_900, Some(50_950));
        let order = score(&[served.clone(), away, just_back, late_push], PUSH_MS);
        assert_eq!(order.overtaken, 0, "{:?}", order.examples);
        let mut elsewhere = fan(4, &[(0, 90_000)], 90_000, None);
        elsewhere.lane = Some("presale".into());
        assert_eq!(score(&[served, elsewhere], PUSH_MS).overtaken, 0);
    }

    #[test]
    fn one_number_for_two_fans_is_seen() {
        let twice = [
            fan(5, &[], 1, None),
            fan(5, &[], 1, None),
            fan(6, &[], 1, None),
        ];
        assert_eq!(score(&twice, PUSH_MS).numbers_given_twice, 1);
    }

    /// The definition itself, fan by fan: what the fast judge must agree with.
    fn overtaken_by_definition(fans: &[FanRecord]) -> u64 {
        let is_overtaken = |a: &FanRecord| {
            fans.iter().any(|b| {
                let (Some(at), Some(still)) = (b.admitted_ms, a.still_waiting_ms) else {
                    return false;
                };
                b.number > a.number
                    && still >= at + PUSH_MS
                    && a.present
                        .iter()
                        .any(|span| span.from_ms + SETTLE_MS <= at && at + PUSH_MS <= span.to_ms)
            })
        };
        fans.iter().filter(|a| is_overtaken(a)).count() as u64
    }

    proptest! {
        #[test]
        fn the_fast_judge_agrees_with_the_definition(
            fans in proptest::collection::vec(
                (0u64..20_000, 0u64..30_000, 0u64..40_000, proptest::option::of(0u64..40_000)), 1..40,
            ),
        ) {
            let records: Vec<FanRecord> = fans
                .iter()
                .enumerate()
                .map(|(index, (from, length, still, admitted))| {
                    fan(index as u64 + 1, &[(*from, from + length)], *still, *admitted)
                })
                .collect();
            prop_assert_eq!(score(&records, PUSH_MS).overtaken, overtaken_by_definition(&records));
        }
    }
}
