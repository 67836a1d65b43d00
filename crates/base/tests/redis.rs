//! The fence and the client against a real Redis that is killed, emptied and
//! hung: a memory that is not ours is never taken for ours.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use usher_base::redis::{CallError, Hint, HintKind, Hints, Redis, Script, TimeSource, keys};
use usher_base::{Epoch, EventId, Timestamp};
use usher_sandbox::Sandbox;

/// Counts in the event's meta, behind the fence.
static COUNT: Script = Script::new(
    "count",
    "#!lua
local refused = fence(KEYS[1])
if refused then
  return refused
end
return {redis.call('HINCRBY', KEYS[1], 'count', ARGV[1]), now_ms(KEYS[1])}
",
);
static SCRIPTS: &[&Script] = &[&COUNT];
/// Longer than any of these calls takes when the server is well.
const PATIENCE: Duration = Duration::from_secs(10);

fn an_event() -> EventId {
    EventId::new(Timestamp::from_millis(1_000))
}

fn connect(server: &usher_sandbox::Redis) -> Redis {
    Redis::new(&server.url(), SCRIPTS, TimeSource::Server).unwrap()
}

async fn open(redis: &Redis, epoch: u64, event: EventId) {
    redis.load_scripts(Epoch(epoch)).await.unwrap();
    assert!(redis.begin_rebuild(event).await.unwrap());
    redis.open_rebuilt(event, true).await.unwrap();
}

async fn count(redis: &Redis, event: EventId) -> Result<i64, CallError> {
    let call = redis.script(&COUNT).key(keys::meta(event)).arg(1);
    call.run::<(i64, i64)>().await.map(|(count, _)| count)
}

/// Repeats a call until it answers other than "I do not know".
async fn settled(redis: &Redis, event: EventId) -> Result<i64, CallError> {
    let repeat = async {
        loop {
            match count(redis, event).await {
                Err(CallError::Unknown(_)) => tokio::task::yield_now().await,
                known => return known,
            }
        }
    };
    tokio::time::timeout(PATIENCE, repeat).await.unwrap()
}

#[tokio::test]
async fn a_script_runs_behind_an_open_fence_only() {
    let server = Sandbox::redis_only().await.unwrap();
    let redis = connect(&server);
    let event = an_event();
    assert_eq!(
        count(&redis, event).await,
        Err(CallError::Stale),
        "never loaded"
    );
    redis.load_scripts(Epoch(1)).await.unwrap();
    assert_eq!(count(&redis, event).await, Err(CallError::Stale), "no meta");
    redis.begin_rebuild(event).await.unwrap();
    assert_eq!(count(&redis, event).await, Err(CallError::Rebuilding));
    redis.open_rebuilt(event, false).await.unwrap();
    assert_eq!(count(&redis, event).await, Ok(1));
}

#[tokio::test]
async fn a_server_that_lost_its_memory_is_noticed_however_it_lost_it() {
    let server = Sandbox::redis_only().await.unwrap();
    let redis = connect(&server);
    let event = an_event();
    open(&redis, 1, event).await;
    redis
        .command::<String>(redis::cmd("FLUSHALL"))
        .await
        .unwrap();
    assert_eq!(
        count(&redis, event).await,
        Err(CallError::Stale),
        "keeps scripts"
    );

    open(&redis, 2, event).await;
    server.kill_9().await.unwrap();
    server.restart().await.unwrap();
    assert_eq!(
        settled(&redis, event).await,
        Err(CallError::Stale),
        "keeps nothing"
    );
}

#[tokio::test]
async fn an_older_epoch_can_neither_write_nor_claim() {
    let server = Sandbox::redis_only().await.unwrap();
    let (old, new) = (connect(&server), connect(&server));
    let event = an_event();
    open(&old, 1, event).await;
    open(&new, 2, event).await;
    assert_eq!(count(&old, event).await, Err(CallError::Stale));
    assert_eq!(
        old.begin_rebuild(event).await,
        Ok(false),
        "a newer epoch owns it"
    );
    assert_eq!(count(&new, event).await, Ok(1));
}

