//! What the law never does, whatever it is told: numbers that are none, clocks that jump, crowds beyond belief.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use usher_admission::control::{
    AgeCount, Clause, Controller, Decision, Mode, Policy, Room, Signals, Stock, Tuning,
};

fn odd_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => 0.0..2_000.0_f64,
        1 => prop_oneof![
            Just(0.0),
            Just(-1.0),
            Just(f64::NAN),
            Just(f64::INFINITY),
            Just(f64::NEG_INFINITY),
            Just(1e300),
            Just(f64::MIN_POSITIVE),
        ],
    ]
}

fn signals() -> impl Strategy<Value = Option<Signals>> {
    let numbers = (
        odd_number(),
        odd_number(),
        odd_number(),
        odd_number(),
        odd_number(),
        odd_number(),
    );
    prop::option::weighted(
        0.8,
        numbers.prop_map(|(requests, completed, rejects, errors, p50, p99)| Signals {
            requests,
            completed,
            rejects,
            errors,
            p50_ms: Some(p50),
            p99_ms: Some(p99),
            redis_probe_ms: Some(p50 / 100.0),
            ..Signals::default()
        }),
    )
}

fn ages() -> impl Strategy<Value = Vec<AgeCount>> {
    let count = prop_oneof![4 => 0..50_u32, 1 => Just(u32::MAX)];
    prop::collection::vec(
        (0..700_u32, count).prop_map(|(age_s, count)| AgeCount { age_s, count }),
        0..5,
    )
}

fn room() -> impl Strategy<Value = Room> {
    let people = prop_oneof![4 => 0..5_000_u64, 1 => Just(u64::MAX)];
    let few = prop_oneof![6 => 0..100_u32, 1 => Just(u32::MAX)];
    let stock = prop::option::of((0..5_000_u64, odd_number(), ages()).prop_map(
        |(free_seats, seats, holds)| Stock {
            free_seats,
            seats_per_order: seats,
            orders: free_seats,
            first_holds: holds,
        },
    ));
    (people.clone(), people, few.clone(), few, ages(), stock).prop_map(
        |(waiting, inside, ends, released, claims, stock)| Room {
            waiting,
            inside,
            ends,
            released,
            claims,
            stock,
        },
    )
}

/// One tick: milliseconds since the last, and what was measured.
fn ticks() -> impl Strategy<Value = Vec<(u64, Option<Signals>, Room)>> {
    let step = prop_oneof![6 => Just(1_000_u64), 1 => 0..3_000_u64, 1 => Just(40_000_u64), 1 => Just(1 << 40)];
    prop::collection::vec((step, signals(), room()), 1..60)
}

fn policy() -> impl Strategy<Value = Policy> {
    let mode = prop_oneof![Just(Mode::Auto), Just(Mode::Manual), Just(Mode::Paused)];
    let rate = || prop::option::of(odd_number());
    (
        mode,
        rate(),
        rate(),
        rate(),
        prop::option::of(0..5_000_u64),
        rate(),
        prop::option::of(odd_number()),
        any::<bool>(),
    )
        .prop_map(
            |(mode, rate, min, max, max_inside, target, stock_caution, dry_run)| Policy {
                mode,
                rate_per_minute: rate,
                min_rate_per_minute: min,
                max_rate_per_minute: max,
                max_inside,
                target_p99_ms: target,
                stock_caution,
                expires_at_ms: None,
                dry_run,
            },
        )
}

fn decide(policy: &Policy, ticks: &[(u64, Option<Signals>, Room)]) -> Vec<Decision> {
    let mut controller = Controller::new(Tuning::default()).unwrap();
    let mut now_ms = 0;
    ticks
        .iter()
        .map(|(step, signals, room)| {
            now_ms += step;
            controller.tick(now_ms, signals.as_ref(), room, policy)
        })
        .collect()
}

