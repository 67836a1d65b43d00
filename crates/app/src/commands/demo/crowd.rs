//! The demo's crowd: a small rehearsal in a process of its own, which ends with
//! the demo.

use std::fs::File;
use std::process::Stdio;

use anyhow::Context as _;
use tokio::process::{Child, Command};

use super::place::Place;

pub const FANS: u32 = 300;
pub const ARRIVE_SECONDS: u32 = 120;
/// A demo that is left running for longer is quiet again.
const MAX_SECONDS: u32 = 1_800;

/// Sends it; dropping the child ends it. Its report stands in the demo's folder.
pub fn send(base_url: &str, event: &str, place: &Place) -> anyhow::Result<Child> {
    let log =
        File::create(place.folder("crowd.log")).context("the crowd's log cannot be written")?;
    let binary = std::env::current_exe().context("usher does not know its own path")?;
    Command::new(binary)
        .arg("rehearse")
        .args(["--target", base_url, "--event", event, "--curve", "ramp"])
        .args(["--fans", &FANS.to_string()])
        .args(["--arrive-seconds", &ARRIVE_SECONDS.to_string()])
        .args(["--max-seconds", &MAX_SECONDS.to_string()])
        .arg("--out")
        .arg(place.folder("crowd"))
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        // Ctrl-C in a terminal is for the demo, which then ends the crowd.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .context("the crowd could not be started")
}
