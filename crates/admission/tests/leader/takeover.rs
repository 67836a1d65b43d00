//! A new leader goes on where the last one was: the law's memory, the counts.

use std::time::Duration;

use usher_admission::control::Clause;
use usher_admission::decisions_between;
use usher_base::redis::keys;
use usher_base::{Clock, SystemClock};

use crate::venue::{FAST, Venue, manual, until};

async fn wanted(venue: &Venue) -> f64 {
    let status = venue.status().await.unwrap();
    status.decision.state.wanted_requests_per_s
}

/// Well answered and all of it used: the law grows from its start of 100/s.
async fn grown(venue: &mut Venue) {
    venue.report_signals(140.0);
    venue.crowd(50).await;
    venue.until_led().await;
    until("the law has grown", || async {
        wanted(venue).await > 120.0
    })
    .await;
}

#[tokio::test]
async fn the_next_leader_goes_on_with_the_laws_memory() {
    let mut venue = Venue::open().await;
    let first = venue.lead().await;
    grown(&mut venue).await;
    first.stop().await;
    let before = venue.status().await.unwrap();
    let second = venue.lead().await;
    venue.seconds(1).await;
    let after = venue.status().await.unwrap();
    assert_ne!(after.leader, before.leader);
    assert!(wanted(&venue).await >= before.decision.state.wanted_requests_per_s);
    // A hand-over is no loss of signals.
    assert!(
        !matches!(after.clause, Clause::SignalLost | Clause::SignalBack),
        "{:?}",
        after.clause
    );
    second.stop().await;
}

#[tokio::test]
async fn with_redis_emptied_postgres_has_the_laws_memory() {
    let mut venue = Venue::open().await;
    let first = venue.lead().await;
    grown(&mut venue).await;
    let query = "SELECT count(*) FROM admission_checkpoints
        WHERE (state->'law'->'wanted'->>'rate')::float > 115 OR state->'law'->>'wanted_inside' IS NOT NULL";
    let kept = || async {
        let count: i64 = sqlx::query_scalar(query)
            .fetch_one(&venue.pool)
            .await
            .unwrap();
        count == 1
    };
    until("a checkpoint is written", kept).await;
    venue.seconds(6).await;
    first.stop().await;
    for name in ["law", "status"] {
        let mut forget = redis::cmd("DEL");
        forget.arg(keys::of_event(venue.event, name));
        venue.line.redis().command::<i64>(forget).await.unwrap();
    }
    let second = venue.lead().await;
    venue.until_led().await;
    assert!(
        wanted(&venue).await > 115.0,
        "not from the cold start of 100"
    );
    second.stop().await;
}

#[tokio::test]
async fn claims_are_learned_with_their_true_ages() {
    let venue = Venue::open().await;
    venue.crowd(120).await;
    venue.put(manual(FAST)).await;
    let began = SystemClock.now();
    let leader = venue.lead().await;
    venue.until_released(120).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    venue.claim(1..101).await;
    venue.seconds(2).await;
    let status = venue.status().await.unwrap();
    assert_eq!((status.inside, status.claimed_total), (100, 100));
    let learned = status.decision.state.pickup_s;
    println!("all claimed after 4 to 5 s; mean learned: {learned:.2} s (assumed before: 8 s)");
    assert!((3.5..6.5).contains(&learned), "mean age {learned}");
    let now = SystemClock.now();
    let redis = venue.line.redis();
    let told = decisions_between(redis, venue.event, began, now)
        .await
        .unwrap();
    assert!(
        told.len() >= 5,
        "{} seconds are in the recorder",
        told.len()
    );
    let released: u32 = told.iter().map(|decision| decision.release).sum();
    assert!(released >= 120);
    leader.stop().await;
}
