//! Who is let in, and who not yet: the absent, those who missed their claim, those
//! who come to an empty line, everybody after a rebuild.

use std::time::Duration;

use usher_base::redis::TimeSource;
use usher_base::{Clock, Number, SystemClock};
use usher_queue::{JoinOrder, LineSettings, Phase, Place, Room, Schedule};

use crate::venue::{FAST, Venue, fan, manual, paused, until};

#[tokio::test]
async fn the_absent_are_passed_over_and_served_when_they_are_back() {
    let venue = Venue::open().await;
    let numbers = venue.join(0, 1, 10).await;
    let present: Vec<Number> = numbers.iter().copied().filter(|n| n.0 % 2 == 0).collect();
    venue.connect(0, &present);
    venue.put(manual(FAST)).await;
    let leader = venue.lead().await;
    venue.until_released(5).await;
    venue.seconds(2).await;
    for index in 1..=10 {
        let is_called = matches!(venue.place(index).await, Place::Admitted { .. });
        assert_eq!(is_called, index % 2 == 0, "fan {index}");
    }
    let status = venue.status().await.unwrap();
    assert_eq!((status.waiting, status.present), (5, 0));
    venue.connect(0, &numbers);
    venue.until_released(10).await;
    venue.assert_nobody_was_released_twice().await;
    leader.stop().await;
}

/// Four of ten go silent: the others pass them at once, and who comes back within
/// the grace has the number it had. Who left is counted by nobody.
#[tokio::test]
async fn a_silent_part_of_the_line_holds_nobody_up() {
    let venue = Venue::open().await;
    let numbers = venue.join(0, 1, 100).await;
    let is_silent = |number: &Number| number.0 % 5 < 2;
    let (silent, present): (Vec<Number>, Vec<Number>) = numbers.iter().partition(|n| is_silent(n));
    assert_eq!((silent.len(), present.len()), (40, 60));
    let lane = &venue.lanes[0];
    let (last, leaving) = (numbers[99], [5, 10]);
    for index in leaving {
        let left = venue.line.leave(venue.event, lane, fan(index)).await;
        assert!(left.unwrap().is_some());
    }
    let ahead = |board: &usher_queue::EventBoard| board.lane(lane).unwrap().board.ahead(last);
    assert_eq!(ahead(&venue.board().await), 99 - leaving.len() as u32);

    venue.connect(0, &present);
    venue.put(manual(FAST)).await;
    let leader = venue.lead().await;
    let took = venue.until_released(60).await;
    assert!(took < Duration::from_secs(20), "{took:?}");
    for number in &numbers {
        let place = venue.place(number.0).await;
        match place {
            Place::Admitted { .. } => assert!(!is_silent(number), "{number} was absent"),
            Place::Waiting { number: kept } => {
                assert_eq!((kept, is_silent(number)), (*number, true))
            }
            Place::Unknown => assert!(leaving.contains(&number.0)),
            other => panic!("{number}: {other:?}"),
        }
    }
    // 38 are away within their grace and still stand before the last number.
    let waiting: Vec<Number> = silent
        .into_iter()
        .filter(|n| !leaving.contains(&n.0))
        .collect();
    let before_last = waiting.iter().filter(|number| **number < last).count();
    assert_eq!(ahead(&venue.board().await), before_last as u32);
    venue.connect(0, &waiting);
    venue.until_released(98).await;
    for number in &waiting {
        let place = venue.place(number.0).await;
        assert!(
            matches!(place, Place::Admitted { number: of, .. } if of == *number),
            "{place:?}"
        );
    }
    assert_eq!(venue.released().await, 98);
    leader.stop().await;
}

#[tokio::test]
async fn without_a_room_a_pause_keeps_fans_and_its_end_lets_all_of_them_in() {
    let settings = LineSettings {
        room: Room::Off,
        ..LineSettings::default()
    };
    let time = TimeSource::Server;
    let venue = Venue::set_up(time, &[("main", 1)], Schedule::default(), settings).await;
    venue.change_phase(Phase::Open).await;
    venue.put(paused()).await;
    let leader = venue.lead().await;
    venue.until_led().await;
    let numbers = venue.join(0, 1, 50).await;
    venue.connect(0, &numbers);
    venue.seconds(2).await;
    assert_eq!(venue.released().await, 0);
    // Far less a minute than there are: without a room the rate holds nobody.
    venue.put(manual(1.0)).await;
    venue.until_released(50).await;
    leader.stop().await;
}