fn without_null(decision: &Decision) -> bool {
    // JSON has no NaN: a number that is none would be written as null. Only an unknown saturation may be.
    let text = serde_json::to_string(decision).unwrap();
    !text
        .replace("\"saturation_per_s\":null", "")
        .contains("null")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn rates_are_numbers_and_people_are_there(policy in policy(), ticks in ticks()) {
        let tuning = Tuning::default();
        for (decision, (_, _, room)) in decide(&policy, &ticks).iter().zip(&ticks) {
            prop_assert!(decision.rate_per_s.is_finite() && decision.rate_per_s >= 0.0);
            prop_assert!(decision.auto.rate_per_s.is_finite() && decision.auto.rate_per_s >= 0.0);
            prop_assert!(u64::from(decision.release) <= room.waiting);
            prop_assert!(decision.release <= tuning.release_max_per_s);
            prop_assert!(decision.state.wanted_requests_per_s > 0.0);
            prop_assert!((0.0..=0.9).contains(&decision.state.no_show));
            prop_assert!(without_null(decision), "{decision:?}");
        }
    }

    #[test]
    fn paused_releases_nobody(policy in policy(), ticks in ticks()) {
        let policy = Policy { mode: Mode::Paused, ..policy };
        for decision in decide(&policy, &ticks) {
            prop_assert_eq!(decision.release, 0);
        }
    }

    #[test]
    fn a_dry_run_releases_nobody(policy in policy(), ticks in ticks()) {
        let policy = Policy { mode: Mode::Auto, dry_run: true, ..policy };
        for decision in decide(&policy, &ticks) {
            prop_assert_eq!(decision.release, 0);
        }
    }

    #[test]
    fn auto_stays_below_the_operators_maximum(policy in policy(), ticks in ticks(), max in 0.0..6_000.0_f64) {
        let policy = Policy {
            mode: Mode::Auto,
            min_rate_per_minute: policy.min_rate_per_minute.map(|min| min.min(max)),
            max_rate_per_minute: Some(max),
            ..policy
        };
        let decisions = decide(&policy, &ticks);
        for decision in &decisions {
            prop_assert!(decision.rate_per_s <= max / 60.0 + 1e-9);
        }
        // Ticks count for two seconds at most, and one fraction of a person may be carried.
        let released: f64 = decisions.iter().map(|d| f64::from(d.release)).sum();
        prop_assert!(released <= max / 60.0 * 2.0 * ticks.len() as f64 + 1.0);
    }

    #[test]
    fn nobody_is_let_into_an_empty_shop(policy in policy(), ticks in ticks()) {
        let empty: Vec<_> = ticks
            .into_iter()
            .map(|(step, signals, room)| (step, signals, Room { stock: Some(Stock::default()), ..room }))
            .collect();
        for decision in decide(&policy, &empty) {
            prop_assert_eq!(decision.release, 0);
        }
    }

    #[test]
    fn a_minimum_rate_does_not_defeat_lost_signals(ticks in ticks(), min in 0.0..6_000.0_f64) {
        let policy = Policy { min_rate_per_minute: Some(min), ..Policy::default() };
        let blind: Vec<_> = ticks.into_iter().map(|(step, _, room)| (step, None, room)).collect();
        for decision in decide(&policy, &blind) {
            prop_assert_eq!(decision.release, 0);
        }
    }

    #[test]
    fn pending_is_at_most_what_was_released(ticks in ticks()) {
        let mut released = 0.0;
        for (decision, (_, _, room)) in decide(&Policy::default(), &ticks).iter().zip(&ticks) {
            released += f64::from(room.released);
            prop_assert!((0.0..=released).contains(&decision.state.pending));
        }
    }

    #[test]
    fn the_cap_of_people_inside_holds(ticks in ticks(), cap in 0..3_000_u64) {
        let policy = Policy { max_inside: Some(cap), ..Policy::default() };
        for (decision, (_, _, room)) in decide(&policy, &ticks).iter().zip(&ticks) {
            let coming = f64::from(decision.release) * (1.0 - decision.state.no_show);
            let inside = room.inside as f64 + decision.state.pending + coming;
            prop_assert!(decision.release == 0 || inside <= cap as f64 + 1e-6);
        }
    }

    #[test]
    fn a_checkpoint_goes_on_as_if_nothing_had_happened(policy in policy(), ticks in ticks(), cut in 0..60_usize) {
        let mut first = Controller::new(Tuning::default()).unwrap();
        let cut = cut.min(ticks.len());
        let mut now_ms = 0;
        for (step, signals, room) in &ticks[..cut] {
            now_ms += step;
            first.tick(now_ms, signals.as_ref(), room, &policy);
        }
        let text = serde_json::to_string(&first).unwrap();
        let mut second: Controller = serde_json::from_str(&text).unwrap();
        for (step, signals, room) in &ticks[cut..] {
            now_ms += step;
            let one = first.tick(now_ms, signals.as_ref(), room, &policy);
            let other = second.tick(now_ms, signals.as_ref(), room, &policy);
            prop_assert_eq!(one.release, other.release);
            prop_assert_eq!(one.clause, other.clause);
        }
    }
}

