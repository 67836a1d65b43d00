//! Postgres holds up what a process does beside requests, as a long change of a
//! table does: the connections of requests are not used up by it.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::{Duration, Instant};

use common::process::Usher;
use common::{API_KEY, import_event, settings, signing_keys, wait_for_page};
use sqlx::PgPool;
use usher_sandbox::Sandbox;

/// The reconciler, which is a reader like a request, is held up on one of them.
const CONNECTIONS: i64 = 2;
const WITHIN: Duration = Duration::from_secs(30);

/// Until as many queries of usher wait for a lock as it has connections for requests.
async fn wait_until_held_up(pool: &PgPool) {
    const BLOCKED: &str = "SELECT count(*) FROM pg_stat_activity
        WHERE application_name = 'usher' AND wait_event_type = 'Lock'";
    let deadline = Instant::now() + WITHIN;
    loop {
        let blocked: i64 = sqlx::query_scalar(BLOCKED).fetch_one(pool).await.unwrap();
        if blocked >= CONNECTIONS {
            return;
        }
        assert!(Instant::now() < deadline, "{blocked} queries are held up");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn work_beside_requests_does_not_use_up_their_connections() {
    let sandbox = Sandbox::start().await.unwrap();
    let settings =
        settings(&sandbox, &signing_keys()).with("DATABASE_CONNECTIONS", CONNECTIONS.to_string());
    let event = import_event(&settings);
    let usher = Usher::serve("all", &settings);
    wait_for_page(&usher, &event);
    let pool = PgPool::connect(&sandbox.postgres.url()).await.unwrap();
    let mut change = pool.begin().await.unwrap();
    let lock = sqlx::raw_sql("LOCK TABLE order_items IN ACCESS EXCLUSIVE MODE");
    lock.execute(&mut *change).await.unwrap();
    wait_until_held_up(&pool).await;
    let path = format!("/api/v1/admin/events/{event}");
    let answer = usher.target().get(&path, Some(API_KEY)).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    change.rollback().await.unwrap();
}
