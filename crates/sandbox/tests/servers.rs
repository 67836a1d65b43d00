//! The servers that a test gets: theirs alone, killed, hung and restarted at will.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use tokio::time::timeout;
use usher_sandbox::{Postgres, PostgresOptions, Redis, RedisOptions, Sandbox};

/// Longer than any answer takes here, short enough to wait for one that never comes.
const NO_ANSWER: Duration = Duration::from_millis(300);

async fn connect(redis: &Redis) -> redis::aio::MultiplexedConnection {
    let client = redis::Client::open(redis.url()).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

async fn keys(redis: &Redis) -> u64 {
    let mut connection = connect(redis).await;
    redis::cmd("DBSIZE")
        .query_async(&mut connection)
        .await
        .unwrap()
}

async fn set(redis: &Redis, key: &str) {
    let mut connection = connect(redis).await;
    let set = redis::cmd("SET").arg(key).arg(1).to_owned();
    set.exec_async(&mut connection).await.unwrap();
}

async fn raise_epoch(postgres: &Postgres) -> i64 {
    let mut connection = PgConnection::connect(&postgres.url()).await.unwrap();
    sqlx::query_scalar("UPDATE deployment SET epoch = epoch + 1 RETURNING epoch")
        .fetch_one(&mut connection)
        .await
        .unwrap()
}

#[tokio::test]
async fn both_serve_on_tcp_and_sockets() {
    // Makes the template, should this be the first test of all.
    drop(Sandbox::start().await.unwrap());
    let begun = Instant::now();
    let sandbox = Sandbox::start().await.unwrap();
    println!("both servers, migrated, in {:?}", begun.elapsed());

    assert_eq!(raise_epoch(&sandbox.postgres).await, 2);
    let mut over_socket = PgConnection::connect(&sandbox.postgres.socket_url())
        .await
        .unwrap();
    let epoch: i64 = sqlx::query_scalar("SELECT epoch FROM deployment")
        .fetch_one(&mut over_socket)
        .await
        .unwrap();
    assert_eq!(epoch, 2);

    set(&sandbox.redis, "seen").await;
    let client = redis::Client::open(sandbox.redis.socket_url()).unwrap();
    let mut over_socket = client.get_multiplexed_async_connection().await.unwrap();
    let seen: i32 = redis::cmd("GET")
        .arg("seen")
        .query_async(&mut over_socket)
        .await
        .unwrap();
    assert_eq!(seen, 1);
}

#[tokio::test]
async fn eight_sandboxes_at_once_share_nothing() {
    let mut starts = tokio::task::JoinSet::new();
    for _ in 0..8 {
        starts.spawn(Sandbox::start());
    }
    let mut ports = std::collections::BTreeSet::new();
    for sandbox in starts.join_all().await {
        let sandbox = sandbox.unwrap();
        assert!(ports.insert(sandbox.redis.port()));
        assert!(ports.insert(sandbox.postgres.port()));
        assert_eq!(raise_epoch(&sandbox.postgres).await, 2);
        assert_eq!(keys(&sandbox.redis).await, 0);
        set(&sandbox.redis, "mine").await;
    }
}

#[tokio::test]
async fn a_killed_redis_comes_back_empty_on_its_port() {
    let redis = Sandbox::redis_only().await.unwrap();
    let (url, first) = (redis.url(), redis.pid());
    set(&redis, "lost").await;
    redis.kill_9().await.unwrap();
    assert!(
        redis.kill_9().await.is_err(),
        "a dead server cannot be killed"
    );
    redis.restart().await.unwrap();
    assert_eq!(redis.url(), url);
    assert_ne!(redis.pid(), first);
    assert_eq!(keys(&redis).await, 0);
}

#[tokio::test]
async fn a_paused_redis_hangs_and_then_answers() {
    let redis = Sandbox::redis_only().await.unwrap();
    let mut connection = connect(&redis).await;
    redis.pause().unwrap();
    let ping = redis::cmd("PING");
    let hung = timeout(NO_ANSWER, ping.query_async::<String>(&mut connection)).await;
    assert!(hung.is_err(), "answered although paused: {hung:?}");
    redis.resume().unwrap();
    assert_eq!(keys(&redis).await, 0);
    // A restart frees a hung one, too.
    redis.pause().unwrap();
    redis.restart().await.unwrap();
    assert_eq!(keys(&redis).await, 0);
}

#[tokio::test]
async fn a_replica_has_what_its_master_had() {
    let master = Sandbox::redis_only().await.unwrap();
    set(&master, "copied").await;
    let options = RedisOptions {
        replica_of: Some(master.port()),
        ..RedisOptions::default()
    };
    let replica = Redis::start(options).await.unwrap();
    assert_eq!(keys(&replica).await, 1);
}

#[tokio::test]
async fn a_redis_with_a_folder_remembers_and_shares_it_with_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let options = RedisOptions {
        folder: Some(folder.path().join("redis")),
        ..RedisOptions::default()
    };
    let first = Redis::start(options.clone()).await.unwrap();
    set(&first, "kept").await;
    let refusal = Redis::start(options.clone()).await.err().unwrap();
    let me = std::process::id();
    assert!(
        refusal.to_string().contains(&format!("process {me}")),
        "{refusal}"
    );
    first.stop().await.unwrap();
    drop(first);
    let second = Redis::start(options).await.unwrap();
    assert_eq!(keys(&second).await, 1);
}

