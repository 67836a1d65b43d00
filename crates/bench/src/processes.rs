//! Child processes of a benchmark: usher itself, the ceilings, the streamers.
//! Each ends with its owner; what one costs is read from the kernel.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

const READY_WITHIN: Duration = Duration::from_secs(30);
const BYTES_PER_KIB: u64 = 1024;

/// `usher serve` of one role.
pub struct UsherProcess {
    child: Child,
    pub address: String,
}

/// The binary beside this one: they are built together.
pub fn usher_binary() -> anyhow::Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name("usher");
    if !path.exists() {
        bail!("{} is missing; `make bench` builds it", path.display());
    }
    Ok(path)
}

/// A command whose process ends with this one, also when this one is killed.
pub fn command(program: PathBuf) -> Command {
    let mut command = Command::new(program);
    usher_sandbox::end_with_us(command.as_std_mut());
    command.kill_on_drop(true);
    command
}

impl UsherProcess {
    /// Until it says that it is ready. Its later log is not kept.
    pub async fn serve(role: &str, settings: &[(String, String)]) -> anyhow::Result<Self> {
        let mut child = command(usher_binary()?)
            .args(["serve", "--role", role])
            .envs(settings.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let log = child.stderr.take().context("usher has no log")?;
        let mut lines = BufReader::new(log).lines();
        let address = timeout(READY_WITHIN, ready_address(&mut lines)).await;
        let address =
            address.with_context(|| format!("the role {role} is not ready in time"))??;
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { child, address })
    }

    pub fn pid(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }
}

async fn ready_address(lines: &mut Lines<BufReader<ChildStderr>>) -> anyhow::Result<String> {
    let mut last = String::new();
    while let Some(line) = lines.next_line().await? {
        let told: Value = serde_json::from_str(&line).unwrap_or_default();
        if told["message"] == "ready" {
            let address = told["address"].as_str().context("no address is told")?;
            return Ok(address.to_owned());
        }
        last = line;
    }
    bail!("usher ended before it was ready: {last}")
}

/// This program again, as a ceiling or a part of the load.
pub struct Helper {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Helper {
    pub fn start(arguments: &[String]) -> anyhow::Result<Self> {
        let mut child = command(std::env::current_exe()?)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take().context("a child has no input")?;
        let output = child.stdout.take().context("a child has no output")?;
        Ok(Self {
            child,
            input,
            output: BufReader::new(output).lines(),
        })
    }

    pub async fn line(&mut self) -> anyhow::Result<String> {
        let line = self.output.next_line().await?;
        line.context("a part of the benchmark ended early; its reason stands above")
    }

    pub async fn tell(&mut self, line: &str) -> anyhow::Result<()> {
        self.input.write_all(line.as_bytes()).await?;
        Ok(self.input.write_all(b"\n").await?)
    }

    pub async fn stop(mut self) {
        // One that is gone already is as good as stopped.
        let _ = self.child.kill().await;
    }
}

/// Resident memory in bytes.
pub fn resident_bytes(pid: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    Ok(kib.context("the kernel does not tell a process's memory")? * BYTES_PER_KIB)
}

/// Processor time that a process has used so far, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Used {
    pub user: f64,
    pub kernel: f64,
    /// Of its children that have ended.
    pub buried: f64,
    pub parent: u32,
}

impl Used {
    pub fn total(self) -> f64 {
        self.user + self.kernel
    }

    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            user: self.user + other.user,
            kernel: self.kernel + other.kernel,
            ..self
        }
    }

    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            user: self.user - before.user,
            kernel: self.kernel - before.kernel,
            ..self
        }
    }
}

pub fn used(pid: u32) -> anyhow::Result<Used> {
    const TICKS_PER_SECOND: f64 = 100.0;
    // Of those that follow the name.
    const PARENT: usize = 1;
    const USER: usize = 11;
    const KERNEL: usize = 12;
    const BURIED_USER: usize = 13;
    const BURIED_KERNEL: usize = 14;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, in parentheses, may hold spaces; the fields follow it.
    let (_, fields) = stat
        .rsplit_once(") ")
        .context("unknown form of /proc/stat")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let number = |field: usize| fields.get(field).and_then(|text| text.parse::<u32>().ok());
    let seconds = |field| number(field).map(|ticks| f64::from(ticks) / TICKS_PER_SECOND);
    let read = || {
        Some(Used {
            user: seconds(USER)?,
            kernel: seconds(KERNEL)?,
            buried: seconds(BURIED_USER)? + seconds(BURIED_KERNEL)?,
            parent: number(PARENT)?,
        })
    };
    read().context("the kernel does not tell a process's time")
}