fn calm(inside: u64) -> (Signals, Room) {
    let requests = inside as f64 / 10.0;
    let signals = Signals {
        requests,
        completed: requests,
        p99_ms: Some(200.0),
        ..Signals::default()
    };
    (
        signals,
        Room {
            waiting: 100_000,
            inside,
            ..Room::default()
        },
    )
}

#[test]
fn a_manual_rate_of_600_a_minute_is_10_every_second() {
    let mut controller = Controller::new(Tuning::default()).unwrap();
    let policy = Policy {
        mode: Mode::Manual,
        rate_per_minute: Some(600.0),
        ..Policy::default()
    };
    for second in 0..120 {
        let decision = controller.tick(second * 1_000, None, &calm(0).1, &policy);
        assert_eq!(
            (decision.release, decision.clause),
            (10, Clause::Manual),
            "second {second}"
        );
    }
}

#[test]
fn back_from_manual_to_auto_does_not_jump() {
    let mut controller = Controller::new(Tuning::default()).unwrap();
    let manual = Policy {
        mode: Mode::Manual,
        rate_per_minute: Some(300.0),
        ..Policy::default()
    };
    let (signals, room) = calm(980);
    let room = Room {
        ends: 4,
        released: 5,
        claims: vec![AgeCount { age_s: 5, count: 4 }],
        ..room
    };
    let mut shown = 0.0;
    for second in 0..300 {
        shown = controller
            .tick(second * 1_000, Some(&signals), &room, &manual)
            .auto
            .rate_per_s;
    }
    let auto = controller.tick(300_000, Some(&signals), &room, &Policy::default());
    assert!(
        (auto.rate_per_s - shown).abs() < 0.1 * shown.max(1.0),
        "{shown} then {}",
        auto.rate_per_s
    );
}

#[test]
fn a_tick_that_slept_an_hour_does_not_release_for_the_hour() {
    let mut controller = Controller::new(Tuning::default()).unwrap();
    let policy = Policy {
        mode: Mode::Manual,
        rate_per_minute: Some(600.0),
        ..Policy::default()
    };
    controller.tick(0, None, &calm(0).1, &policy);
    assert_eq!(
        controller
            .tick(3_600_000, None, &calm(0).1, &policy)
            .release,
        20
    );
}

#[test]
fn an_override_that_ends_gives_way_to_auto() {
    let mut controller = Controller::new(Tuning::default()).unwrap();
    let policy = Policy {
        mode: Mode::Paused,
        expires_at_ms: Some(60_000),
        ..Policy::default()
    };
    let (signals, room) = calm(0);
    for second in 0..70 {
        let decision = controller.tick(second * 1_000, Some(&signals), &room, &policy);
        assert_eq!(
            decision.clause == Clause::Paused,
            second < 60,
            "second {second}"
        );
        assert_eq!(decision.release == 0, second < 60, "second {second}");
    }
}

