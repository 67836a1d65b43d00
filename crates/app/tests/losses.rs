//! A line on real streams that loses an edge and then the whole memory of Redis, by
//! kill -9: everybody keeps the number, in the same order, is told so meanwhile, and is
//! let in once. Takes about a minute, because after a loss of memory nobody is let in
//! for 30 s. The full size, with a limit of open files that bears it:
//! `cargo test --profile demo -p usher-app --test losses -- --ignored --nocapture`
#![allow(clippy::unwrap_used)]

mod common;

use std::time::{Duration, Instant};

use common::crowd::{Crowd, LONGEST_DELAY, Seen};
use common::process::Usher;
use common::{import_event, set_rate, settings, signing_keys, wait_for, wait_for_page};
use usher_queue::pg::SETTLE_FOR;
use usher_sandbox::Sandbox;

/// Everybody hears at least every ten seconds; the rest is a busy machine's.
const HEARD_BY_ALL_WITHIN: Duration = Duration::from_secs(30);
/// The edge's tick, the stream's handshake and a busy machine, beside the backoff.
const SLACK: Duration = Duration::from_secs(15);
/// Let in a minute: slowly, to stop after the first, and then all.
const FEW_A_MINUTE: u32 = 300;
const MANY_A_MINUTE: u32 = 12_000;

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_fans_lose_nothing() {
    lose_an_edge_and_redis(200).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the full size, with optimised code"]
async fn five_thousand_fans_lose_nothing() {
    lose_an_edge_and_redis(5_000).await;
}

async fn lose_an_edge_and_redis(fans: u32) {
    usher_rehearsal::guard::raise_open_files().unwrap();
    let sandbox = Sandbox::start().await.unwrap();
    let settings = settings(&sandbox, &signing_keys()).with("TRUSTED_PROXIES", "127.0.0.1");
    let event = import_event(&settings);
    let roles = ["booking", "admission", "edge", "edge"];
    let [booking, _admission, mut doomed, edge] = roles.map(|role| Usher::serve(role, &settings));
    set_rate(&booking.target(), &event, None);
    for edge in [&doomed, &edge] {
        wait_for_page(edge, &event);
    }
    let edges = [doomed.target(), edge.target()];
    let crowd = Crowd::join(&edges, &event, fans).await;
    heard_by_all(&crowd, "everybody hears", |seen, ahead| {
        seen.ahead == Some(ahead)
    });
    let numbers = numbers(&crowd);

    set_rate(&booking.target(), &event, Some(FEW_A_MINUTE));
    wait_for(HEARD_BY_ALL_WITHIN, "some are let in", || {
        (admitted(&crowd).len() >= 10).then_some(())
    });
    set_rate(&booking.target(), &event, None);

    // The edge dies: its fans go to the other, in their own time.
    crowd.listen_anew();
    doomed.stop();
    let came_back = wait_for(LONGEST_DELAY + SLACK, "they come back", || {
        let seen = crowd.seen();
        let back = seen.iter().filter_map(|seen| seen.came_back_after);
        let away = seen
            .iter()
            .enumerate()
            .filter(|(_, seen)| seen.admitted == 0 && seen.frames == 0);
        (away.count() == 0).then(|| back.collect::<Vec<_>>())
    });
    println!(
        "edge killed: {} came back to the other, the last after {:.1?}",
        came_back.len(),
        came_back.iter().max().unwrap()
    );
    assert_eq!(
        self::numbers(&crowd),
        numbers,
        "a number was lost with the edge"
    );
    heard_by_all(
        &crowd,
        "everybody stands where they stood",
        |seen, ahead| seen.ahead == Some(ahead),
    );

    // Redis dies and keeps nothing.
    let before = admitted(&crowd);
    sandbox.redis.kill_9().await.unwrap();
    let lost = Instant::now();
    wait_for(
        HEARD_BY_ALL_WITHIN,
        "everybody is told that places are kept",
        || {
            let says = |seen: &Seen| {
                seen.message
                    .as_deref()?
                    .contains("Your place is kept")
                    .then_some(())
            };
            let waiting = crowd.seen().into_iter().filter(|seen| seen.admitted == 0);
            waiting.map(|seen| says(&seen)).collect::<Option<Vec<()>>>()
        },
    );
    println!(
        "Redis killed: all know after {:.1?} that places are kept",
        lost.elapsed()
    );
    sandbox.redis.restart().await.unwrap();
    let back = Instant::now();
    crowd.listen_anew();
    heard_by_all(
        &crowd,
        "everybody stands where they stood",
        |seen, ahead| seen.frames > 0 && seen.message.is_none() && seen.ahead == Some(ahead),
    );
    println!(
        "Redis empty: all hear their place again after {:.1?}",
        back.elapsed()
    );
    assert_eq!(
        self::numbers(&crowd),
        numbers,
        "a number was lost with Redis"
    );
    assert_eq!(admitted(&crowd), before, "somebody was let in meanwhile");

    set_rate(&booking.target(), &event, Some(MANY_A_MINUTE));
    let all_in = SETTLE_FOR + HEARD_BY_ALL_WITHIN + Duration::from_secs(u64::from(fans) / 50);
    wait_for(all_in, "all are let in", || {
        (admitted(&crowd).len() == fans as usize).then_some(())
    });
    println!("everybody is let in {:.1?} after the loss", lost.elapsed());
    let pool = sqlx::PgPool::connect(&sandbox.postgres.url())
        .await
        .unwrap();
    let released: (i64, i64) =
        sqlx::query_as("SELECT count(*), count(DISTINCT fan_id) FROM released_fans")
            .fetch_one(&pool)
            .await
            .unwrap();
    assert_eq!(
        released,
        (i64::from(fans), i64::from(fans)),
        "releases, fans released"
    );
}

/// Until what `is_told` says of a fan and its true count of people ahead holds for all who wait.
#[track_caller]
fn heard_by_all(crowd: &Crowd, what: &str, is_told: impl Fn(&Seen, u64) -> bool) {
    wait_for(HEARD_BY_ALL_WITHIN, what, || {
        let mut waiting: Vec<Seen> = crowd.seen();
        waiting.retain(|seen| seen.admitted == 0);
        waiting.sort_by_key(|seen| seen.numbers.first().copied());
        (0..)
            .zip(&waiting)
            .all(|(ahead, seen)| is_told(seen, ahead))
            .then_some(())
    });
}

/// Each fan's only number.
#[track_caller]
fn numbers(crowd: &Crowd) -> Vec<u64> {
    let seen = crowd.seen();
    assert!(
        seen.iter().all(|seen| seen.numbers.len() == 1),
        "a number changed"
    );
    seen.iter()
        .filter_map(|seen| seen.numbers.first().copied())
        .collect()
}

/// Whose turn has come, by their order in the crowd.
fn admitted(crowd: &Crowd) -> Vec<usize> {
    let seen = crowd.seen();
    let admitted = seen
        .iter()
        .enumerate()
        .filter(|(_, seen)| seen.admitted > 0);
    admitted.map(|(who, _)| who).collect()
}
