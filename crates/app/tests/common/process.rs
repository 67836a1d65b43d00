//! The real binary: run to its end, or as a server whose log is read along.

use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::http::Target;
use super::wait_for;

const BINARY: &str = env!("CARGO_BIN_EXE_usher");
/// Of a log, shown when a test fails.
const LAST_LINES: usize = 30;
const READY_WITHIN: Duration = Duration::from_secs(30);

/// `USHER_*` variables. Those of whoever runs the tests are not passed on.
#[derive(Clone, Default)]
pub struct Settings(Vec<(String, String)>);

impl Settings {
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        let name = format!("USHER_{key}");
        self.0.retain(|(known, _)| *known != name);
        self.0.push((name, value.into()));
        self
    }

    pub fn apply(&self, command: &mut Command) {
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("USHER_")) {
            command.env_remove(name);
        }
        // Whoever asks for backtraces must not get one instead of a sentence.
        command.env("RUST_BACKTRACE", "1").envs(self.0.clone());
    }
}

#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    pub fn is_success(&self) -> bool {
        self.code == Some(0)
    }

    /// One plain sentence on standard error that says `what`, and a failure.
    #[track_caller]
    pub fn refuses(&self, what: &str) {
        let said = self.stderr.trim_end();
        assert_eq!(self.code, Some(1), "{self:?}");
        assert!(said.contains(what), "{said:?} does not say {what:?}");
        assert!(said.starts_with("usher: "), "{said}");
        assert!(!said.contains('\n'), "more than a line: {said}");
        for word in ["panicked", "backtrace", "Error {", "Some("] {
            assert!(!said.contains(word), "{said}");
        }
    }
}

/// Runs it to its end.
pub fn run(arguments: &[&str], settings: &Settings) -> Ended {
    let mut command = Command::new(BINARY);
    command.args(arguments);
    finish(command, settings)
}

/// The same under a shell's limit of open files, soft and hard.
pub fn run_with_few_files(limit: u32, arguments: &[&str], settings: &Settings) -> Ended {
    let mut command = Command::new("sh");
    let script = format!("ulimit -n {limit} && exec \"$@\"");
    command.args(["-c", &script, "sh", BINARY]).args(arguments);
    finish(command, settings)
}

fn finish(mut command: Command, settings: &Settings) -> Ended {
    settings.apply(&mut command);
    let output = command.stdin(Stdio::null()).output().unwrap();
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A process that serves; killed when dropped.
pub struct Usher {
    child: Child,
    stdout: Lines,
    stderr: Lines,
}

impl Usher {
    /// `usher serve`, until it says on which addresses it is ready.
    pub fn serve(role: &str, settings: &Settings) -> Self {
        let mut usher = Self::start(&["serve", "--role", role], settings);
        let what = format!("the role {role} is ready");
        usher.wait(READY_WITHIN, &what, |usher| usher.ready_line());
        usher
    }

    pub fn start(arguments: &[&str], settings: &Settings) -> Self {
        let mut command = Command::new(BINARY);
        settings.apply(&mut command);
        command.args(arguments).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = Lines::of(child.stdout.take().unwrap());
        let stderr = Lines::of(child.stderr.take().unwrap());
        Self {
            child,
            stdout,
            stderr,
        }
    }

    /// As `wait_for`, but a process that ends while it is waited for is told at once.
    #[track_caller]
    pub fn wait<T>(&mut self, bound: Duration, what: &str, look: impl Fn(&Self) -> Option<T>) -> T {
        wait_for(bound, what, || {
            let found = look(self);
            if found.is_none()
                && let Some(status) = self.child.try_wait().unwrap()
            {
                panic!("{what}: it ended with {status}: {}", self.log());
            }
            found
        })
    }

    fn ready_line(&self) -> Option<Value> {
        let parse = |line: &String| serde_json::from_str::<Value>(line).ok();
        let mut lines = self.stderr.all().into_iter();
        lines.find_map(|line| parse(&line).filter(|line| line["message"] == "ready"))
    }

    fn address(&self, field: &str) -> SocketAddr {
        let ready = self.ready_line().unwrap();
        ready[field].as_str().unwrap().parse().unwrap()
    }

    pub fn target(&self) -> Target {
        Target(self.address("address"))
    }

    pub fn metrics(&self) -> Target {
        Target(self.address("metrics"))
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn output(&self) -> Vec<String> {
        self.stdout.all()
    }

    pub fn log(&self) -> String {
        self.stderr.all().join("\n")
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid().cast_signed()), signal).unwrap();
    }

    /// At once, as a machine that fails.
    pub fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    #[track_caller]
    pub fn ends_within(&mut self, bound: Duration) -> ExitStatus {
        wait_for(bound, "the process ends", || self.child.try_wait().unwrap())
    }
}

impl Drop for Usher {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let lines = self.stderr.all();
            let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
            eprintln!("--- end of usher's log ---\n{}", last.join("\n"));
        }
    }
}

/// What a process writes, line by line, as it comes.
struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn of(stream: impl Read + Send + 'static) -> Self {
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let written = Arc::clone(&lines);
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                let mut lines = written.lock().unwrap_or_else(PoisonError::into_inner);
                lines.push(line);
            }
        });
        Self(lines)
    }

    fn all(&self) -> Vec<String> {
        let lines = self.0.lock();
        lines.unwrap_or_else(PoisonError::into_inner).clone()
    }
}