#[tokio::test]
async fn a_killed_postgres_keeps_what_it_confirmed() {
    let postgres = Postgres::start(PostgresOptions { durable: true })
        .await
        .unwrap();
    let url = postgres.url();
    let mut cut = PgConnection::connect(&url).await.unwrap();
    assert_eq!(raise_epoch(&postgres).await, 2);
    postgres.kill_9().await.unwrap();
    assert!(cut.ping().await.is_err(), "a session outlived the server");
    postgres.restart().await.unwrap();
    assert_eq!(postgres.url(), url);
    assert_eq!(raise_epoch(&postgres).await, 3);
}

#[tokio::test]
async fn a_paused_postgres_hangs_and_then_answers() {
    let postgres = Postgres::start(PostgresOptions::default()).await.unwrap();
    let mut session = PgConnection::connect(&postgres.url()).await.unwrap();
    postgres.pause().unwrap();
    let hung = timeout(NO_ANSWER, session.ping()).await;
    assert!(hung.is_err(), "a session answered although paused");
    let newcomer = timeout(NO_ANSWER, PgConnection::connect(&postgres.url())).await;
    assert!(newcomer.is_err(), "a new session opened although paused");
    postgres.resume().unwrap();
    assert_eq!(raise_epoch(&postgres).await, 2);
    postgres.pause().unwrap();
    postgres.restart().await.unwrap();
    assert_eq!(raise_epoch(&postgres).await, 3);
}

#[tokio::test]
async fn further_databases_are_migrated_or_empty_and_apart() {
    let postgres = Postgres::start(PostgresOptions::default()).await.unwrap();
    raise_epoch(&postgres).await;
    let in_use = PgConnection::connect(&postgres.url()).await.unwrap();
    let migrated = postgres.migrated_database().await.unwrap();
    let empty = postgres.empty_database().await.unwrap();
    let epoch_of = async |url: &str| -> Result<i64, sqlx::Error> {
        let mut connection = PgConnection::connect(url).await?;
        sqlx::query_scalar("SELECT epoch FROM deployment")
            .fetch_one(&mut connection)
            .await
    };
    assert_eq!(epoch_of(&migrated).await.unwrap(), 1);
    assert!(epoch_of(&empty).await.is_err());
    drop(in_use);
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let postgres = Postgres::start(PostgresOptions::default()).await.unwrap();
    let guess = format!("postgres://usher:guess@127.0.0.1:{}/usher", postgres.port());
    let refusal = PgConnection::connect(&guess).await.unwrap_err();
    assert!(refusal.to_string().contains("password"), "{refusal}");
}

#[tokio::test]
async fn a_lasting_postgres_is_reused_and_not_shared() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("postgres");
    let first = Postgres::persistent(&data).await.unwrap();
    assert_eq!(raise_epoch(&first).await, 2);
    let refusal = Postgres::persistent(&data).await.err().unwrap();
    assert!(
        refusal.to_string().contains("is in use by process"),
        "{refusal}"
    );
    let kept_in = first.data_folder().parent().unwrap().to_owned();
    drop(first);
    let begun = Instant::now();
    let second = Postgres::persistent(&data).await.unwrap();
    println!("a lasting postgres again in {:?}", begun.elapsed());
    assert_eq!(raise_epoch(&second).await, 3);
    drop(second);
    std::fs::remove_dir_all(kept_in).unwrap();
}

/// Not even when the holder is a server that knows nothing of our lock.
#[tokio::test]
async fn data_that_a_living_postgres_works_on_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("postgres");
    let holder = Postgres::persistent(&data).await.unwrap();
    let kept_in = holder.data_folder().parent().unwrap().to_owned();
    std::fs::remove_file(kept_in.join("owner")).unwrap();
    let refusal = Postgres::persistent(&data).await.err().unwrap();
    let expected = format!("is in use by process {}", holder.pid());
    assert!(refusal.to_string().contains(&expected), "{refusal}");
    assert_eq!(raise_epoch(&holder).await, 2);
    drop(holder);
    std::fs::remove_dir_all(kept_in).unwrap();
}

#[tokio::test]
async fn nothing_stays_in_the_temporary_folder() {
    let redis = Sandbox::redis_only().await.unwrap();
    let socket = redis.socket_url();
    let folder = std::path::Path::new(socket.strip_prefix("redis+unix://").unwrap())
        .parent()
        .unwrap();
    assert!(folder.exists());
    drop(redis);
    assert!(!folder.exists());
}
