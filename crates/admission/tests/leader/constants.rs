//! An event's own constants: in force within seconds on what was learned, audited,
//! and those of now for whoever leads next.

use std::time::Duration;

use usher_admission::control::{Clause, Constants, Policy};
use usher_admission::{ConstantsChangeError, EventConstants};
use usher_base::redis::{TimeSource, keys};
use usher_queue::{LineSettings, Phase, Schedule};

use crate::venue::{Venue, until};

/// The backend's Redis answers in 20 ms; 50 is what the law usually bears.
fn braking() -> Constants {
    Constants {
        brake_redis_ms: Some(10.0),
        ..Constants::default()
    }
}

async fn put(venue: &Venue, constants: &Constants) {
    let store = EventConstants::new(venue.pool.clone());
    store.put(venue.event, constants, "ada").await.unwrap();
}

async fn wanted(venue: &Venue) -> f64 {
    let status = venue.status().await.unwrap();
    status.decision.state.wanted_requests_per_s
}

async fn until_braked(venue: &Venue, is_braked: bool) -> Duration {
    let seen = || async {
        let status = venue.status().await;
        status.is_some_and(|s| (s.decision.auto.clause == Clause::BrakeRedis) == is_braked)
    };
    until("the brake", seen).await
}

/// Well answered and all of it used: the law grows from its start of 100/s.
async fn grown(venue: &mut Venue) {
    venue.report_signals(140.0);
    venue.crowd(50).await;
    venue.until_led().await;
    until("the law has grown", || async {
        wanted(venue).await > 115.0
    })
    .await;
}

#[tokio::test]
async fn a_lowered_limit_brakes_within_seconds_and_what_was_learned_stays() {
    let mut venue = Venue::open().await;
    let leader = venue.lead().await;
    grown(&mut venue).await;
    let before = wanted(&venue).await;
    put(&venue, &braking()).await;
    let took = until_braked(&venue, true).await;
    println!("braked {took:?} after the change, X* {before}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(wanted(&venue).await >= before, "no cold start");
    put(&venue, &Constants::default()).await;
    until_braked(&venue, false).await;
    leader.stop().await;
}

#[tokio::test]
async fn the_next_leader_goes_on_from_the_memory_with_the_constants_of_now() {
    let mut venue = Venue::open().await;
    let first = venue.lead().await;
    grown(&mut venue).await;
    first.stop().await;
    let before = venue.status().await.unwrap();
    put(&venue, &braking()).await;
    let second = venue.lead().await;
    until_braked(&venue, true).await;
    let after = venue.status().await.unwrap();
    assert_ne!(after.leader, before.leader);
    let learned = before.decision.state.wanted_requests_per_s;
    assert!(after.decision.state.wanted_requests_per_s >= learned);
    second.stop().await;
}

#[tokio::test]
async fn claims_are_waited_for_as_long_as_the_event_lets_them_come() {
    let settings = LineSettings {
        claim_window: Duration::from_secs(30),
        ..LineSettings::default()
    };
    let (lanes, schedule) = ([("main", 1)], Schedule::default());
    let venue = Venue::set_up(TimeSource::Server, &lanes, schedule, settings).await;
    venue.change_phase(Phase::Open).await;
    let leader = venue.lead().await;
    venue.until_led().await;
    let window_s = || async {
        let mut get = redis::cmd("GET");
        get.arg(keys::of_event(venue.event, "law"));
        let text: Option<String> = venue.line.redis().command(get).await.unwrap();
        let kept: serde_json::Value = serde_json::from_str(&text?).unwrap();
        kept["law"]["claims"]["stage"]["window_s"].as_u64()
    };
    // Two seconds more: that late a claim may be seen.
    until("the law's memory", || async {
        window_s().await == Some(32)
    })
    .await;
    leader.stop().await;
}

#[tokio::test]
async fn changes_are_audited_and_illegal_ones_change_nothing() {
    let venue = Venue::open().await;
    let store = EventConstants::new(venue.pool.clone());
    assert_eq!(store.get(venue.event).await.unwrap(), Constants::default());
    put(&venue, &braking()).await;
    put(&venue, &Constants::default()).await;
    let illegal = Constants {
        brake_p99: Some(0.1),
        ..braking()
    };
    let refused = store.put(venue.event, &illegal, "eve").await;
    assert!(matches!(refused, Err(ConstantsChangeError::Invalid(_))));
    assert_eq!(store.get(venue.event).await.unwrap(), Constants::default());
    let ada = || "ada".to_owned();
    assert_eq!(
        venue.changes("constants").await,
        [
            (ada(), Some(braking()), Constants::default()),
            (ada(), None, braking())
        ]
    );
    assert_eq!(venue.changes::<Policy>("policy").await, []);
}
