//! A process's life: ready, draining, gone; the demo that leaves nothing behind;
//! and a log that tells no secret, however much it tells.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use common::fan::{Fan, payment, text};
use common::process::{Settings, Usher};
use common::{API_KEY, import_event, set_rate, settings, signing_keys, wait_for};
use nix::sys::signal::Signal;
use serde_json::Value;
use usher_sandbox::Sandbox;

/// What ending takes beside the drain itself, on a busy machine.
const SLACK: Duration = Duration::from_secs(2);

/// A request that never comes to its end, so that its connection stays in use.
fn unfinished_request(usher: &Usher) -> TcpStream {
    let mut stream = TcpStream::connect(usher.target().0).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: usher").unwrap();
    stream
}

fn wait_until_draining(usher: &Usher) {
    wait_for(Duration::from_secs(5), "it says that it drains", || {
        let answer = usher.target().get("/health/ready", None).ok()?;
        (answer.status == 503 && answer.json()["status"] == "draining").then_some(())
    });
}

#[tokio::test]
async fn the_first_signal_drains_within_the_bound() {
    let sandbox = Sandbox::start().await.unwrap();
    let set = settings(&sandbox, &signing_keys()).with("DRAIN_SECONDS", "4");
    let mut usher = Usher::serve("all", &set);
    let ready = usher.target().get("/health/ready", None).unwrap();
    assert_eq!(ready.expect(200)["status"], "ready");
    let _stuck = unfinished_request(&usher);

    let began = Instant::now();
    usher.signal(Signal::SIGTERM);
    wait_until_draining(&usher);
    // It lives, so that nobody restarts it, and goes on answering who is still here.
    assert_eq!(
        usher.target().get("/health/live", None).unwrap().status,
        200
    );
    let status = usher.ends_within(Duration::from_secs(30));
    assert!(status.success(), "{status}: {}", usher.log());
    let took = began.elapsed();
    assert!(took < Duration::from_secs(4) + SLACK, "{took:?}");
}

#[tokio::test]
async fn the_second_signal_ends_at_once() {
    let sandbox = Sandbox::start().await.unwrap();
    let set = settings(&sandbox, &signing_keys()).with("DRAIN_SECONDS", "120");
    let mut usher = Usher::serve("all", &set);
    let _stuck = unfinished_request(&usher);
    usher.signal(Signal::SIGTERM);
    wait_until_draining(&usher);
    usher.signal(Signal::SIGINT);
    let status = usher.ends_within(SLACK);
    assert!(status.success(), "{status}: {}", usher.log());
}

#[tokio::test]
async fn metrics_are_what_prometheus_reads() {
    let sandbox = Sandbox::start().await.unwrap();
    let set = settings(&sandbox, &signing_keys());
    let usher = Usher::serve("all", &set);
    usher
        .target()
        .get("/api/v1/events", None)
        .unwrap()
        .expect(200);
    let answer = usher.metrics().get("/metrics", None).unwrap();
    assert_eq!(answer.status, 200);
    assert!(
        answer.head.contains("content-type: text/plain"),
        "{}",
        answer.head
    );
    let samples: Vec<_> = answer.body.lines().filter_map(sample).collect();
    let value = |wanted: &str| {
        let found = samples.iter().find(|(name, _)| name.starts_with(wanted));
        found
            .unwrap_or_else(|| panic!("no {wanted} in {}", answer.body))
            .1
    };
    assert_eq!(value("usher_build_info{"), 1.0);
    assert_eq!(
        value("usher_http_requests_total{route=\"/api/v1/events\""),
        1.0
    );
    assert_eq!(
        value("usher_http_seconds_count{route=\"/api/v1/events\""),
        1.0
    );
    // Nothing but the metrics is served there, and they are served nowhere else.
    assert_eq!(usher.metrics().get("/", None).unwrap().status, 404);
    assert_eq!(usher.target().get("/metrics", None).unwrap().status, 404);
}

/// `name{labels} value` of the text format; comments and empty lines are none.
fn sample(line: &str) -> Option<(&str, f64)> {
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let (name, value) = line.rsplit_once(' ').unwrap();
    assert!(name.starts_with(|c: char| c.is_ascii_lowercase()), "{line}");
    Some((
        name,
        value
            .parse()
            .unwrap_or_else(|_| panic!("no number: {line}")),
    ))
}

/// Before the first edge has said whom it has connected, nobody counts as absent.
#[tokio::test]
async fn who_joins_before_the_first_report_keeps_the_place() {
    let sandbox = Sandbox::start().await.unwrap();
    let set = settings(&sandbox, &signing_keys());
    let usher = Usher::serve("all", &set);
    let event = import_event(&set);
    set_rate(&usher.target(), &event, Some(600));
    let fan = Fan::join(&usher.target(), &event);
    fan.wait_for_turn(&usher.target());
}

