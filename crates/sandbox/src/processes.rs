//! What the system knows of other processes: whose children they are and whether they
//! stand still. Read from /proc on Linux, from `ps` elsewhere.

use std::time::{Duration, Instant};

use nix::unistd::Pid;

/// A process deep in a disk write stops only afterwards; we do not wait for it forever.
const STILL_WITHIN: Duration = Duration::from_secs(1);
const LOOK_AGAIN: Duration = Duration::from_micros(200);

struct Process {
    pid: Pid,
    parent: Pid,
    /// `T` stopped, `Z` dead but not yet reaped, others run or sleep.
    state: char,
}

/// The living children of `parent` at this moment.
pub(crate) fn children_of(parent: Pid) -> Vec<Pid> {
    all()
        .into_iter()
        .filter(|process| process.parent == parent && process.state != 'Z')
        .map(|process| process.pid)
        .collect()
}

/// A signal is only under way when `kill` returns; until it arrives, the process works on.
pub(crate) fn wait_until_still(pid: Pid) {
    let deadline = Instant::now() + STILL_WITHIN;
    while is_moving(pid) && Instant::now() < deadline {
        std::thread::sleep(LOOK_AGAIN);
    }
}

fn is_moving(pid: Pid) -> bool {
    one(pid).is_some_and(|process| !matches!(process.state, 'T' | 't' | 'Z' | 'X'))
}

#[cfg(target_os = "linux")]
fn all() -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid| one(Pid::from_raw(pid)))
        .collect()
}

#[cfg(target_os = "linux")]
fn one(pid: Pid) -> Option<Process> {
    in_stat(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// `pid (name) state parent ...`; the name may hold spaces and brackets itself.
#[cfg(target_os = "linux")]
fn in_stat(stat: &str) -> Option<Process> {
    let (pid, _) = stat.split_once(' ')?;
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace();
    Some(Process {
        state: fields.next()?.chars().next()?,
        pid: Pid::from_raw(pid.parse().ok()?),
        parent: Pid::from_raw(fields.next()?.parse().ok()?),
    })
}

#[cfg(not(target_os = "linux"))]
fn all() -> Vec<Process> {
    ps(&["-ax"])
}

#[cfg(not(target_os = "linux"))]
fn one(pid: Pid) -> Option<Process> {
    ps(&["-p", &pid.to_string()]).pop()
}

#[cfg(not(target_os = "linux"))]
fn ps(which: &[&str]) -> Vec<Process> {
    let listing = std::process::Command::new("ps")
        .args(which)
        .args(["-o", "pid=,ppid=,stat="])
        .output();
    let text = listing.map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&text)
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_whitespace();
            Some(Process {
                pid: Pid::from_raw(fields.next()?.parse().ok()?),
                parent: Pid::from_raw(fields.next()?.parse().ok()?),
                state: fields.next()?.chars().next()?,
            })
        })
        .collect()
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_spaces_is_skipped() {
        let process = in_stat("71 (a) b (c)) T 42 71 71 0").unwrap();
        assert_eq!(process.pid, Pid::from_raw(71));
        assert_eq!(process.parent, Pid::from_raw(42));
        assert_eq!(process.state, 'T');
        assert!(in_stat("no brackets").is_none());
    }
}
