//! The leader moves the event's phase: by the clock, and when nothing is left.

use std::time::Duration;

use usher_base::redis::TimeSource;
use usher_base::{Clock, Number, SystemClock, Timestamp};
use usher_queue::draw::{DrawSecret, EntropyRule};
use usher_queue::{LineSettings, Ordering, Phase, Schedule};

use crate::venue::{FAST, Venue, manual, until};

async fn until_phase(venue: &Venue, phase: Phase) {
    let reached = || async {
        let row = venue.store.line(venue.event).await.unwrap();
        row.phase == phase && venue.board().await.state.phase == phase
    };
    until(&format!("the phase is {phase}"), reached).await;
}

fn in_a_second() -> Option<Timestamp> {
    Some(SystemClock.now().plus(Duration::from_secs(1)))
}

/// Each time is set when the one before was seen to come, so that a busy machine
/// misses no phase.
#[tokio::test]
async fn the_schedule_opens_the_event_and_closes_it() {
    let mut schedule = Schedule {
        gathers_at: in_a_second(),
        ..Schedule::default()
    };
    let venue = Venue::with(TimeSource::Server, &[("main", 1)], schedule).await;
    let next = async |schedule| {
        let settings = LineSettings::default();
        let put = venue.store.put_settings(venue.event, &settings, &schedule);
        put.await.unwrap();
    };
    venue.change_phase(Phase::Scheduled).await;
    venue.put(manual(FAST)).await;
    let leader = venue.lead().await;
    until_phase(&venue, Phase::Gathering).await;
    venue.crowd(5).await;
    venue.seconds(1).await;
    assert_eq!(venue.released().await, 0, "not open yet");
    schedule.opens_at = in_a_second();
    next(schedule).await;
    until_phase(&venue, Phase::Open).await;
    venue.until_released(5).await;
    schedule.closes_at = in_a_second();
    next(schedule).await;
    until_phase(&venue, Phase::Closed).await;
    let left = || async {
        venue
            .status()
            .await
            .is_none_or(|s| s.phase == Phase::Closed)
    };
    until("the leader has seen the end", left).await;
    leader.stop().await;
}

#[tokio::test]
async fn a_lottery_is_drawn_and_then_opens() {
    let now = SystemClock.now();
    let after = |seconds| Some(now.plus(Duration::from_secs(seconds)));
    let schedule = Schedule {
        gathers_at: after(0),
        opens_at: after(4),
        closes_at: None,
    };
    let settings = LineSettings {
        ordering: Ordering::Lottery,
        ..LineSettings::default()
    };
    let lanes = [("main", 1)];
    let venue = Venue::set_up(TimeSource::Server, &lanes, schedule, settings).await;
    let (event, lane) = (venue.event, &venue.lanes[0]);
    let rule = EntropyRule::default_drand();
    let secret = DrawSecret::from_bytes([5; 32]);
    let committed = venue.store.commit_draw(event, lane, &rule, &secret).await;
    committed.unwrap();
    venue.change_phase(Phase::Scheduled).await;
    venue.put(manual(FAST)).await;
    let leader = venue.lead().await;
    until_phase(&venue, Phase::Gathering).await;
    venue.join(0, 1, 300).await;
    until_phase(&venue, Phase::Drawing).await;
    // No entropy comes here, so the operator opens in the order of arrival.
    let opened = || async { venue.store.open_draw_as_fifo(event, lane).await.unwrap() };
    until("the list's root is out", opened).await;
    until_phase(&venue, Phase::Open).await;
    let numbers: Vec<Number> = (1..=300).map(Number).collect();
    venue.connect(0, &numbers);
    venue.until_released(300).await;
    venue.assert_nobody_was_released_twice().await;
    leader.stop().await;
}

#[tokio::test]
async fn sold_out_closes_the_door_and_what_comes_back_opens_it() {
    let venue = Venue::open().await;
    venue.crowd(5).await;
    let leader = venue.lead().await;
    venue.stock(0, 0, 0).await;
    venue.seconds(2).await;
    assert_eq!(
        venue.board().await.state.phase,
        Phase::Open,
        "no inventory is not sold out"
    );
    venue.stock(0, 0, 100).await;
    until_phase(&venue, Phase::SoldOut).await;
    venue.put(manual(FAST)).await;
    venue.stock(0, 0, 100).await;
    venue.seconds(2).await;
    assert_eq!(venue.released().await, 0, "nobody into an empty shop");
    venue.stock(8, 0, 92).await;
    until_phase(&venue, Phase::Open).await;
    venue.until_released(1).await;
    leader.stop().await;
}

#[tokio::test]
async fn an_operators_own_sold_out_stays() {
    let venue = Venue::open().await;
    let leader = venue.lead().await;
    venue.stock(50, 0, 50).await;
    venue.until_led().await;
    venue.change_phase(Phase::SoldOut).await;
    for _ in 0..3 {
        venue.stock(50, 0, 50).await;
        venue.seconds(1).await;
    }
    assert_eq!(venue.board().await.state.phase, Phase::SoldOut);
    leader.stop().await;
}

#[tokio::test]
async fn without_news_of_the_stock_the_shop_is_as_it_was() {
    let venue = Venue::open().await;
    venue.crowd(5).await;
    let first = venue.lead().await;
    // All is set aside and may come back, so this is not sold out.
    venue.stock(0, 40, 60).await;
    venue.seconds(2).await;
    venue.put(manual(FAST)).await;
    venue.forget("stock").await;
    venue.seconds(2).await;
    assert_eq!(venue.released().await, 0);
    first.stop().await;
    let second = venue.lead().await;
    venue.seconds(3).await;
    let status = venue.status().await.unwrap();
    assert_eq!((status.released_total, status.seats_left), (0, None));
    assert_eq!(status.clause, usher_admission::control::Clause::SoldOut);
    venue.stock(40, 0, 60).await;
    venue.until_released(5).await;
    second.stop().await;
}

#[tokio::test]
async fn behind_the_last_seats_the_rate_is_what_really_comes_and_no_wait_is_told() {
    let venue = Venue::open().await;
    venue.crowd(60).await;
    venue.stock(4, 0, 1_006).await;
    let leader = venue.lead().await;
    venue.seconds(2).await;
    venue.put(manual(600.0)).await;
    venue.until_released(1).await;
    for _ in 0..4 {
        venue.stock(4, 0, 1_006).await;
        venue.seconds(1).await;
    }
    let status = venue.status().await.unwrap();
    assert_eq!(status.clause, usher_admission::control::Clause::Stock);
    assert!(status.released_total <= 3, "{}", status.released_total);
    let told = status.rate_per_minute;
    assert!(
        told < 60.0,
        "{told} a minute, where 600 are set and none come"
    );
    let outlook = || async { venue.board().await.lanes[0].outlook.clone().unwrap() };
    let told = outlook().await;
    assert!(told.is_beyond(Number(50)));
    assert_eq!(told.wait(Number(50), venue.board().await.at), None);

    // What comes back reaches further, and those it reaches are told their wait.
    venue.stock(400, 0, 1_006).await;
    until(
        "the fans whom the stock reaches are told a wait",
        || async {
            let wait = outlook().await.wait(Number(50), venue.board().await.at);
            wait.is_some_and(|wait| wait.interval.likely.as_secs() < 30)
        },
    )
    .await;
    leader.stop().await;
}
