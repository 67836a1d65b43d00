//! Postgres away: the line goes on, and what happened is written down afterwards.
//! Redis lost: everybody is let in once all the same. Signals lost: fewer and
//! fewer, then nobody.

use std::time::Duration;

use tokio::time::Instant;
use usher_admission::control::{Decision, Sight};
use usher_admission::decisions_between;
use usher_base::{Clock, Number, SystemClock};
use usher_queue::Place;

use crate::venue::{Venue, manual, until};

const AWAY: Duration = Duration::from_secs(10);

#[tokio::test]
async fn releases_go_on_while_postgres_hangs() {
    let venue = Venue::open().await;
    venue.crowd(400).await;
    venue.put(manual(600.0)).await;
    let leader = venue.lead().await;
    venue.until_released(20).await;
    let before = venue.released().await;
    venue.sandbox.postgres.pause().unwrap();
    let began = Instant::now();
    let mut each_second = Vec::new();
    let mut last = before;
    while began.elapsed() < AWAY {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = venue.released().await;
        each_second.push(now - last);
        last = now;
    }
    venue.sandbox.postgres.resume().unwrap();
    println!("Postgres hung for 10 s, people in each second: {each_second:?}");
    let meanwhile = last - before;
    assert!(
        (80..=110).contains(&meanwhile),
        "{meanwhile} in 10 s, not 100"
    );
    let token = venue.status().await.unwrap().leader;
    venue.assert_nobody_was_released_twice().await;

    let written = || async {
        let released = venue.released().await;
        let query = "SELECT count(DISTINCT fan_id) FROM released_fans";
        let written: i64 = sqlx::query_scalar(query)
            .fetch_one(&venue.pool)
            .await
            .unwrap();
        written.cast_unsigned() >= released
    };
    until("every release is written down", written).await;
    assert_eq!(
        venue.status().await.unwrap().leader,
        token,
        "the same term goes on"
    );
    leader.stop().await;
}

#[tokio::test]
async fn a_leader_can_begin_while_postgres_hangs() {
    let venue = Venue::open().await;
    venue.crowd(200).await;
    venue.put(manual(600.0)).await;
    let first = venue.lead().await;
    let second = venue.lead().await;
    venue.until_released(10).await;
    venue.sandbox.postgres.pause().unwrap();
    first.stop().await;
    let before = venue.released().await;
    let took = venue.until_released(before + 10).await;
    println!("with Postgres hung, the next leader released after {took:?}");
    assert!(took < Duration::from_secs(4));
    venue.sandbox.postgres.resume().unwrap();
    venue.assert_nobody_was_released_twice().await;
    second.stop().await;
}

#[tokio::test]
async fn when_redis_is_lost_everybody_is_still_let_in_once() {
    const FANS: u32 = 60;
    let venue = Venue::open().await;
    venue.crowd(FANS).await;
    venue.put(manual(1_200.0)).await;
    let leader = venue.lead().await;
    venue.until_released(20).await;
    // A checkpoint is at most 5 s old; releases are on record before they happen.
    venue.lose_redis().await;
    let called_before = venue.board().await.admitted;
    assert!(
        called_before >= 20,
        "{called_before} of those called are called again"
    );
    for index in 1..=FANS {
        let place = venue.come_back(index, Number(index)).await;
        let own = match place {
            Place::Waiting { number } | Place::Admitted { number, .. } => number,
            other => panic!("fan {index} lost the place: {other:?}"),
        };
        assert_eq!(own, Number(index));
    }
    venue.seconds(3).await;
    assert_eq!(venue.released().await, 0, "fans may come back first");
    let status = venue.status().await.unwrap();
    assert!(
        status.leader.starts_with("2-"),
        "a term of the new epoch: {}",
        status.leader
    );
    venue.set_meta("settle_until", 0).await;
    venue.until_released(u64::from(FANS) - called_before).await;
    venue.seconds(2).await;
    let board = venue.board().await;
    assert_eq!(
        (board.admitted, board.lanes[0].standing),
        (u64::from(FANS), 0)
    );
    let query = "SELECT count(*), count(DISTINCT fan_id) FROM released_fans";
    let (rows, fans): (i64, i64) = sqlx::query_as(query).fetch_one(&venue.pool).await.unwrap();
    assert_eq!(
        (rows, fans),
        (i64::from(FANS), i64::from(FANS)),
        "each on record once"
    );
    leader.stop().await;
}

#[tokio::test]
async fn without_signals_fewer_are_let_in_and_then_nobody() {
    let mut venue = Venue::open().await;
    venue.crowd(1_500).await;
    let leader = venue.lead().await;
    let source = venue.report_signals(120.0);
    venue.until_released(60).await;
    let began = SystemClock.now();
    source.abort();
    let lost = Instant::now();
    let blind = || async {
        let status = venue.status().await.unwrap();
        matches!(status.decision.state.sight, Sight::Blind(_))
    };
    until("the loss is noticed", blind).await;
    let noticed = lost.elapsed();
    let redis = venue.line.redis();
    let decisions = decisions_between(redis, venue.event, began, SystemClock.now()).await;
    let decisions = decisions.unwrap();
    let is_blind = |one: &Decision| matches!(one.state.sight, Sight::Blind(_));
    // Before the source began, it was not seen either.
    let last_seen = decisions.iter().rposition(|one| !is_blind(one)).unwrap();
    let [before, after] = [last_seen, last_seen + 1].map(|at| decisions[at].rate_per_s);
    println!("{before:.1}/s; {noticed:?} after the source died {after:.1}/s");
    assert!(after > 0.0 && after <= 0.5 * before);
    assert!(noticed < Duration::from_secs(6), "{noticed:?}");

    tokio::time::sleep_until(lost + Duration::from_secs(32)).await;
    venue.seconds(1).await;
    let nobody = venue.released().await;
    assert_eq!(venue.status().await.unwrap().rate_per_minute, 0.0);
    venue.seconds(2).await;
    assert_eq!(venue.released().await, nobody);
    venue.report_signals(120.0);
    let back = venue.until_released(nobody + 1).await;
    println!("signals back: the first was let in after {back:?}");
    leader.stop().await;
}