#[test]
fn a_quiet_room_does_not_call_in_a_crowd_that_was_never_borne() {
    let mut controller = Controller::new(Tuning::default()).unwrap();
    let calibrated = controller
        .tick(0, Some(&calm(0).0), &calm(0).1, &Policy::default())
        .state
        .wanted_inside;
    // People who came in and ask for nothing.
    let (_, room) = calm(266);
    let idle = Room { waiting: 0, ..room };
    for second in 1..900 {
        let quiet = Signals::default();
        let decision = controller.tick(second * 1_000, Some(&quiet), &idle, &Policy::default());
        let wanted = decision.state.wanted_inside;
        assert!(
            wanted <= calibrated,
            "second {second}: {wanted} of {calibrated}"
        );
    }
}

#[test]
fn what_was_once_wanted_fades_unused_to_what_was_calibrated() {
    let mut controller = Controller::new(Tuning::default()).unwrap();
    let wanted = |controller: &mut Controller, second: u64, inside: u64| {
        let (signals, room) = calm(inside);
        controller
            .tick(second * 1_000, Some(&signals), &room, &Policy::default())
            .state
            .wanted_inside
    };
    let mut inside = 1_000;
    for second in 0..40 {
        inside = wanted(&mut controller, second, inside) as u64;
    }
    assert!(inside > 3_000, "{inside} after growing with the crowd");
    let mut faded = 0.0;
    for second in 40..1_500 {
        faded = wanted(&mut controller, second, 50);
    }
    assert!((faded - 1_000.0).abs() < 1.0, "{faded}");
}

#[test]
fn late_signals_keep_the_rate_and_right_after_the_start_only_a_part() {
    let mut controller = Controller::new(Tuning::default()).unwrap();
    let (signals, room) = calm(0);
    let mut tick = |second: u64, is_here: bool| {
        let signals = is_here.then_some(&signals);
        controller
            .tick(second * 1_000, signals, &room, &Policy::default())
            .auto
    };
    let full = tick(0, true).rate_per_s;
    for second in 1..=3 {
        let auto = tick(second, false);
        assert_eq!(auto.clause, Clause::SignalStart);
        assert!(
            auto.rate_per_s <= 0.31 * full,
            "{} of {full}",
            auto.rate_per_s
        );
    }
    assert_eq!(tick(4, false).clause, Clause::SignalLost);
    for second in 5..30 {
        tick(second, true);
    }
    let before = tick(30, true).rate_per_s;
    let late = tick(31, false);
    assert_eq!(late.clause, Clause::SignalLate);
    assert!(late.rate_per_s <= before);
}

#[test]
fn without_postgres_the_line_goes_on_at_half_the_rate() {
    let mut controller = Controller::new(Tuning::default()).unwrap();
    let (mut signals, room) = calm(500);
    let room = Room {
        ends: 4,
        released: 5,
        claims: vec![AgeCount { age_s: 5, count: 4 }],
        ..room
    };
    let mut before = None;
    for second in 0..60 {
        before = Some(controller.tick(second * 1_000, Some(&signals), &room, &Policy::default()));
    }
    let before = before.unwrap();
    // Payments are refused meanwhile; that is no load.
    (signals.rejects, signals.postgres_away) = (5.0, true);
    for second in 60..120 {
        let now = controller.tick(second * 1_000, Some(&signals), &room, &Policy::default());
        assert_eq!(now.clause, Clause::PostgresAway);
        assert!(now.release > 0);
        assert!(now.rate_per_s <= 0.6 * before.rate_per_s);
        assert_eq!(
            now.state.wanted_requests_per_s,
            before.state.wanted_requests_per_s
        );
    }
}
