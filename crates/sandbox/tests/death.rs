//! What stays behind when a process with private servers is killed: nothing that runs,
//! and files only until the next process clears them.
//!
//! A test that needs another process starts this program again, with itself as the only
//! test and its part in the environment.
#![allow(clippy::unwrap_used)]

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use sqlx::{Connection, PgConnection};
use usher_sandbox::{Postgres, PostgresOptions, Sandbox};

const PART: &str = "USHER_SANDBOX_TEST_PART";
/// Before a line that is for the test, among those of the test harness.
const SAYS: &str = "helper says ";
const GONE_WITHIN: Duration = Duration::from_secs(10);

fn part() -> Option<String> {
    std::env::var(PART).ok()
}

fn say(line: &str) {
    println!("\n{SAYS}{line}");
    std::io::stdout().flush().unwrap();
}

fn another_process(test: &str, part: &str, temp: Option<&Path>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", test, "--nocapture"])
        .env(PART, part)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    if let Some(temp) = temp {
        command.env("TMPDIR", temp);
    }
    command.spawn().unwrap()
}

fn said_in(mut lines: impl Iterator<Item = String>) -> String {
    lines
        .find_map(|line| line.strip_prefix(SAYS).map(str::to_owned))
        .expect("the other process ended before it said anything")
}

/// Of one that goes on.
fn heard(child: &mut Child) -> String {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    said_in(lines.map_while(Result::ok))
}

/// Of one that ends by itself, and in order.
fn heard_to_the_end(child: Child) -> String {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", output.status);
    let text = String::from_utf8(output.stdout).unwrap();
    said_in(text.lines().map(str::to_owned))
}

/// A temporary folder that the servers may enter as whatever user they run.
fn open_temp_folder() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(0o755))
        .tempdir()
        .unwrap()
}

/// Running, hung or sleeping; not one that only waits to be reaped.
fn is_alive(pid: &str) -> bool {
    let state = Command::new("ps").args(["-o", "stat=", "-p", pid]).output();
    let state = String::from_utf8(state.unwrap().stdout).unwrap();
    !state.trim().is_empty() && !state.starts_with('Z')
}

fn children_of(parent: u32) -> Vec<String> {
    let listing = Command::new("ps").args(["-axo", "pid=,ppid="]).output();
    String::from_utf8(listing.unwrap().stdout)
        .unwrap()
        .lines()
        .filter_map(|line| line.trim().split_once(char::is_whitespace))
        .filter(|(_, its_parent)| its_parent.trim() == parent.to_string())
        .map(|(pid, _)| pid.to_owned())
        .collect()
}

/// Starts servers, says all of their processes and their folders, and waits to be killed.
async fn hold_servers(paused: bool) {
    let sandbox = Sandbox::start().await.unwrap();
    let _session = PgConnection::connect(&sandbox.postgres.url())
        .await
        .unwrap();
    let mut pids = children_of(sandbox.postgres.pid());
    assert!(pids.len() > 1, "postgres has helpers and a session");
    pids.push(sandbox.postgres.pid().to_string());
    pids.push(sandbox.redis.pid().to_string());
    if paused {
        sandbox.postgres.pause().unwrap();
        sandbox.redis.pause().unwrap();
    }
    let socket = sandbox.redis.socket_url();
    let redis_folder = Path::new(socket.strip_prefix("redis+unix://").unwrap())
        .parent()
        .unwrap()
        .to_owned();
    let postgres_folder = sandbox.postgres.data_folder().parent().unwrap();
    say(&format!(
        "{} {} {}",
        redis_folder.display(),
        postgres_folder.display(),
        pids.join(" ")
    ));
    std::future::pending().await
}

