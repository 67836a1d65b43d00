//! What the tests of the binary share: the real `usher` as a process with its
//! log in hand, requests to it, a fan's steps, and bounded waiting.
//!
//! Each test file is a program of its own and uses a part of this.
#![allow(clippy::unwrap_used, dead_code)]

pub mod crowd;
pub mod fan;
pub mod http;
pub mod insiders;
pub mod lottery;
pub mod process;
pub mod stalls;
pub mod verifier;

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use usher_sandbox::Sandbox;

use http::Target;
use process::{Settings, Usher};

/// Of the first operator, long enough and easy to find in a log.
pub const API_KEY: &str = "operator-key-0123456789-abcdef";
const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// The first thing that `look` finds, or a failed test that says what was missing.
#[track_caller]
pub fn wait_for<T>(bound: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + bound;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within {bound:?}");
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// One set of keys as `usher keys` makes it.
pub fn signing_keys() -> String {
    let made = process::run(&["keys"], &Settings::default());
    assert!(made.is_success(), "{made:?}");
    made.stdout.trim().to_owned()
}

/// Everything a role needs, on any free ports.
pub fn settings(sandbox: &Sandbox, keys: &str) -> Settings {
    Settings::default()
        .with("LISTEN", "127.0.0.1:0")
        .with("METRICS_LISTEN", "127.0.0.1:0")
        .with("REDIS_URL", sandbox.redis.url())
        .with("DATABASE_URL", sandbox.postgres.url())
        .with("SIGNING_KEYS", keys)
        .with("ADMIN_API_KEY", API_KEY)
        .with("LOG_FORMAT", "json")
}

/// The demo's event, open for everybody; returns its id.
pub fn import_event(settings: &Settings) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/commands/demo/sample.toml");
    let file = file.to_str().unwrap();
    let made = process::run(&["event", "import", file, "--open"], settings);
    assert!(made.is_success(), "{made:?}");
    made.stdout.trim().to_owned()
}

/// Sets the rate as an operator does; a rate of none is a pause.
pub fn set_rate(booking: &Target, event: &str, per_minute: Option<u32>) {
    let policy = match per_minute {
        Some(rate) => json!({ "mode": "manual", "rate_per_minute": rate }),
        None => json!({ "mode": "paused" }),
    };
    let path = format!("/api/v1/admin/events/{event}/admission");
    // A process learns of an event within two seconds.
    wait_for(Duration::from_secs(10), "the rate is taken", || {
        let answer = booking.call("PUT", &path, Some(API_KEY), Some(&policy));
        let status = answer.ok()?.status;
        assert!(matches!(status, 200 | 404 | 503), "{status}");
        (status == 200).then_some(())
    });
}

/// Until the queue page of the event is there.
pub fn wait_for_page(edge: &Usher, event: &str) {
    let path = format!("/e/{event}");
    wait_for(Duration::from_secs(10), "the event's page", || {
        let answer = edge.target().get(&path, None).ok()?;
        (answer.status == 200).then_some(())
    });
}
