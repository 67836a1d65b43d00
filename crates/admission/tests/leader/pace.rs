//! The rate is what was said: nobody while paused, evenly by hand, by weight over lanes.

use std::time::Duration;

use tokio::time::Instant;
use usher_admission::control::Policy;
use usher_base::redis::TimeSource;
use usher_queue::{Phase, Schedule};

use crate::venue::{FAST, Venue, manual, paused, until};

#[tokio::test]
async fn a_rate_set_by_hand_is_kept_evenly() {
    let sum = ten_a_second_for(10).await;
    // A slice (3 people) may fall on either side of both ends.
    assert!(sum.abs_diff(100) <= 6, "{sum} in 10 s");
}

#[tokio::test]
#[ignore = "a measurement, a minute long"]
async fn six_hundred_a_minute_are_six_hundred() {
    let sum = ten_a_second_for(60).await;
    assert!(sum.abs_diff(600) <= 12, "{sum} in a minute");
}

/// How many were called in so many seconds; in none of them more than twice the mean.
async fn ten_a_second_for(seconds: u64) -> u64 {
    let venue = Venue::open().await;
    venue
        .crowd(u32::try_from(seconds * 10 + 200).unwrap())
        .await;
    venue.put(manual(600.0)).await;
    let leader = venue.lead().await;
    venue.until_released(20).await;

    let began = Instant::now();
    let mut before = venue.released().await;
    let mut each_second = Vec::new();
    for second in 1..=seconds {
        tokio::time::sleep_until(began + Duration::from_secs(second)).await;
        let now = venue.released().await;
        each_second.push(now - before);
        before = now;
    }
    let sum: u64 = each_second.iter().sum();
    println!("600/min by hand, {sum} people, in each second: {each_second:?}");
    assert!(each_second.iter().all(|n| *n <= 20), "{each_second:?}");
    venue.assert_nobody_was_released_twice().await;
    leader.stop().await;
    sum
}

#[tokio::test]
async fn paused_means_nobody_within_a_second() {
    let venue = Venue::open().await;
    venue.crowd(600).await;
    venue.put(manual(3_000.0)).await;
    let leader = venue.lead().await;
    venue.until_released(50).await;
    let told = Instant::now();
    // Whatever else is set.
    let everything = Policy {
        rate_per_minute: Some(3_000.0),
        min_rate_per_minute: Some(600.0),
        max_rate_per_minute: Some(6_000.0),
        max_inside: Some(10_000),
        target_p99_ms: Some(60_000.0),
        stock_caution: Some(-3.0),
        ..paused()
    };
    venue.put(everything).await;
    let took = told.elapsed();
    let at_once = venue.released().await;
    assert!(took < Duration::from_secs(1), "the call took {took:?}");
    venue.seconds(3).await;
    assert_eq!(
        venue.released().await,
        at_once,
        "nobody after the call returned"
    );
    assert_eq!(
        venue.status().await.unwrap().reason,
        "Paused by the operator."
    );

    venue.put(manual(3_000.0)).await;
    let resumed = venue.until_released(at_once + 10).await;
    println!("pause bit after {took:?}; resumed after {resumed:?}");
    leader.stop().await;
}

#[tokio::test]
async fn a_pause_with_an_end_lifts_itself() {
    let venue = Venue::open().await;
    venue.crowd(50).await;
    let mut policy = paused();
    let now = usher_base::Clock::now(&usher_base::SystemClock);
    policy.expires_at_ms = Some(u64::try_from(now.millis()).unwrap() + 2_000);
    // After its end auto is in force, and lets in its minimum.
    policy.mode = usher_admission::control::Mode::Paused;
    venue.put(policy).await;
    let leader = venue.lead().await;
    venue.until_led().await;
    let mode = || async { venue.board().await.state.mode == usher_queue::Mode::Auto };
    until("Redis hears that the pause is over", mode).await;
    leader.stop().await;
}

#[tokio::test]
async fn lanes_share_by_weight_and_an_empty_ones_share_goes_on() {
    let lanes = [("main", 1), ("presale", 3)];
    let venue = Venue::with(TimeSource::Server, &lanes, Schedule::default()).await;
    venue.change_phase(Phase::Open).await;
    for lane in 0..2 {
        let numbers = venue.join(lane, lane as u32 * 10_000, 90).await;
        venue.connect(lane, &numbers);
    }
    venue.put(manual(2_400.0)).await;
    let leader = venue.lead().await;
    let spent = |lane: usize| {
        let venue = &venue;
        async move { 90 - venue.board().await.lanes[lane].standing }
    };
    until("the heavier lane has come far", || async {
        spent(1).await >= 60
    })
    .await;
    let (main, presale) = (spent(0).await, spent(1).await);
    println!("main {main}, presale {presale}");
    assert!(
        (main * 3).abs_diff(presale) <= 6,
        "main {main}, presale {presale}"
    );
    until("both lanes are empty", || async {
        spent(0).await + spent(1).await == 180
    })
    .await;
    venue.assert_nobody_was_released_twice().await;
    leader.stop().await;
}

#[tokio::test]
async fn a_cap_of_people_inside_holds() {
    let venue = Venue::open().await;
    venue.crowd(200).await;
    let mut policy = manual(FAST);
    policy.max_inside = Some(20);
    venue.put(policy).await;
    let leader = venue.lead().await;
    venue.until_released(20).await;
    venue.seconds(3).await;
    let called = venue.released().await;
    // Whoever is called and may not come counts in part: 0.7 of them are expected.
    assert!((20..=60).contains(&called), "{called} called for 20 places");
    venue.claim(1..11).await;
    venue.seconds(2).await;
    let status = venue.status().await.unwrap();
    assert_eq!(status.inside, 10);
    leader.stop().await;
}
