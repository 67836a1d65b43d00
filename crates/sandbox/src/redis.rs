//! A private redis-server: own port, own socket, empty and forgetful unless given a folder.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::Command,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use nix::sys::signal::Signal;

use crate::{
    child::OwnedChild,
    error::{Doing, Result},
    launch::{self, Server},
    place::{self, Medium, RunDir},
    programs,
    server_user::ServerUser,
};

const END_WITHIN: Duration = Duration::from_secs(10);

#[derive(Clone, Debug, Default)]
pub struct RedisOptions {
    /// Keeps its memory in this folder (appendonly file) instead of forgetting it.
    pub folder: Option<PathBuf>,
    /// Follows the server on this port of 127.0.0.1; `start` waits until it is in step.
    pub replica_of: Option<u16>,
}

/// Ends when dropped, or when this process ends in whatever way.
pub struct Redis {
    // Fields drop in this order: the server first, then its files.
    child: Mutex<Arc<OwnedChild>>,
    server: RedisServer,
    port: u16,
    _claim: Option<File>,
}

struct RedisServer {
    program: PathBuf,
    run: RunDir,
    options: RedisOptions,
}

impl Redis {
    pub async fn start(options: RedisOptions) -> Result<Self> {
        let claim = match &options.folder {
            Some(folder) => {
                fs::create_dir_all(folder)
                    .doing(|| format!("make the folder {}", folder.display()))?;
                Some(place::claim(folder)?)
            }
            None => None,
        };
        let server = RedisServer {
            program: programs::redis_server()?,
            run: RunDir::create(&ServerUser::myself(), Medium::Memory)?,
            options,
        };
        let (port, child) = launch::on_a_free_port(&server).await?;
        Ok(Self {
            child: Mutex::new(Arc::new(child)),
            server,
            port,
            _claim: claim,
        })
    }

    #[must_use]
    pub fn url(&self) -> String {
        url(self.port)
    }

    #[must_use]
    pub fn socket_url(&self) -> String {
        format!("redis+unix://{}", self.server.socket().display())
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Of the server now, or of the last one if it has ended.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.current().pid().as_raw().cast_unsigned()
    }

    /// Ends it at once, its memory gone; returns when it is dead.
    pub async fn kill_9(&self) -> Result<()> {
        let child = self.current();
        child.signal(Signal::SIGKILL)?;
        child.ended(END_WITHIN).await
    }

    /// Hangs it: connections stay open and nothing answers.
    pub fn pause(&self) -> Result<()> {
        self.current().freeze()
    }

    pub fn resume(&self) -> Result<()> {
        self.current().signal(Signal::SIGCONT)
    }

    /// Starts it again on the same port, whether it is running, hung or dead.
    /// Without a folder its memory is empty afterwards.
    pub async fn restart(&self) -> Result<()> {
        if !self.current().has_ended() {
            self.kill_9().await?;
        }
        let child = launch::on_its_port(&self.server, self.port).await?;
        *self.child.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(child);
        Ok(())
    }

    /// Lets it save what it keeps and end.
    pub async fn stop(&self) -> Result<()> {
        let child = self.current();
        child.signal(Signal::SIGTERM)?;
        child.ended(END_WITHIN).await
    }

    fn current(&self) -> Arc<OwnedChild> {
        let child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&child)
    }
}

fn url(port: u16) -> String {
    format!("redis://127.0.0.1:{port}/")
}

impl RedisServer {
    fn socket(&self) -> PathBuf {
        self.run.path().join("redis.sock")
    }
}

impl Server for RedisServer {
    const PROGRAM: &'static str = "redis-server";
    const DEATH: Signal = Signal::SIGKILL;

    fn command(&self, port: u16) -> Command {
        let run = self.run.path();
        let folder = self.options.folder.as_deref();
        let mut command = Command::new(&self.program);
        command
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--protected-mode", "yes", "--daemonize", "no"])
            .arg("--unixsocket")
            .arg(self.socket())
            .args(["--unixsocketperm", "700"])
            .args(["--maxmemory-policy", "noeviction", "--save", ""])
            // A replica is in step at once instead of after the usual wait for more of them.
            .args(["--repl-diskless-sync-delay", "0"])
            .arg("--dir")
            .arg(folder.unwrap_or(run))
            .args(["--appendonly", if folder.is_some() { "yes" } else { "no" }])
            .current_dir(run);
        if let Some(master) = self.options.replica_of {
            command.args(["--replicaof", "127.0.0.1", &master.to_string()]);
        }
        command
    }

    fn log(&self) -> PathBuf {
        self.run.path().join("redis.log")
    }

    async fn is_ready(&self, child: &OwnedChild, port: u16) -> bool {
        let Ok(info) = info(port).await else {
            return false;
        };
        let says = |line: &str| info.lines().any(|found| found == line);
        says(&format!("process_id:{}", child.pid()))
            && says("loading:0")
            && (self.options.replica_of.is_none() || says("master_link_status:up"))
    }
}

async fn info(port: u16) -> redis::RedisResult<String> {
    let client = redis::Client::open(url(port))?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    redis::cmd("INFO").query_async(&mut connection).await
}
