//! The operator's word: in force at once, audited, and not lost with Redis.

use usher_admission::PolicyChangeError;
use usher_admission::control::{Mode, Policy};
use usher_base::Timestamp;

use crate::venue::{FAST, Venue, manual, paused, until};

#[tokio::test]
async fn every_change_is_in_force_and_in_the_audit_log() {
    let venue = Venue::open().await;
    venue.crowd(20).await;
    let leader = venue.lead().await;
    venue.until_led().await;
    venue.seconds(2).await;
    assert_eq!(
        venue.released().await,
        0,
        "auto without any signal lets nobody in"
    );
    venue.put(manual(FAST)).await;
    let took = venue.until_released(20).await;
    println!("a manual rate was in force after {took:?}");
    venue.put(paused()).await;

    assert_eq!(venue.policies.get(venue.event).await.unwrap(), paused());
    let changes = venue.policies.changes(venue.event, 10).await.unwrap();
    let told: Vec<_> = changes
        .iter()
        .map(|c| (&*c.who, &c.before, &c.after))
        .collect();
    assert_eq!(
        told,
        [
            ("olga", &Some(manual(FAST)), &paused()),
            ("olga", &None, &manual(FAST))
        ]
    );
    assert!(
        changes
            .iter()
            .all(|change| change.at > Timestamp::default())
    );
    let rewrite = sqlx::query("UPDATE admission_audit SET who = 'nobody'");
    assert!(
        rewrite.execute(&venue.pool).await.is_err(),
        "the log is append-only"
    );
    leader.stop().await;
}

#[tokio::test]
async fn an_invalid_policy_changes_nothing() {
    let venue = Venue::open().await;
    let policy = Policy {
        mode: Mode::Manual,
        ..Policy::default()
    };
    let refused = venue.policies.put(venue.event, &policy, "olga").await;
    assert!(matches!(refused, Err(PolicyChangeError::Invalid(_))));
    assert!(
        venue
            .policies
            .changes(venue.event, 10)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_pause_bites_without_postgres() {
    let venue = Venue::open().await;
    venue.crowd(400).await;
    venue.put(manual(600.0)).await;
    let leader = venue.lead().await;
    venue.until_released(10).await;
    venue.sandbox.postgres.pause().unwrap();
    let pause = paused();
    let put = venue.policies.put(venue.event, &pause, "olga");
    let put = tokio::time::timeout(std::time::Duration::from_secs(1), put).await;
    assert!(put.is_err(), "Postgres does not answer");
    let at_once = venue.released().await;
    venue.seconds(2).await;
    assert_eq!(venue.released().await, at_once);
    venue.sandbox.postgres.resume().unwrap();
    venue.seconds(2).await;
    assert_eq!(
        venue.released().await,
        at_once,
        "Postgres's older word does not lift it"
    );
    leader.stop().await;
}

#[tokio::test]
async fn a_pause_that_redis_forgot_is_restored_before_anybody_is_let_in() {
    let venue = Venue::open().await;
    venue.crowd(20).await;
    venue.put(manual(FAST)).await;
    venue.put(paused()).await;
    // As after a rebuild: neither the policy nor the mode is there.
    venue.forget("policy").await;
    let mode = usher_queue::Mode::Auto;
    venue.line.set_mode(venue.event, mode).await.unwrap();
    let leader = venue.lead().await;
    let known = || async { venue.board().await.state.mode == usher_queue::Mode::Paused };
    until("the pause is back in Redis", known).await;
    venue.seconds(1).await;
    assert_eq!(venue.released().await, 0);
    leader.stop().await;
}
