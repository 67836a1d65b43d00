//! `usher doctor` names what is wrong, with a remedy each, and is content when
//! nothing is.
#![allow(clippy::unwrap_used)]

mod common;

use common::process::{Ended, Settings, run, run_with_few_files};
use common::{settings, signing_keys};
use usher_sandbox::{Postgres, PostgresOptions, Redis, RedisOptions, Sandbox};

/// `check` is the one thing that is found wrong, and `remedy` is said for it.
#[track_caller]
fn finds(report: &Ended, check: &str, remedy: &str) {
    assert_eq!(report.code, Some(1), "{report:?}");
    assert!(report.stderr.is_empty(), "{report:?}");
    let wrong: Vec<_> = report.stdout.split("  WRONG ").skip(1).collect();
    let about: Vec<_> = wrong
        .iter()
        .filter_map(|one| one.split(':').next())
        .collect();
    assert_eq!(about, [check], "{}", report.stdout);
    let said = wrong[0].split("what to do: ").nth(1).unwrap_or_default();
    assert!(said.contains(remedy), "{}", report.stdout);
    assert!(report.stdout.ends_with("Not ready to serve.\n"));
}

struct House {
    sandbox: Sandbox,
    settings: Settings,
}

impl House {
    /// With servers as in life: doctor finds a Postgres that forgets at a crash wrong.
    async fn open() -> Self {
        let (redis, postgres) = tokio::try_join!(
            Redis::start(RedisOptions::default()),
            Postgres::start(PostgresOptions { durable: true }),
        )
        .unwrap();
        let sandbox = Sandbox { redis, postgres };
        // Few streams, so that the limit of whoever runs the tests is enough.
        let settings = settings(&sandbox, &signing_keys()).with("MAX_STREAMS", "24");
        Self { sandbox, settings }
    }
}

#[tokio::test]
async fn all_is_well() {
    let house = House::open().await;
    let report = run(&["doctor"], &house.settings);
    assert!(report.is_success(), "{report:?}");
    assert!(report.stdout.ends_with("Everything is well.\n"));
    assert!(!report.stdout.contains("WRONG"), "{}", report.stdout);
}

#[tokio::test]
async fn what_settings_and_machine_lack_is_named() {
    let house = House::open().await;
    let good = &house.settings;
    let keyless = good.clone().with("SIGNING_KEYS", "");
    finds(
        &run(&["doctor"], &keyless),
        "signing keys",
        "usher keys > keys.json",
    );
    let keyless = good.clone().with("ADMIN_API_KEY", "");
    finds(
        &run(&["doctor"], &keyless),
        "operator key",
        "USHER_ADMIN_API_KEY",
    );
    // 24 streams and what is beside them want 1024.
    let limited = run_with_few_files(256, &["doctor"], good);
    finds(&limited, "open files", "ulimit -Hn 1024");
}

#[tokio::test]
async fn servers_that_are_away_are_named() {
    let house = House::open().await;
    house.sandbox.redis.kill_9().await.unwrap();
    let report = run(&["doctor"], &house.settings);
    finds(&report, "redis", "USHER_REDIS_URL");
    house.sandbox.redis.restart().await.unwrap();
    house.sandbox.postgres.kill_9().await.unwrap();
    let report = run(&["doctor"], &house.settings);
    finds(&report, "postgres", "USHER_DATABASE_URL");
    // The edge serves without it.
    let report = run(&["doctor", "--role", "edge"], &house.settings);
    assert!(report.is_success(), "{report:?}");
}

#[tokio::test]
async fn a_server_that_hangs_is_named_too() {
    let house = House::open().await;
    house.sandbox.redis.pause().unwrap();
    let report = run(&["doctor"], &house.settings);
    finds(&report, "redis", "USHER_REDIS_URL");
}

#[tokio::test]
async fn missing_migrations_are_named_and_the_remedy_works() {
    let house = House::open().await;
    let empty = house.sandbox.postgres.empty_database().await.unwrap();
    let unmigrated = house.settings.clone().with("DATABASE_URL", empty);
    let report = run(&["doctor"], &unmigrated);
    finds(&report, "postgres schema", "usher migrate");
    assert!(run(&["migrate"], &unmigrated).is_success());
    assert!(run(&["doctor"], &unmigrated).is_success());
}

#[tokio::test]
async fn a_postgres_that_forgets_at_a_crash_is_named() {
    let sandbox = Sandbox::start().await.unwrap();
    let forgetful = settings(&sandbox, &signing_keys()).with("MAX_STREAMS", "24");
    finds(
        &run(&["doctor"], &forgetful),
        "postgres durability",
        "fsync",
    );
}
