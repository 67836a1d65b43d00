//! For measurements: a server that runs before whatever else the machine does, and
//! what its main thread was held up all the same.

use std::{
    fs, io,
    process::{Command, Stdio},
    time::Duration,
};

use crate::Redis;

impl Redis {
    /// Lets its main thread run before everything else, so that the wall clock shows its
    /// own time. False where the system does not permit it.
    #[must_use]
    pub fn run_first(&self) -> bool {
        let pid = self.pid().to_string();
        let asked = Command::new("chrt")
            .args(["--fifo", "--pid", "1", &pid])
            .stderr(Stdio::null())
            .status();
        asked.is_ok_and(|status| status.success())
    }
}

/// How long the main thread of a process has been ready to run while something else did
/// (Linux).
pub fn held_up(pid: u32) -> io::Result<Duration> {
    let told = fs::read_to_string(format!("/proc/{pid}/schedstat"))?;
    let waited = told.split_whitespace().nth(1);
    let waited = waited.and_then(|nanos| nanos.parse().ok());
    waited
        .map(Duration::from_nanos)
        .ok_or_else(|| io::Error::other("the kernel does not count it"))
}
