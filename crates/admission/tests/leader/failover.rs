//! Two admission processes; the one that leads is killed, or sleeps for ten seconds.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::PgPool;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use usher_admission::Leader;
use usher_base::redis::TimeSource;
use usher_base::{Clock, Number, SystemClock};
use usher_queue::{LeaseToken, Line, ReleaseError, ReleaseOrder};

use crate::venue::{Venue, manual, redis_of, until};

const REDIS: &str = "USHER_TEST_LEADER_REDIS";
const POSTGRES: &str = "USHER_TEST_LEADER_POSTGRES";
const WITHIN: Duration = Duration::from_secs(3);

/// Not a test: what `Process` runs. Ends with its standard input.
#[tokio::test]
#[ignore = "the body of the processes that the tests below start"]
async fn a_leader_of_its_own() {
    let (Ok(redis), Ok(postgres)) = (std::env::var(REDIS), std::env::var(POSTGRES)) else {
        return;
    };
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
    let line = Line::new(redis_of(&redis, TimeSource::Server).await);
    let pool = PgPool::connect(&postgres).await.unwrap();
    let stop = CancellationToken::new();
    let leader = Leader::new(line, pool, Arc::new(SystemClock), stop.clone());
    Arc::new(leader).run(stop).await;
}

struct Process(Child);

impl Process {
    fn start(venue: &Venue) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "failover::a_leader_of_its_own"])
            .env(REDIS, venue.sandbox.redis.url())
            .env(POSTGRES, venue.sandbox.postgres.url())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.0.id().cast_signed());
        kill(pid, signal).unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A crowd, and two processes of which the first leads.
async fn two_processes(venue: &Venue) -> (Process, Process) {
    venue.crowd(600).await;
    venue.put(manual(600.0)).await;
    let first = Process::start(venue);
    venue.until_released(10).await;
    let second = Process::start(venue);
    // The second stands by once it has connections of its own.
    until("the second has connected", || async {
        let query = "SELECT count(DISTINCT client_port) FROM pg_stat_activity
            WHERE query LIKE '%lines%' AND pid <> pg_backend_pid()";
        let clients: i64 = sqlx::query_scalar(query)
            .fetch_one(&venue.pool)
            .await
            .unwrap();
        clients >= 2
    })
    .await;
    venue.seconds(2).await;
    (first, second)
}

#[tokio::test]
async fn a_killed_leader_is_replaced_within_three_seconds() {
    let venue = Venue::open().await;
    let (first, _second) = two_processes(&venue).await;
    let old = venue.status().await.unwrap().leader;
    first.signal(Signal::SIGKILL);
    let died = Instant::now();
    // What was on its way at that moment may still arrive.
    let on_their_way = 6;
    let before = venue.released().await;
    venue.until_released(before + on_their_way + 1).await;
    let gap = died.elapsed();
    println!("killed: releases went on after {gap:?}");
    assert!(gap < WITHIN, "{gap:?}");
    assert_ne!(venue.status().await.unwrap().leader, old);
    venue.seconds(3).await;
    venue.assert_nobody_was_released_twice().await;
}

#[tokio::test]
async fn a_leader_that_slept_ten_seconds_releases_nothing_any_more() {
    let venue = Venue::open().await;
    let (first, _second) = two_processes(&venue).await;
    let old = venue.status().await.unwrap().leader;
    first.signal(Signal::SIGSTOP);
    let slept = Instant::now();
    let before = venue.released().await;
    venue.until_released(before + 7).await;
    let gap = slept.elapsed();
    println!("paused: releases went on after {gap:?}");
    assert!(gap < WITHIN, "{gap:?}");
    let new = venue.until_led().await.leader;
    assert_ne!(new, old);

    tokio::time::sleep_until(slept + Duration::from_secs(10)).await;
    let awake = SystemClock.now();
    first.signal(Signal::SIGCONT);
    venue.seconds(4).await;
    let query = "SELECT count(*) FROM releases WHERE leader = $1 AND at >= $2";
    let planned: i64 = sqlx::query_scalar(query)
        .bind(&old)
        .bind(awake.to_datetime())
        .fetch_one(&venue.pool)
        .await
        .unwrap();
    assert_eq!(planned, 0, "it did not even plan to");
    assert_eq!(
        venue.status().await.unwrap().leader,
        new,
        "and did not take over again"
    );
    assert_old_lease_is_refused(&venue, old).await;
    venue.assert_nobody_was_released_twice().await;
}

/// Had it tried, without looking at its own clock: Redis compares the token.
async fn assert_old_lease_is_refused(venue: &Venue, old: String) {
    let board = venue.board().await;
    let number = board.lanes[0].board.nth(0).unwrap();
    let order = ReleaseOrder {
        event: venue.event,
        lane: &venue.lanes[0],
        lease: &LeaseToken(old),
        sequence: board.state.release_sequence + 1_000_000,
        snapshot_at: board.at,
        numbers: &[Number(number.0)],
    };
    let refused = venue.line.release(&order).await;
    assert_eq!(refused, Err(ReleaseError::NotLeader));
}
