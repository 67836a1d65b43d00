//! Finds good seats for fans who do not choose: neighbours in one row, never
//! leaving a single seat alone behind, front sections and rows first, the
//! middle of a row before its ends. Seats for wheelchairs are only chosen by
//! hand. When there are no neighbours left, seats near each other.

use std::ops::Range;

use super::{SeatBits, SeatIndex};
use crate::layout::{Layout, Row};

/// What a fan would like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish<'a> {
    pub count: usize,
    pub section: Option<&'a str>,
    pub category: Option<&'a str>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pick {
    pub seats: Vec<SeatIndex>,
    /// All side by side.
    pub together: bool,
}

/// Up to `limit` picks, the best first, no seat in two of them. Looks no
/// further into the hall than it has to: whoever lost a seat waits for this.
pub fn best_available(
    layout: &Layout,
    bits: &SeatBits,
    wish: &Wish<'_>,
    limit: usize,
) -> Vec<Pick> {
    if wish.count == 0 || limit == 0 {
        return Vec::new();
    }
    let (mut seen, mut good, mut lonely) = (Vec::new(), Vec::new(), Vec::new());
    for run in runs(layout, bits, wish) {
        for (seats, leaves_one) in windows(&run, wish.count) {
            let into = if leaves_one { &mut lonely } else { &mut good };
            into.push(seats);
        }
        if good.len() >= limit {
            break;
        }
        seen.push(run);
    }
    let mut chosen: Vec<Range<u32>> = Vec::with_capacity(limit);
    for seats in good.into_iter().chain(lonely) {
        if chosen.len() == limit {
            break;
        }
        let meets = |other: &Range<u32>| seats.start < other.end && other.start < seats.end;
        if !chosen.iter().any(meets) {
            chosen.push(seats);
        }
    }
    if chosen.is_empty() {
        return apart(&seen, wish.count).into_iter().collect();
    }
    let together = |seats: Range<u32>| Pick {
        seats: seats.map(SeatIndex).collect(),
        together: true,
    };
    chosen.into_iter().map(together).collect()
}

/// Neighbouring free seats, and which of them would be in the row's middle.
struct Run {
    section: usize,
    /// Seats of a row have indexes without gaps.
    seats: Range<u32>,
    /// The place of the row's middle, counted in seats from the run's start.
    middle: f64,
}

/// In serving order, found as they are asked for.
fn runs<'a>(
    layout: &'a Layout,
    bits: &'a SeatBits,
    wish: &'a Wish<'a>,
) -> impl Iterator<Item = Run> + 'a {
    let mut first = 0;
    let sections = layout.sections().iter().enumerate();
    let rows =
        sections.flat_map(|(at, section)| section.rows.iter().map(move |row| (at, section, row)));
    rows.flat_map(move |(at, section, row)| {
        let begin = first;
        first += u32::try_from(row.seats.len()).unwrap_or(u32::MAX);
        let wanted =
            wish.section.is_none_or(|id| id == section.id) && bits.may_have_available(begin..first);
        let found = wanted.then(|| runs_of_row(row, begin, bits, wish, at));
        found.unwrap_or_default()
    })
}

fn runs_of_row(
    row: &Row,
    first: u32,
    bits: &SeatBits,
    wish: &Wish<'_>,
    section: usize,
) -> Vec<Run> {
    let middle = f64::from(first) + row.seats.len() as f64 / 2.0;
    let mut runs = Vec::new();
    let mut begin = first;
    let mut close = |seats: Range<u32>| {
        if !seats.is_empty() {
            let middle = middle - f64::from(seats.start);
            runs.push(Run {
                section,
                seats,
                middle,
            });
        }
    };
    let mut end = first;
    for (index, seat) in (first..).zip(&row.seats) {
        let of_price = |category| category == seat.category;
        // The cheap question first: most seats of a late sale are gone.
        let wanted = bits.is_available(SeatIndex(index))
            && !seat.accessible
            && wish.category.is_none_or(of_price);
        end = index + 1;
        if !wanted {
            close(begin..index);
            begin = end;
        } else if seat.aisle_after {
            close(begin..end);
            begin = end;
        }
    }
    close(begin..end);
    runs
}

/// Places for `count` in a run, the nearest to the row's middle first, each
/// with whether it would leave a single seat alone.
fn windows(run: &Run, count: usize) -> Vec<(Range<u32>, bool)> {
    let Some(room) = run.seats.len().checked_sub(count) else {
        return Vec::new();
    };
    let at = |left: usize| {
        // Both are below the number of an event's seats.
        let start = run.seats.start + left as u32;
        let off_middle = (left as f64 + count as f64 / 2.0 - run.middle).abs();
        (
            left == 1 || room - left == 1,
            off_middle,
            start..start + count as u32,
        )
    };
    let mut windows: Vec<_> = (0..=room).map(at).collect();
    windows.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    windows
        .into_iter()
        .map(|(lonely, _, seats)| (seats, lonely))
        .collect()
}

