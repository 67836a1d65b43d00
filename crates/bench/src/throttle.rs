//! A process that gets only a share of a processor: stopped and let go on, many
//! times a second. Crude, and real: what it cannot do in its share, it does later.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::Duration;

use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::processes::UsherProcess;

/// One go and one stop. A hold waits for several answers of Redis one after another, and
/// for each of them it may have to wait a turn.
const TURN: Duration = Duration::from_millis(20);
/// How late the kernel may end a sleep; its usual 50 us would be a third of a small share.
const SLACK_NS: u64 = 1;
const PARTS_PER_MILLION: f64 = 1e6;

pub struct Throttled {
    pub process: UsherProcess,
    share_ppm: Arc<AtomicU32>,
}

impl Throttled {
    pub fn new(process: UsherProcess) -> Self {
        let share_ppm = Arc::new(AtomicU32::new(PARTS_PER_MILLION as u32));
        let (pid, share) = (process.pid(), Arc::clone(&share_ppm));
        std::thread::spawn(move || take_turns(pid, &share));
        Self { process, share_ppm }
    }

    /// From now on so much of the time, from 0 to 1.
    pub fn give(&self, share: f64) {
        let ppm = (share.clamp(0.0, 1.0) * PARTS_PER_MILLION) as u32;
        self.share_ppm.store(ppm, Ordering::Relaxed);
    }
}

impl Drop for Throttled {
    fn drop(&mut self) {
        // A stopped process hears no request to end.
        self.give(1.0);
        send(self.process.pid(), Signal::SIGCONT);
    }
}

/// In a thread of its own: tokio's clock knows whole milliseconds only.
fn take_turns(pid: u32, share_ppm: &AtomicU32) {
    if let Err(error) = prctl::set_timerslack(SLACK_NS) {
        eprintln!("    sleeps are not exact: {error}");
    }
    loop {
        let share = f64::from(share_ppm.load(Ordering::Relaxed)) / PARTS_PER_MILLION;
        if !send(pid, Signal::SIGCONT) {
            return;
        }
        sleep(TURN.mul_f64(share));
        if share < 1.0 {
            send(pid, Signal::SIGSTOP);
            sleep(TURN.mul_f64(1.0 - share));
        }
    }
}

/// False when the process is gone.
fn send(pid: u32, signal: Signal) -> bool {
    let pid = i32::try_from(pid).ok().filter(|pid| *pid > 0);
    pid.is_some_and(|pid| kill(Pid::from_raw(pid), signal).is_ok())
}
