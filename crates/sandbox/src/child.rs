//! A server process that is ours alone: spawned so that it dies with us,
//! signalled only while it surely still is our child, reaped when it ends.

use std::{
    fs::File,
    io,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{LazyLock, Mutex, MutexGuard, PoisonError, mpsc},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::sync::oneshot;

use crate::{
    error::{Doing, Result, SandboxError},
    processes,
    watcher::Watcher,
};

/// How long to sleep between two looks at something that is about to happen.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(3);

struct Order {
    command: Command,
    reply: oneshot::Sender<io::Result<Child>>,
}

/// The thread that forks every server and never ends: Linux delivers the death
/// signal when the forking *thread* ends, and a test's runtime threads come and go.
static SPAWNER: LazyLock<mpsc::Sender<Order>> = LazyLock::new(|| {
    let (orders, inbox) = mpsc::channel::<Order>();
    let started = std::thread::Builder::new()
        .name("sandbox-spawner".into())
        .spawn(move || {
            for mut order in inbox {
                // Nobody waits any more: the child is killed rather than lost.
                if let Err(Ok(mut orphan)) = order.reply.send(order.command.spawn()) {
                    let _ = orphan.kill().and_then(|()| orphan.wait());
                }
            }
        });
    if let Err(error) = started {
        tracing::error!(%error, "no thread to start servers from");
    }
    orders
});

struct Inner {
    child: Child,
    /// On macOS always, on Linux while stopped.
    watcher: Option<Watcher>,
}

pub(crate) struct OwnedChild {
    program: &'static str,
    pid: Pid,
    /// What it gets when this process dies.
    death: Signal,
    inner: Mutex<Inner>,
}

impl OwnedChild {
    /// `death` is what the child gets when this process dies. Output goes to `log`.
    pub(crate) async fn spawn(
        program: &'static str,
        mut command: Command,
        log: &Path,
        death: Signal,
    ) -> Result<Self> {
        use std::os::unix::process::CommandExt;

        let starting = || format!("start {program}");
        let out = File::create(log).doing(starting)?;
        let err = out.try_clone().doing(starting)?;
        command.stdin(Stdio::null()).stdout(out).stderr(err);
        // A Ctrl-C in the terminal is for us; we stop the servers when we are done with them.
        command.process_group(0);
        #[cfg(target_os = "linux")]
        crate::death::tie_to_parent(&mut command, death);

        let (reply, answer) = oneshot::channel();
        let spawner_gone = || io::Error::other("the spawning thread is gone");
        SPAWNER
            .send(Order { command, reply })
            .map_err(|_| spawner_gone())
            .doing(starting)?;
        let child = answer
            .await
            .map_err(|_| spawner_gone())
            .flatten()
            .doing(starting)?;
        let pid = Pid::from_raw(child.id().cast_signed());
        let inner = Mutex::new(Inner {
            child,
            watcher: None,
        });
        let owned = Self {
            program,
            pid,
            death,
            inner,
        };
        owned.guard_running()?;
        Ok(owned)
    }

    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks, and reaps it if so. Afterwards its pid may belong to somebody else.
    pub(crate) fn has_ended(&self) -> bool {
        let mut inner = self.inner();
        let ended = !matches!(inner.child.try_wait(), Ok(None));
        if ended {
            inner.watcher = None;
        }
        ended
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        // The lock keeps others from reaping it between the look and the signal.
        let mut inner = self.inner();
        if !matches!(inner.child.try_wait(), Ok(None)) {
            return Err(SandboxError::NotRunning {
                program: self.program,
            });
        }
        kill(self.pid, signal)
            .map_err(io::Error::from)
            .doing(|| format!("send {signal} to {}", self.program))
    }

    /// Stops it where it is; returns when it stands still.
    pub(crate) fn freeze(&self) -> Result<()> {
        self.signal(Signal::SIGSTOP)?;
        processes::wait_until_still(self.pid);
        Ok(())
    }

    /// Should we die while it is stopped, together with `helpers`, its own children:
    /// it gets its death signal and all are continued, so that none stays behind, stopped.
    pub(crate) fn guard_stopped(&self, helpers: &[Pid]) -> Result<()> {
        let watcher = Watcher::arm(self.death, self.pid, helpers)
            .doing(|| format!("start the watcher of {}", self.program))?;
        self.inner().watcher = Some(watcher);
        Ok(())
    }

    /// While it runs, Linux itself sees to its death signal.
    #[cfg(target_os = "linux")]
    pub(crate) fn guard_running(&self) -> Result<()> {
        self.inner().watcher = None;
        Ok(())
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn guard_running(&self) -> Result<()> {
        self.guard_stopped(&[])
    }

    pub(crate) async fn ended(&self, within: Duration) -> Result<()> {
        let deadline = Instant::now() + within;
        while !self.has_ended() {
            if Instant::now() > deadline {
                return Err(self.will_not_end(within));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(())
    }

    /// The same for `Drop`, where nothing can be awaited.
    pub(crate) fn ended_blocking(&self, within: Duration) -> Result<()> {
        let deadline = Instant::now() + within;
        while !self.has_ended() {
            if Instant::now() > deadline {
                return Err(self.will_not_end(within));
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }

    fn will_not_end(&self, within: Duration) -> SandboxError {
        SandboxError::WillNotEnd {
            program: self.program,
            seconds: within.as_secs(),
        }
    }
}

impl Drop for OwnedChild {
    fn drop(&mut self) {
        if self.signal(Signal::SIGKILL).is_ok()
            && let Err(error) = self.ended_blocking(Duration::from_secs(5))
        {
            tracing::warn!(%error, "a private server may be left behind");
        }
    }
}
