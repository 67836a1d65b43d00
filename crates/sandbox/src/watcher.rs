//! A small shell that waits for our death and then ends the given server.
//! It reads from a pipe whose other end only we hold, so the end of this process,
//! however it comes, is the end of its input. Needed where the kernel's own death
//! signal is missing (macOS) or cannot arrive (processes stopped by SIGSTOP).

use std::{
    io,
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
};

use nix::{sys::signal::Signal, unistd::Pid};

pub(crate) struct Watcher {
    shell: Child,
}

impl Watcher {
    /// At our death `server` gets `death`; it and its `helpers` are continued, should they be stopped.
    pub(crate) fn arm(death: Signal, server: Pid, helpers: &[Pid]) -> io::Result<Self> {
        let signal_name = death.as_str().trim_start_matches("SIG");
        let shell = Command::new("/bin/sh")
            .args([
                "-c",
                r#"read -r _; kill -s "$0" "$1"; kill -s CONT "$@""#,
                signal_name,
            ])
            .arg(server.to_string())
            .args(helpers.iter().map(Pid::to_string))
            .process_group(0) // a Ctrl-C in the terminal is for us, not for the watcher
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { shell })
    }
}

/// Disarms: the shell is gone before its input ends, so it signals nobody.
impl Drop for Watcher {
    fn drop(&mut self) {
        let input = self.shell.stdin.take();
        if let Err(error) = self.shell.kill().and_then(|()| self.shell.wait()) {
            tracing::warn!(%error, "a watcher shell could not be ended");
        }
        drop(input);
    }
}