async fn nothing_outlives_a_kill(test: &str, paused: bool) {
    if part().is_some() {
        return hold_servers(paused).await;
    }
    let mut parent = another_process(test, "hold", None);
    let said = heard(&mut parent);
    let mut words = said.split(' ');
    let folders: Vec<PathBuf> = words.by_ref().take(2).map(PathBuf::from).collect();
    let pids: Vec<&str> = words.collect();
    assert!(pids.iter().all(|pid| is_alive(pid)), "{said}");
    assert!(folders.iter().all(|folder| folder.exists()), "{said}");

    parent.kill().unwrap(); // SIGKILL
    parent.wait().unwrap();
    let deadline = Instant::now() + GONE_WITHIN;
    while let Some(left) = pids.iter().find(|pid| is_alive(pid)) {
        assert!(Instant::now() < deadline, "process {left} was left behind");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    let _next = Sandbox::redis_only().await.unwrap();
    let left = folders.iter().find(|folder| folder.exists());
    assert!(left.is_none(), "{left:?} was not cleared");
}

#[tokio::test]
async fn a_killed_parent_leaves_no_server() {
    nothing_outlives_a_kill("a_killed_parent_leaves_no_server", false).await;
}

#[tokio::test]
async fn a_killed_parent_leaves_no_hung_server() {
    nothing_outlives_a_kill("a_killed_parent_leaves_no_hung_server", true).await;
}

/// Ctrl-C in a terminal goes to the whole group; the servers must wait for our decision.
#[tokio::test]
async fn servers_are_in_groups_of_their_own() {
    let redis = Sandbox::redis_only().await.unwrap();
    let pid = Pid::from_raw(redis.pid().cast_signed());
    assert_eq!(nix::unistd::getpgid(Some(pid)).unwrap(), pid);
    kill(pid, None::<Signal>).unwrap();
}

/// The kernel ties a child to the thread that forked it, and a runtime's threads come and go.
#[test]
fn servers_outlive_the_thread_that_started_them() {
    let start = || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(Sandbox::redis_only()).unwrap()
    };
    let redis = std::thread::spawn(start).join().unwrap();
    assert!(is_alive(&redis.pid().to_string()));
    redis::Client::open(redis.url())
        .unwrap()
        .get_connection()
        .unwrap();
}

/// A machine has few of these segments, and a killed postgres cannot give its own back.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_killed_postgres_leaves_no_shared_memory() {
    let segments = || std::fs::read_to_string("/proc/sysvipc/shm").unwrap();
    let has = |id: &str| {
        let in_line = |line: &str| line.split_whitespace().nth(1) == Some(id);
        segments().lines().any(in_line)
    };
    let postgres = Postgres::start(PostgresOptions::default()).await.unwrap();
    let file = postgres.data_folder().join("data/postmaster.pid");
    let file = std::fs::read_to_string(file).unwrap();
    let id = file
        .lines()
        .nth(6)
        .unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap();
    assert!(has(id));
    postgres.kill_9().await.unwrap();
    drop(postgres);
    assert!(!has(id));
}

/// Starts a postgres and says its URL, whose password tells templates apart.
async fn say_url() {
    let postgres = Postgres::start(PostgresOptions::default()).await.unwrap();
    say(&postgres.url());
}

fn password(url: &str) -> String {
    let (_, rest) = url.split_once("usher:").unwrap();
    rest.split_once('@').unwrap().0.to_owned()
}

fn templates_in(temp: &Path) -> Vec<PathBuf> {
    let root = temp.join(format!("usher-{}", nix::unistd::geteuid()));
    std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect()
}

#[tokio::test]
async fn processes_that_come_at_once_make_one_template() {
    let test = "processes_that_come_at_once_make_one_template";
    if part().is_some() {
        return say_url().await;
    }
    let temp = open_temp_folder();
    let processes: Vec<Child> = (0..3)
        .map(|_| another_process(test, "url", Some(temp.path())))
        .collect();
    let mut passwords: Vec<String> = processes
        .into_iter()
        .map(|process| password(&heard_to_the_end(process)))
        .collect();
    passwords.dedup();
    assert_eq!(passwords.len(), 1, "more than one template was made");
    // The template, and no folder of a server.
    assert_eq!(templates_in(temp.path()).len(), 1);
}

#[tokio::test]
async fn a_template_with_a_file_missing_is_made_again() {
    let test = "a_template_with_a_file_missing_is_made_again";
    if part().is_some() {
        return say_url().await;
    }
    let temp = open_temp_folder();
    let start = || {
        let process = another_process(test, "url", Some(temp.path()));
        password(&heard_to_the_end(process))
    };
    let first = start();
    assert_eq!(start(), first, "the template was not used again");
    let template = templates_in(temp.path()).remove(0);
    std::fs::remove_file(template.join("data/PG_VERSION")).unwrap();
    assert_ne!(start(), first);
}
