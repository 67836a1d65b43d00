//! More fans than one process may have open files: the rehearsal starts itself
//! again, a part of the crowd each. A child tells what it sees as JSON lines on
//! its standard output; its standard input ending tells it to stop, so that no
//! child outlives its parent.

use std::io::Read as _;
use std::process::Stdio;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::crowd::Outcome;
use crate::record::FanRecord;
use crate::tally::{Live, Tally};

/// Longest line that a parent reads from a child, in bytes.
const LINE_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// Lines from all children that wait to be read.
const LINES_WAITING_MAX: usize = 1024;

/// One line from child to parent; the tally is the last.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    Live(Live),
    Record(Box<FanRecord>),
    Tally(Box<Tally>),
}

/// What all children brought, and how many ended without telling everything.
#[derive(Debug)]
pub struct Gathered {
    pub outcome: Outcome,
    pub lost: u32,
}

/// Starts `count` children and gathers them; `stop` tells all of them to end.
pub async fn play(
    count: u32,
    start_at_unix_ms: u64,
    stop: &CancellationToken,
    mut tell: impl FnMut(Live),
) -> anyhow::Result<Gathered> {
    let (sender, mut lines) = mpsc::channel::<(usize, Option<Line>)>(LINES_WAITING_MAX);
    let mut children = Vec::new();
    for index in 0..count {
        let mut child = start(index, count, start_at_unix_ms)?;
        let output = child.stdout.take().context("a child has no output")?;
        tokio::spawn(read_lines(index as usize, output, sender.clone()));
        let input = child.stdin.take();
        children.push(Running {
            child,
            input,
            live: Live::default(),
            told_all: false,
        });
    }
    drop(sender);
    let mut outcome = Outcome {
        records: Vec::new(),
        tally: Tally::default(),
    };
    loop {
        let line = tokio::select! {
            line = lines.recv() => line,
            () = stop.cancelled(), if children.iter().any(|running| running.input.is_some()) => {
                children.iter_mut().for_each(|running| running.input = None);
                continue;
            }
        };
        let Some((index, line)) = line else { break };
        match line {
            Some(Line::Live(live)) => {
                children[index].live = live;
                tell(sum(&children));
            }
            Some(Line::Record(record)) => outcome.records.push(*record),
            Some(Line::Tally(tally)) => {
                outcome.tally.merge(&tally);
                children[index].told_all = true;
                children[index].input = None;
            }
            None => children[index].input = None,
        }
    }
    let mut lost = 0;
    for mut running in children {
        let ended_well = running
            .child
            .wait()
            .await
            .is_ok_and(|status| status.success());
        lost += u32::from(!ended_well || !running.told_all);
    }
    Ok(Gathered { outcome, lost })
}

#[derive(Debug)]
struct Running {
    child: Child,
    /// Closing it tells the child to stop.
    input: Option<ChildStdin>,
    live: Live,
    told_all: bool,
}

fn sum(children: &[Running]) -> Live {
    let mut all = Live::default();
    children.iter().for_each(|running| all.add(&running.live));
    all
}

/// This program again, with the same arguments and its part of the crowd.
fn start(index: u32, count: u32, start_at_unix_ms: u64) -> anyhow::Result<Child> {
    let program = std::env::current_exe().context("cannot find this program to start it again")?;
    Command::new(program)
        .args(std::env::args_os().skip(1))
        .arg(format!("--shard={index}/{count}"))
        .arg(format!("--start-at-unix-ms={start_at_unix_ms}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start a child process for a part of the fans")
}

/// Reads a child's lines until its output ends; what cannot be understood ends it too.
async fn read_lines(index: usize, output: ChildStdout, lines: mpsc::Sender<(usize, Option<Line>)>) {
    let mut reader = BufReader::new(output);
    let mut text = String::new();
    loop {
        text.clear();
        let read = (&mut reader)
            .take(LINE_BYTES_MAX)
            .read_line(&mut text)
            .await;
        let line = match read {
            Ok(0) | Err(_) => None,
            Ok(_) => serde_json::from_str(&text).ok(),
        };
        let is_end = line.is_none();
        if lines.send((index, line)).await.is_err() || is_end {
            return;
        }
    }
}

/// Cancels `stop` when standard input ends: the parent is gone or wants the end.
/// A plain thread, because a pending read must not keep the runtime from ending.
pub fn stop_with_parent(stop: CancellationToken) {
    std::thread::spawn(move || {
        let mut byte = [0];
        let mut input = std::io::stdin().lock();
        while matches!(input.read(&mut byte), Ok(1..)) {}
        stop.cancel();
    });
}

/// Prints one line for the parent; a parent that is gone cannot be told.
pub fn print(line: &Line) {
    use std::io::Write as _;
    if let Ok(mut text) = serde_json::to_vec(line) {
        text.push(b'\n');
        let _ = std::io::stdout().write_all(&text);
    }
}
