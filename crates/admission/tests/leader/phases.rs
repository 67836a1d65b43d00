//! The leader moves the event's phase: by the clock, and when nothing is left.

use std::time::Duration;

use usher_base::redis::TimeSource;
use usher_base::{Clock, SystemClock};
use usher_queue::{Phase, Schedule};

use crate::venue::{FAST, Venue, manual, until};

async fn until_phase(venue: &Venue, phase: Phase) {
    let reached = || async {
        let row = venue.store.line(venue.event).await.unwrap();
        row.phase == phase && venue.board().await.state.phase == phase
    };
    until(&format!("the phase is {phase}"), reached).await;
}

#[tokio::test]
async fn the_schedule_opens_the_event_and_closes_it() {
    let now = SystemClock.now();
    let after = |seconds| Some(now.plus(Duration::from_secs(seconds)));
    let schedule = Schedule {
        gathers_at: after(1),
        opens_at: after(3),
        closes_at: after(7),
    };
    let venue = Venue::with(TimeSource::Server, &[("main", 1)], schedule).await;
    venue.change_phase(Phase::Scheduled).await;
    venue.put(manual(FAST)).await;
    let leader = venue.lead().await;
    until_phase(&venue, Phase::Gathering).await;
    venue.crowd(5).await;
    venue.seconds(1).await;
    assert_eq!(venue.released().await, 0, "not open yet");
    until_phase(&venue, Phase::Open).await;
    venue.until_released(5).await;
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
