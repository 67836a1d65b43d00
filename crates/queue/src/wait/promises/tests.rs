//! What the numbers of a lane are told while the forecast changes, tick by tick.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::bitmap::Bitmap;
use crate::wait::{Outcome, SlipReason};

const BASIS: Basis = Basis {
    per_second: 1.0,
    away: 0.1,
};

fn at(second: u64) -> Timestamp {
    Timestamp::default().plus(Duration::from_secs(second))
}

/// One a second, times a factor, of the numbers behind the front.
fn told(promises: &mut Promises, front: u32, last: u32, factor: f64, basis: Basis, second: u64) {
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