#[tokio::test]
async fn a_missed_claim_stands_at_its_own_number_and_is_called_again() {
    let venue = Venue::open_on_test_time().await;
    venue.crowd(3).await;
    venue.put(manual(FAST)).await;
    let leader = venue.lead().await;
    venue.until_released(3).await;
    venue.connect(0, &[]);
    let later = SystemClock.now().plus(Duration::from_secs(91));
    venue.set_test_time(later).await;
    let back = Place::Waiting { number: Number(2) };
    until("the fan is back", || async { venue.place(2).await == back }).await;
    venue.connect(0, &[Number(2)]);
    let called = || async {
        matches!(
            venue.place(2).await,
            Place::Admitted {
                number: Number(2),
                ..
            }
        )
    };
    until("the fan is called again", called).await;
    let totals = venue.board().await.state.totals;
    assert_eq!((totals.released, totals.put_back), (4, 3));
    leader.stop().await;
}

#[tokio::test]
async fn nobody_is_released_while_fans_come_back_after_a_rebuild() {
    let venue = Venue::open_on_test_time().await;
    venue.crowd(5).await;
    venue.put(manual(FAST)).await;
    let now = SystemClock.now();
    let settled = now.plus(Duration::from_secs(30));
    venue.set_meta("settle_until", settled.millis()).await;
    let leader = venue.lead().await;
    venue.until_led().await;
    venue.seconds(3).await;
    let status = venue.status().await.unwrap();
    assert_eq!((status.released_total, status.present), (0, 5));
    assert!(
        status.reason.starts_with("Restored a moment ago"),
        "{}",
        status.reason
    );
    assert_eq!(status.rate_per_minute, 0.0);
    venue.set_test_time(settled).await;
    venue.until_released(5).await;
    leader.stop().await;
}

#[tokio::test]
async fn who_comes_to_an_empty_line_passes_at_once_but_not_above_the_rate() {
    let venue = Venue::open().await;
    venue.put(manual(300.0)).await;
    let leader = venue.lead().await;
    venue.until_led().await;
    venue.seconds(1).await;
    let mut passed = 0;
    for index in 1..=30 {
        let order = JoinOrder {
            event: venue.event,
            lane: &venue.lanes[0],
            other_lanes: &[],
            fan: fan(index),
            generation: 0,
            old_place: None,
            again: false,
        };
        let joined = venue.line.join(&order).await.unwrap();
        passed += u32::from(matches!(joined.place, Place::Admitted { .. }));
    }
    // 5 a second, give or take a fraction; the 30 may meet the end of one second.
    assert!((4..=11).contains(&passed), "{passed} of 30 passed at once");
    venue.seconds(2).await;
    let board = venue.board().await;
    assert_eq!(
        board.lanes[0].standing,
        30 - u64::from(passed),
        "nobody else: none is connected"
    );
    leader.stop().await;
}

#[tokio::test]
async fn a_lane_may_be_added_while_the_event_runs() {
    let venue = Venue::open().await;
    venue.put(manual(FAST)).await;
    let leader = venue.lead().await;
    venue.until_led().await;
    let setup = usher_queue::LaneSetup {
        lane: "access".parse().unwrap(),
        weight: 1,
        needs_code: false,
    };
    venue.store.put_lane(venue.event, &setup).await.unwrap();
    let number = Number(1);
    let order = JoinOrder {
        event: venue.event,
        lane: &setup.lane,
        other_lanes: &venue.lanes,
        fan: fan(1),
        generation: 0,
        old_place: None,
        again: false,
    };
    // The leader leases the lane's numbers and then lets its fan pass.
    let joined = || async {
        let place = venue.line.join(&order).await.map(|joined| joined.place);
        matches!(place, Ok(Place::Admitted { number: given, .. }) if given == number)
    };
    until("the new lane serves its fan", joined).await;
    leader.stop().await;
}

#[tokio::test]
async fn nobody_is_given_up_as_absent_while_no_edge_says_who_is_here() {
    let mut venue = Venue::open().await;
    venue.stop_edges().await;
    venue.crowd(20).await;
    let leader = venue.lead().await;
    venue.until_led().await;
    venue.seconds(3).await;
    let board = venue.board().await;
    assert_eq!(
        (board.state.totals.absent, board.lanes[0].standing),
        (0, 20)
    );
    leader.stop().await;
}
