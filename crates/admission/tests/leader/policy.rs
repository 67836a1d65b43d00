//! The operator's word: in force at once, audited, and not lost with Redis.

use usher_admission::PolicyChangeError;
use usher_admission::control::{Mode, Policy};

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
    let olga = || "olga".to_owned();
    assert_eq!(
        venue.changes("policy").await,
        [
            (olga(), Some(manual(FAST)), paused()),
            (olga(), None, manual(FAST))
        ]
    );
    let rewrite = sqlx::query("UPDATE admission_audit SET who = 'nobody'");
    assert!(
        rewrite.execute(&venue.pool).await.is_err(),
        "the log is append-only"
    );
    leader.stop().await;
}

#[tokio::test]
async fn caution_is_the_operators_and_lets_more_or_fewer_try_for_the_last_seats() {
    let mut came = Vec::new();
    for caution in [2.0, -2.0] {
        let venue = Venue::open().await;
        venue.crowd(60).await;
        venue.stock(40, 0, 100).await;
        let policy = Policy {
            stock_caution: Some(caution),
            ..manual(FAST)
        };
        venue.put(policy).await;
        let leader = venue.lead().await;
        venue.until_released(1).await;
        venue.seconds(2).await;
        came.push(venue.released().await);
        leader.stop().await;
    }
    // 20 orders are left, and four of five who come in are believed to hold.
    println!("let in for 40 seats, cautious and bold: {came:?}");
    assert!(came[0] + 5 < came[1], "{came:?}");
}

#[tokio::test]
async fn a_dry_run_shows_what_auto_would_do_and_lets_nobody_in() {
    let mut venue = Venue::open().await;
    venue.crowd(20).await;
    let policy = Policy {
        dry_run: true,
        ..Policy::default()
    };
    venue.put(policy).await;
    let leader = venue.lead().await;
    let signals = venue.report_signals(50.0);
    let shows = || async {
        let status = venue.status().await;
        status.is_some_and(|status| status.decision.auto.rate_per_s > 1.0)
    };
    until("what auto would do", shows).await;
    let status = venue.status().await.unwrap();
    assert_eq!(status.clause, usher_admission::control::Clause::DryRun);
    assert_eq!((status.rate_per_minute, status.released_total), (0.0, 0));
    venue.seconds(2).await;
    assert_eq!(venue.released().await, 0);
    signals.abort();
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
    assert_eq!(venue.changes::<Policy>("policy").await, []);
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
