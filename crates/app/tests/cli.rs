//! The command line: what cannot work is refused with one plain sentence that
//! names it, and secrets stay secret.
#![allow(clippy::unwrap_used)]

mod common;

use std::net::TcpListener;

use common::process::{Settings, Usher, run};
use common::{API_KEY, settings, signing_keys};
use usher_sandbox::Sandbox;

/// An address of this machine where nobody listens.
fn dead_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[test]
fn wrong_settings_are_refused_by_name() {
    let unknown = Settings::default().with("REDIS_ULR", "redis://x");
    run(&["serve"], &unknown).refuses("`redis_ulr` (did you mean `redis_url`?)");

    let bad = Settings::default().with("DRAIN_SECONDS", "long");
    run(&["serve"], &bad).refuses("`drain_seconds` cannot be `long`");

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("usher.toml");
    std::fs::write(&file, "listne = \"127.0.0.1:80\"\n").unwrap();
    let file = file.to_str().unwrap();
    run(&["serve", "--config", file], &Settings::default()).refuses("`listne`");
    run(
        &["serve", "--config", "/no/such/file"],
        &Settings::default(),
    )
    .refuses("/no/such/file");
}

#[tokio::test]
async fn a_start_that_cannot_work_says_why_in_one_sentence() {
    let sandbox = Sandbox::start().await.unwrap();
    let good = settings(&sandbox, &signing_keys());

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken_address(&taken);
    let port = taken.rsplit(':').next().unwrap();
    let in_use = good.clone().with("LISTEN", taken.clone());
    run(&["serve"], &in_use).refuses(&format!("port {port} is in use"));
    let in_use = good.clone().with("METRICS_LISTEN", taken.clone());
    run(&["serve"], &in_use).refuses("choose another `metrics_listen`");

    let without = good.clone().with("SIGNING_KEYS", "");
    run(&["serve"], &without).refuses("`signing_keys` is missing");

    let empty = sandbox.postgres.empty_database().await.unwrap();
    let unmigrated = good.clone().with("DATABASE_URL", empty);
    run(&["serve"], &unmigrated).refuses("run `usher migrate`");
}

fn taken_address(listener: &TcpListener) -> String {
    listener.local_addr().unwrap().to_string()
}

#[tokio::test]
async fn an_unreachable_server_is_named_without_its_password() {
    let sandbox = Sandbox::start().await.unwrap();
    let good = settings(&sandbox, &signing_keys());
    let cases = [
        (
            "REDIS_URL",
            "redis://usher:hunter2@",
            "/",
            "Redis does not answer",
        ),
        (
            "DATABASE_URL",
            "postgres://usher:hunter2@",
            "/usher",
            "Postgres does not answer",
        ),
    ];
    for (key, login, end, said) in cases {
        let url = format!("{login}{}{end}", dead_address());
        let ended = run(&["serve"], &good.clone().with(key, url));
        ended.refuses(said);
        assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
    }
    let not_an_address = good.clone().with("DATABASE_URL", "hunter2");
    let ended = run(&["migrate"], &not_an_address);
    ended.refuses("`database_url`");
    assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
}

#[test]
fn the_configuration_is_shown_with_secrets_masked() {
    let keys = signing_keys();
    let set = Settings::default()
        .with("REDIS_URL", "redis://:hunter2@redis.internal:6379/")
        .with("DATABASE_URL", "postgres://usher:hunter2@db.internal/usher")
        .with("SIGNING_KEYS", keys.as_str())
        .with("ADMIN_API_KEY", API_KEY)
        .with("STRIPE_SECRET_KEY", "sk_test_hunter2")
        .with("DRAIN_SECONDS", "7");
    let shown = run(&["config"], &set);
    assert!(shown.is_success(), "{shown:?}");
    assert!(
        shown.stdout.contains("drain_seconds = 7"),
        "{}",
        shown.stdout
    );
    assert!(shown.stdout.contains("db.internal"), "{}", shown.stdout);
    for secret in ["hunter2", API_KEY, keys.as_str(), "\"d\""] {
        assert!(!shown.stdout.contains(secret), "{}", shown.stdout);
    }
}

#[test]
fn the_defaults_are_a_file_that_can_be_used() {
    let printed = run(&["config", "--defaults"], &Settings::default());
    assert!(printed.is_success(), "{printed:?}");
    assert!(printed.stdout.contains("# Where fans, operators"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("usher.toml");
    std::fs::write(&file, &printed.stdout).unwrap();
    let loaded = Settings::default().with("CONFIG", file.to_str().unwrap());
    let from_file = run(&["config"], &loaded);
    let built_in = run(&["config"], &Settings::default());
    assert!(from_file.is_success(), "{from_file:?}");
    assert_eq!(from_file.stdout, built_in.stdout);
}

#[test]
fn fresh_keys_load_and_differ() {
    let (one, other) = (signing_keys(), signing_keys());
    assert_ne!(one, other);
    let keys = usher_base::signing::SigningKeys::from_jwk_set(&one, "https://usher.example");
    let public = keys.unwrap().public_jwk_set();
    let public = public["keys"].as_array().unwrap();
    assert!(!public.is_empty());
    assert!(
        public.iter().all(|key| key.get("d").is_none()),
        "{public:?}"
    );
}

#[tokio::test]
async fn a_healthcheck_tells_a_running_usher_from_a_dead_one() {
    let sandbox = Sandbox::start().await.unwrap();
    let usher = Usher::serve("all", &settings(&sandbox, &signing_keys()));
    let address = usher.target().0.to_string();
    let none = Settings::default();
    let well = run(&["healthcheck", "--address", &address], &none);
    assert!(well.is_success() && well.stdout == "ready\n", "{well:?}");
    let by_setting = run(
        &["healthcheck"],
        &none.clone().with("LISTEN", address.clone()),
    );
    assert!(by_setting.is_success(), "{by_setting:?}");
    drop(usher);
    run(&["healthcheck", "--address", &address], &none).refuses("nothing answers at");
}

#[tokio::test]
async fn migrating_twice_changes_nothing_the_second_time() {
    let sandbox = Sandbox::start().await.unwrap();
    let empty = sandbox.postgres.empty_database().await.unwrap();
    let set = Settings::default().with("DATABASE_URL", empty);
    let first = run(&["migrate"], &set);
    assert!(
        first.is_success() && first.stdout.starts_with("Applied "),
        "{first:?}"
    );
    let second = run(&["migrate"], &set);
    assert!(second.is_success(), "{second:?}");
    assert_eq!(second.stdout, "The schema is already up to date.\n");
}

#[tokio::test]
async fn an_event_file_that_is_wrong_is_refused() {
    let sandbox = Sandbox::start().await.unwrap();
    let good = settings(&sandbox, &signing_keys());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("event.toml");
    let file = path.to_str().unwrap();
    let import = || run(&["event", "import", file], &good);
    import().refuses("cannot read");
    std::fs::write(&path, "slug = \"a\"\ntitel = \"A\"\n").unwrap();
    import().refuses("unknown field `titel`");
}
