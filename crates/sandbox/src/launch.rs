//! Brings a server up on a TCP port that it truly owns: choose a candidate, start,
//! and go on to the next one if somebody else was quicker to take it.
//!
//! Candidates lie below the range from which systems hand out ports to outgoing
//! connections. There, a client that keeps reconnecting to a killed server may be given
//! the server's own port (and even connect to itself), and a restart on it would fail.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;

use crate::{
    child::{LOOK_AGAIN, OwnedChild},
    error::{Result, SandboxError},
};

/// Linux hands out from 32768, macOS from 49152.
const CANDIDATES: std::ops::Range<u16> = 15_000..30_000;
const CANDIDATES_TRIED_MAX: u32 = 50;
/// Includes the recovery of a large database after a crash.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long a restart waits for its port, which a dying connection may still hold.
const PORT_FREE_WITHIN: Duration = Duration::from_secs(10);
/// The end of a log that goes into an error message, in bytes.
const LAST_WORDS_BYTES: usize = 600;

/// A kind of server that can be started on a port.
pub(crate) trait Server: Sync {
    const PROGRAM: &'static str;
    /// What it gets when this process dies.
    const DEATH: Signal;

    fn command(&self, port: u16) -> Command;
    /// Where its output goes.
    fn log(&self) -> PathBuf;
    /// Whether our own child, and not somebody else's server, is there and serves on the port.
    fn is_ready(&self, child: &OwnedChild, port: u16) -> impl Future<Output = bool> + Send;
}

pub(crate) async fn on_a_free_port<S: Server>(server: &S) -> Result<(u16, OwnedChild)> {
    for _ in 0..CANDIDATES_TRIED_MAX {
        let port = rand::random_range(CANDIDATES);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err() {
            continue;
        }
        // Free a moment ago; only the server's own successful start makes it ours.
        if let Some(child) = on_port(server, port).await? {
            return Ok((port, child));
        }
    }
    Err(SandboxError::NoPort {
        tries: CANDIDATES_TRIED_MAX,
    })
}

/// Again on the port that it had.
pub(crate) async fn on_its_port<S: Server>(server: &S, port: u16) -> Result<OwnedChild> {
    let deadline = Instant::now() + PORT_FREE_WITHIN;
    loop {
        if let Some(child) = on_port(server, port).await? {
            return Ok(child);
        }
        if Instant::now() > deadline {
            return Err(SandboxError::PortLost { port });
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// None when somebody else has the port.
async fn on_port<S: Server>(server: &S, port: u16) -> Result<Option<OwnedChild>> {
    let log = server.log();
    let child = OwnedChild::spawn(S::PROGRAM, server.command(port), &log, S::DEATH).await?;
    let deadline = Instant::now() + READY_WITHIN;
    loop {
        if child.has_ended() {
            let log = last_words(&log);
            if log.contains("Address already in use") {
                return Ok(None);
            }
            return Err(SandboxError::NotStarted {
                program: S::PROGRAM,
                log,
            });
        }
        if server.is_ready(&child, port).await {
            return Ok(Some(child));
        }
        if Instant::now() > deadline {
            return Err(SandboxError::TooSlow {
                program: S::PROGRAM,
                seconds: READY_WITHIN.as_secs(),
                log: last_words(&log),
            });
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn last_words(log: &Path) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    let tail = &bytes[bytes.len().saturating_sub(LAST_WORDS_BYTES)..];
    String::from_utf8_lossy(tail).trim().to_owned()
}