#[tokio::test]
async fn a_role_without_postgres_follows_the_published_epoch() {
    let server = Sandbox::redis_only().await.unwrap();
    let (leader, edge) = (connect(&server), connect(&server));
    let event = an_event();
    assert_eq!(edge.follow_epoch().await, Ok(None));
    open(&leader, 3, event).await;
    leader.publish_epoch(Epoch(3)).await.unwrap();
    assert_eq!(edge.follow_epoch().await, Ok(Some(Epoch(3))));
    assert_eq!(count(&edge, event).await, Ok(1));
}

#[tokio::test]
async fn a_new_process_resumes_a_whole_memory_and_no_other() {
    let server = Sandbox::redis_only().await.unwrap();
    let first = connect(&server);
    let event = an_event();
    open(&first, 4, event).await;
    assert_eq!(
        connect(&server).resume(Epoch(4)).await,
        Ok(false),
        "not published"
    );
    first.publish_epoch(Epoch(4)).await.unwrap();
    let second = connect(&server);
    assert_eq!(second.resume(Epoch(5)).await, Ok(false), "another epoch");
    assert_eq!(second.resume(Epoch(4)).await, Ok(true));
    assert_eq!(count(&second, event).await, Ok(1));
    assert_eq!(second.probe(event).await, Ok(()));

    // As after a restart with a disk: the keys are there, the scripts are not.
    let mut forget = redis::cmd("SCRIPT");
    forget.arg("FLUSH");
    first.command::<String>(forget).await.unwrap();
    assert_eq!(second.remembers(Epoch(4)).await, Ok(false));
    assert_eq!(connect(&server).resume(Epoch(4)).await, Ok(false));
    assert_eq!(second.probe(event).await, Err(CallError::Stale));
}

#[tokio::test]
async fn a_failback_to_a_master_that_was_not_rebuilt_is_noticed() {
    let server = Sandbox::redis_only().await.unwrap();
    let redis = connect(&server);
    let event = an_event();
    open(&redis, 1, event).await;
    assert_eq!(count(&redis, event).await, Ok(1));
    // Demoted and promoted again: same keys, same scripts, another history.
    for master in [["127.0.0.1", "1"], ["NO", "ONE"]] {
        let mut follow = redis::cmd("REPLICAOF");
        follow.arg(&master);
        redis.command::<String>(follow).await.unwrap();
    }
    assert_eq!(count(&redis, event).await, Err(CallError::Stale));
}

#[tokio::test]
async fn many_calls_at_once_are_each_answered_with_their_own() {
    let server = Sandbox::redis_only().await.unwrap();
    let redis = connect(&server);
    let event = an_event();
    open(&redis, 1, event).await;
    let calls = (0..2_000).map(|_| count(&redis, event));
    let mut counts = futures::future::try_join_all(calls).await.unwrap();
    counts.sort_unstable();
    assert_eq!(counts, (1..=2_000).collect::<Vec<i64>>());
}

#[tokio::test]
async fn a_hung_server_is_unknown_in_bounded_time_and_recovers() {
    let server = Sandbox::redis_only().await.unwrap();
    let redis = connect(&server);
    let event = an_event();
    open(&redis, 1, event).await;
    server.pause().unwrap();
    let hung = tokio::time::timeout(PATIENCE, count(&redis, event))
        .await
        .unwrap();
    assert!(matches!(hung, Err(CallError::Unknown(_))), "{hung:?}");
    server.resume().unwrap();
    // The call that was given up on may have happened: unknown means unknown.
    assert!(settled(&redis, event).await.unwrap() >= 1);
}

#[tokio::test]
async fn hints_reach_who_listens_also_after_a_restart() {
    let server = Sandbox::redis_only().await.unwrap();
    let redis = connect(&server);
    let hints = Hints::listen(&server.url()).await.unwrap();
    let mut heard = hints.subscribe();
    let hint = Hint {
        event: an_event(),
        kind: HintKind::Released,
    };
    redis.hint(hint).await.unwrap();
    assert_eq!(heard.recv().await.unwrap(), hint);

    server.kill_9().await.unwrap();
    server.restart().await.unwrap();
    let again = async {
        // Until the subscription is back, hints are lost, as hints may be.
        while heard.is_empty() {
            let _ = redis.hint(hint).await;
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, again).await.unwrap();
    assert_eq!(heard.recv().await.unwrap(), hint);
    hints.close().await;
}
