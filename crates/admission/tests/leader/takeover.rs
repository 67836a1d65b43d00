//! A new leader goes on where the last one was: the law's memory, the counts.

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
    let grown_at = venue.status().await.unwrap().at;
    let kept = || async {
        let query = "SELECT count(*) FROM admission_checkpoints WHERE at >= $1";
        let count: i64 = sqlx::query_scalar(query)
            .bind(grown_at.to_datetime())
            .fetch_one(&venue.pool)
            .await
            .unwrap();
        count == 1
    };
    until("a checkpoint of that is written", kept).await;
    first.stop().await;
    for name in ["law", "status"] {
        venue.forget(name).await;
    }
    let second = venue.lead().await;
    venue.until_led().await;
    assert!(
        wanted(&venue).await > 115.0,
        "not from the cold start of 100"
    );
    second.stop().await;
}

/// What the law has learned: people who claimed, by seconds since they were called.
async fn followed_by_age(venue: &Venue) -> Vec<f64> {
    let mut get = redis::cmd("GET");
    get.arg(keys::of_event(venue.event, "law"));
    let text: String = venue.line.redis().command(get).await.unwrap();
    println!("the law's memory has {} bytes", text.len());
    let kept: serde_json::Value = serde_json::from_str(&text).unwrap();
    let followed = &kept["law"]["claims"]["delay"]["followed"];
    serde_json::from_value(followed.clone()).unwrap()
}

#[tokio::test]
async fn claims_are_learned_with_their_true_ages() {
    let venue = Venue::open().await;
    venue.crowd(120).await;
    venue.put(manual(FAST)).await;
    let began = SystemClock.now();
    let leader = venue.lead().await;
    venue.until_released(120).await;
    venue.seconds(4).await;
    venue.claim(1..101).await;
    venue.seconds(2).await;
    let status = venue.status().await.unwrap();
    assert_eq!((status.inside, status.claimed_total), (100, 100));
    let followed = followed_by_age(&venue).await;
    let all: f64 = followed.iter().sum();
    let on_time: f64 = followed[3..=6].iter().sum();
    println!("claimed after 4 to 5 s; seen at 3 to 6 s: {on_time:.1} of {all:.1}");
    // Older claims weigh a little less each second.
    assert!(all > 95.0 && on_time > 0.99 * all, "{followed:?}");
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
