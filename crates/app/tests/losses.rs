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
    let mut line = WaitingLine::of(fans).await;
    line.let_some_in();
    line.lose_an_edge();
    line.lose_redis().await;
    line.let_all_in().await;
}

struct WaitingLine {
    sandbox: Sandbox,
    event: String,
    booking: Usher,
    doomed: Usher,
    _others: [Usher; 2],
    crowd: Crowd,
    /// As they were at first, by the order in the crowd.
    numbers: Vec<u64>,
}

impl WaitingLine {
    /// Everybody waits, on two edges, and has heard the true place.
    async fn of(fans: u32) -> Self {
        let sandbox = Sandbox::start().await.unwrap();
        let settings = settings(&sandbox, &signing_keys()).with("TRUSTED_PROXIES", "127.0.0.1");
        let event = import_event(&settings);
        let roles = ["booking", "admission", "edge", "edge"];
        let [booking, admission, doomed, edge] = roles.map(|role| Usher::serve(role, &settings));
        set_rate(&booking.target(), &event, None);
        for edge in [&doomed, &edge] {
            wait_for_page(edge, &event);
        }
        let edges = [doomed.target(), edge.target()];
        let crowd = Crowd::join(&edges, &event, fans).await;
        all_hear(&crowd, "everybody hears", |seen, ahead| {
            seen.ahead == Some(ahead)
        });
        Self {
            sandbox,
            event,
            booking,
            doomed,
            _others: [admission, edge],
            numbers: numbers(&crowd),
            crowd,
        }
    }

    fn set_rate(&self, per_minute: Option<u32>) {
        set_rate(&self.booking.target(), &self.event, per_minute);
    }

    fn let_some_in(&self) {
        self.set_rate(Some(FEW_A_MINUTE));
        wait_for(HEARD_BY_ALL_WITHIN, "some are let in", || {
            (admitted(&self.crowd).len() >= 10).then_some(())
        });
        self.set_rate(None);
    }

    /// Its fans go to the other, each after a random part of the delay.
    fn lose_an_edge(&mut self) {
        self.crowd.listen_anew();
        self.doomed.stop();
        wait_for(LONGEST_DELAY + SLACK, "they come back", || {
            let mut waiting = self.crowd.seen();
            waiting.retain(|seen| seen.admitted == 0);
            waiting.iter().all(|seen| seen.frames > 0).then_some(())
        });
        let seen = self.crowd.seen();
        let back: Vec<_> = seen
            .iter()
            .filter_map(|seen| seen.came_back_after)
            .collect();
        println!(
            "edge killed: {} came back to the other, the last after {:.1?}",
            back.len(),
            back.iter().max().unwrap()
        );
        all_hear(&self.crowd, "all stand where they stood", |seen, ahead| {
            seen.ahead == Some(ahead)
        });
        assert_eq!(numbers(&self.crowd), self.numbers, "lost with the edge");
    }

    /// It keeps nothing.
    async fn lose_redis(&self) {
        let before = admitted(&self.crowd);
        self.sandbox.redis.kill_9().await.unwrap();
        let lost = Instant::now();
        all_hear(
            &self.crowd,
            "all are told that places are kept",
            |seen, _| {
                let message = seen.message.as_deref();
                message.is_some_and(|message| message.contains("Your place is kept"))
            },
        );
        println!(
            "Redis killed: all know after {:.1?} that places are kept",
            lost.elapsed()
        );
        self.sandbox.redis.restart().await.unwrap();
        let back = Instant::now();
        self.crowd.listen_anew();
        all_hear(&self.crowd, "all stand where they stood", |seen, ahead| {
            seen.frames > 0 && seen.message.is_none() && seen.ahead == Some(ahead)
        });
        println!(
            "Redis empty: all hear their place again after {:.1?}",
            back.elapsed()
        );
        assert_eq!(numbers(&self.crowd), self.numbers, "lost with Redis");
        assert_eq!(admitted(&self.crowd), before, "let in meanwhile");
    }

    async fn let_all_in(&self) {
        self.set_rate(Some(MANY_A_MINUTE));
        let fans = self.numbers.len();
        let bound = SETTLE_FOR + HEARD_BY_ALL_WITHIN + Duration::from_millis(20) * fans as u32;
        let began = Instant::now();
        wait_for(bound, "all are let in", || {
            (admitted(&self.crowd).len() == fans).then_some(())
        });
        println!("everybody was let in {:.1?} later", began.elapsed());
        let pool = sqlx::PgPool::connect(&self.sandbox.postgres.url()).await;
        let releases = "SELECT count(*), count(DISTINCT fan_id) FROM released_fans";
        let (all, fans_released): (i64, i64) = sqlx::query_as(releases)
            .fetch_one(&pool.unwrap())
            .await
            .unwrap();
        assert_eq!(
            (all, fans_released),
            (fans as i64, fans as i64),
            "let in twice"
        );
    }
}

/// Until what `is_told` says of a fan and its true count of people ahead holds for all who wait.
#[track_caller]
fn all_hear(crowd: &Crowd, what: &str, is_told: impl Fn(&Seen, u64) -> bool) {
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