/// No row has so many side by side: as few groups as possible, in one section
/// if that is possible.
fn apart(runs: &[Run], count: usize) -> Option<Pick> {
    let sections = runs.chunk_by(|a, b| a.section == b.section);
    let in_one = sections
        .filter_map(|runs| largest_groups(runs, count))
        .next();
    let seats = in_one.or_else(|| largest_groups(runs, count))?;
    Some(Pick {
        seats,
        together: false,
    })
}

fn largest_groups(runs: &[Run], count: usize) -> Option<Vec<SeatIndex>> {
    let mut by_size: Vec<_> = runs.iter().map(|run| run.seats.clone()).collect();
    // Stable: of groups as large, those in front first.
    by_size.sort_by_key(|seats| std::cmp::Reverse(seats.len()));
    let seats: Vec<_> = by_size
        .into_iter()
        .flatten()
        .take(count)
        .map(SeatIndex)
        .collect();
    (seats.len() == count).then_some(seats)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::inventory::SeatStatus;
    use crate::layout::import;

    /// Two sections: `s` with rows 1 and 2 of ten seats (an aisle after seat
    /// 6), `t` with one row of four of which the last is for a wheelchair.
    fn hall() -> Layout {
        import(
            r#"sections = [
              { id = "s", category = "low", rows = [{ row = "1-2", seats = "1-10", aisles_after = ["6"] }] },
              { id = "t", category = "high", rows = [{ row = "1", seats = "1-4", accessible = ["4"] }] },
            ]"#,
        )
        .unwrap()
    }

    fn any(count: usize) -> Wish<'static> {
        Wish {
            count,
            section: None,
            category: None,
        }
    }

    fn first(bits: &SeatBits, wish: &Wish<'_>) -> Option<(Vec<u32>, bool)> {
        let pick = best_available(&hall(), bits, wish, 1).into_iter().next()?;
        Some((pick.seats.iter().map(|s| s.0).collect(), pick.together))
    }

    fn without(taken: &[u32]) -> SeatBits {
        let mut bits = SeatBits::free(24);
        for seat in taken {
            bits.set(SeatIndex(*seat), SeatStatus::Held);
        }
        bits
    }

    #[test]
    fn the_front_row_near_its_middle_is_best() {
        assert_eq!(first(&without(&[]), &any(2)), Some((vec![4, 5], true)));
    }

    #[test]
    fn nobody_is_seated_across_an_aisle() {
        // Seats 5 and 6 of row 1 are next to each other but for the aisle.
        let pick = first(&without(&[0, 1, 2, 3, 4, 7, 8, 9]), &any(2)).unwrap();
        assert_eq!(pick, (vec![14, 15], true));
    }

    #[test]
    fn no_single_seat_is_left_alone() {
        // Of five free seats 1..=5, taking 3 and 4 would leave 5 alone.
        let bits = without(&[0, 6, 7, 8, 9]);
        assert_eq!(first(&bits, &any(2)), Some((vec![4, 5], true)));
        // With three free seats in front, two would strand one: the next row serves.
        let bits = without(&[0, 1, 2, 6, 7, 8, 9]);
        assert_eq!(first(&bits, &any(2)), Some((vec![14, 15], true)));
    }

    #[test]
    fn leaving_one_alone_is_better_than_nothing() {
        let others: Vec<u32> = (0..24).filter(|seat| !(3..6).contains(seat)).collect();
        assert_eq!(first(&without(&others), &any(2)).unwrap().0.len(), 2);
    }

    #[test]
    fn section_category_and_wheelchairs_are_respected() {
        let in_t = Wish {
            section: Some("t"),
            ..any(3)
        };
        assert_eq!(first(&without(&[]), &in_t), Some((vec![20, 21, 22], true)));
        let high = Wish {
            category: Some("high"),
            ..any(4)
        };
        assert_eq!(first(&without(&[]), &high), None);
    }

    #[test]
    fn without_neighbours_the_largest_groups_of_one_section_serve() {
        let free = [0, 1, 3, 12, 20, 21];
        let others: Vec<u32> = (0..24).filter(|seat| !free.contains(seat)).collect();
        assert_eq!(
            first(&without(&others), &any(3)),
            Some((vec![0, 1, 3], false))
        );
        assert_eq!(first(&without(&others), &any(7)), None);
    }

    #[test]
    fn several_picks_share_no_seat() {
        let picks = best_available(&hall(), &without(&[]), &any(2), 20);
        let mut seats: Vec<_> = picks.iter().flat_map(|pick| &pick.seats).collect();
        let total = seats.len();
        seats.sort_unstable();
        seats.dedup();
        assert!(picks.len() > 5 && seats.len() == total);
    }
}