#[tokio::test]
async fn a_whole_walk_leaves_no_secret_in_the_log() {
    let sandbox = Sandbox::start().await.unwrap();
    let keys = signing_keys();
    let set = settings(&sandbox, &keys).with("LOG_FILTER", "debug");
    let usher = Usher::serve("all", &set);
    let event = import_event(&set);
    let target = usher.target();
    set_rate(&target, &event, Some(600));
    let mut fan = Fan::join(&target, &event);
    fan.wait_for_turn(&target);
    fan.claim(&target);
    let first_access_token = fan.access_token.clone();
    let held = fan.hold(&target);
    let payment = payment();
    let order = fan.commit(&target, &held, &payment);
    assert_eq!(order["status"], "confirmed");
    let order_token = text(&order, "order_token");
    let path = format!("/api/v1/orders/{}", text(&order, "order_number"));
    let shown = target.get(&path, Some(&order_token)).unwrap().expect(200);
    assert_eq!(shown["tickets"].as_array().unwrap().len(), 2);

    let jwk: Value = serde_json::from_str(&keys).unwrap();
    let mut secrets = vec![
        API_KEY.to_owned(),
        fan.queue_token.clone(),
        first_access_token,
        fan.access_token.clone(),
        order_token,
        text(&jwk["keys"][0], "d"),
        password(&sandbox.postgres.url()),
        text(&payment, "payment_method_id"),
        "ada.fan@example.org".into(),
        "Ada Fan".into(),
    ];
    secrets.extend(fan.cookies);
    // A token's signature alone would be enough to complete it.
    let signatures = secrets.iter().filter_map(|secret| secret.rsplit_once('.'));
    let signatures: Vec<_> = signatures.map(|(_, end)| end.to_owned()).collect();
    secrets.extend(signatures.into_iter().filter(|end| end.len() > 20));
    let log = usher.log();
    assert!(
        log.contains("\"level\":\"DEBUG\""),
        "the log is not as talkative as asked"
    );
    assert!(log.contains("/queue/claim"), "requests are not in the log");
    for secret in secrets {
        assert!(secret.len() > 6, "{secret:?} proves nothing");
        let line = log.lines().find(|line| line.contains(&secret));
        assert!(
            line.is_none(),
            "{secret} stands in the log: {}",
            line.unwrap()
        );
    }
}

fn password(url: &str) -> String {
    let login = url
        .split("://")
        .nth(1)
        .and_then(|rest| rest.split('@').next());
    login
        .and_then(|login| login.split_once(':'))
        .unwrap()
        .1
        .to_owned()
}

/// A demo that printed its line of JSON.
fn start_demo(folder: &std::path::Path) -> (Usher, Value) {
    let data = folder.to_str().unwrap();
    let arguments = [
        "demo",
        "--no-crowd",
        "--port",
        "0",
        "--json",
        "--data",
        data,
    ];
    let mut demo = Usher::start(&arguments, &Settings::default());
    let line = demo.wait(Duration::from_secs(60), "the demo is ready", |demo| {
        demo.output().into_iter().next()
    });
    (demo, serde_json::from_str(&line).unwrap())
}

#[test]
fn a_demo_leaves_nothing_behind_and_finds_its_event_again() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    // Postgres runs as another user when we are root, and has to pass through.
    let passable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path(), passable).unwrap();
    let data = folder.path().join("data");

    let (mut demo, first) = start_demo(&data);
    let started = descendants(demo.pid());
    assert!(
        started.len() >= 2,
        "redis and postgres at least: {started:?}"
    );
    end_demo(&mut demo, &first);
    assert_eq!(still_alive(&started), Vec::<String>::new());

    let began = Instant::now();
    let (mut demo, second) = start_demo(&data);
    let took = began.elapsed();
    assert!(
        took < Duration::from_secs(15),
        "the second run took {took:?}"
    );
    assert_eq!(second["events"], first["events"]);
    assert_eq!(second["api_key"], first["api_key"]);
    end_demo(&mut demo, &second);
}

fn end_demo(demo: &mut Usher, ready: &Value) {
    demo.signal(Signal::SIGINT);
    let status = demo.ends_within(Duration::from_secs(20));
    assert!(status.success(), "{status}");
    for url in ["base_url", "metrics_url", "redis_url", "postgres_url"] {
        let address = address_in(ready[url].as_str().unwrap());
        assert!(TcpStream::connect(&address).is_err(), "{url} still answers");
    }
}

/// `127.0.0.1:8080` of `http://user:password@127.0.0.1:8080/path`.
fn address_in(url: &str) -> String {
    let rest = url.split("://").nth(1).unwrap();
    let authority = rest.split('/').next().unwrap();
    authority.rsplit('@').next().unwrap().to_owned()
}

/// A process by its id and when it began, so that a reused id is another one.
#[derive(Clone, Debug, PartialEq)]
struct Process {
    pid: u32,
    parent: u32,
    name: String,
    began: String,
}

/// All processes of this machine; none where there is no /proc.
fn processes() -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let pid = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (start, rest) = stat.rsplit_once(')')?;
        let fields: Vec<_> = rest.split_whitespace().collect();
        Some(Process {
            pid,
            parent: fields.get(1)?.parse().ok()?,
            name: start.split_once('(')?.1.to_owned(),
            began: (*fields.get(19)?).to_owned(),
        })
    };
    entries.filter_map(read).collect()
}

fn descendants(ancestor: u32) -> Vec<Process> {
    let all = processes();
    let mut found = Vec::<Process>::new();
    loop {
        let is_new = |process: &&Process| {
            let parent_found = found.iter().any(|known| known.pid == process.parent);
            (process.parent == ancestor || parent_found) && !found.contains(process)
        };
        let next: Vec<_> = all.iter().filter(is_new).cloned().collect();
        if next.is_empty() {
            return found;
        }
        found.extend(next);
    }
}

fn still_alive(started: &[Process]) -> Vec<String> {
    let now = processes();
    let same = |a: &Process, b: &Process| a.pid == b.pid && a.began == b.began;
    let left = started
        .iter()
        .filter(|one| now.iter().any(|other| same(one, other)));
    left.map(|process| format!("{} {}", process.pid, process.name))
        .collect()
}
