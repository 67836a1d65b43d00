//! What can go wrong while starting or steering a private server,
//! each as one sentence that says what to do.

use std::{io, path::PathBuf};

pub type Result<T, E = SandboxError> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error("{program} was not found on this machine; install it with: {install}")]
    NotInstalled {
        program: &'static str,
        install: &'static str,
    },
    #[error("could not {doing}: {source}")]
    Io { doing: String, source: io::Error },
    #[error("{program} ended while it was starting; it said: {log}")]
    NotStarted { program: &'static str, log: String },
    #[error("{program} was not ready after {seconds} s; it said: {log}")]
    TooSlow {
        program: &'static str,
        seconds: u64,
        log: String,
    },
    #[error("{program} is not running; restart it first")]
    NotRunning { program: &'static str },
    #[error("{program} did not end within {seconds} s of being told to")]
    WillNotEnd { program: &'static str, seconds: u64 },
    #[error(
        "no port of 127.0.0.1 could be taken in {tries} tries; end some of the servers on this machine"
    )]
    NoPort { tries: u32 },
    #[error(
        "port {port} of 127.0.0.1 was taken by another process while its server was down; start a new one"
    )]
    PortLost { port: u16 },
    #[error("{} was made by postgres {made_by}, but postgres {installed} is installed; install {made_by} or choose another folder", dir.display())]
    OtherVersion {
        dir: PathBuf,
        made_by: String,
        installed: String,
    },
    #[error("{} is in use by process {pid}; stop that one or choose another folder", dir.display())]
    InUse { dir: PathBuf, pid: String },
    #[error("{} belongs to another user; set TMPDIR to a folder of your own", dir.display())]
    ForeignFolder { dir: PathBuf },
    #[error(
        "the user `{user}`, as whom postgres runs, cannot enter {}; set TMPDIR to a folder that everybody may enter", dir.display()
    )]
    NoWayIn { dir: PathBuf, user: String },
    #[error(
        "postgres refuses to run as root, and this machine has neither a user `postgres` nor `nobody`; create one of them or start as another user"
    )]
    NoServerUser,
    #[error("the private postgres refused a statement: {0}")]
    Sql(#[from] sqlx::Error),
    #[error("the migrations could not be applied to the private postgres: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    #[error("the private redis-server refused a command: {0}")]
    Redis(#[from] redis::RedisError),
}

/// Adds to an I/O error what was being done, as the end of "could not ...".
pub(crate) trait Doing<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| SandboxError::Io {
            doing: what(),
            source,
        })
    }
}
