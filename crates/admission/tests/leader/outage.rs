//! Postgres away: the line goes on, and what happened is written down afterwards.

use std::time::Duration;

use tokio::time::Instant;

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
