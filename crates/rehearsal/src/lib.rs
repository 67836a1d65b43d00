//! The rehearsal: thousands of fans against a running usher, seen from outside.
//! It speaks only HTTP/1.1 and WebSocket and shares no code with what it judges,
//! so that a mistake there cannot be repeated here and cancel itself out.

mod api;
pub mod args;
mod children;
mod clock;
mod crowd;
pub mod curve;
mod fan;
pub mod guard;
pub mod http;
pub mod load;
pub mod objectives;
pub mod plan;
mod preflight;
mod progress;
pub mod record;
pub mod report;
pub mod score;
pub mod spread;
pub mod tally;
pub mod wire;
mod world;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::ValueEnum;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

pub use crate::args::RehearseArgs;
use crate::children::Line;
use crate::clock::{RunClock, unix_ms_now};
use crate::crowd::{Outcome, Script, Shard};
use crate::objectives::Objectives;
use crate::plan::Crowd;
use crate::preflight::{StatusWatch, Targets};
use crate::progress::Progress;
use crate::report::model::{Evidence, Report, Setting, StatusSeen};
use crate::report::{html, terminal};
use crate::score::stock::Facts;
use crate::world::{HANDSHAKES_MAX, SeatBook, World};

/// Time for child processes to start before the first fan comes.
const CHILDREN_HEAD_START_MS: u64 = 1_500;
/// How long usher's totals may take to show the last orders.
const SETTLE: Duration = Duration::from_secs(3);

/// How a rehearsal ended. A child process, which plays a part and reports to its
/// parent on standard output, has no opinion of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Go { report: PathBuf },
    NoGo { report: PathBuf },
    Part,
}

impl Verdict {
    /// Whether the process may end with success.
    pub fn is_success(&self) -> bool {
        !matches!(self, Self::NoGo { .. })
    }
}

/// Runs a rehearsal from start to report.
pub async fn run(args: RehearseArgs) -> anyhow::Result<Verdict> {
    let targets = Targets::find(&args).await?;
    let event = preflight::find_event(&targets, args.event.as_deref()).await?;
    match &args.shard {
        Some(shard) => play_part(&args, &targets, event, shard).await,
        None => rehearse(&args, &targets, event).await,
    }
}

/// The child's side: plays its fans and prints what they saw.
async fn play_part(
    args: &RehearseArgs,
    targets: &Targets,
    event: String,
    shard: &str,
) -> anyhow::Result<Verdict> {
    let shard = Shard::parse(shard).context("--shard is set by the parent process only")?;
    guard::raise_open_files()?;
    let clock = RunClock::starting_at(args.start_at_unix_ms.unwrap_or_else(unix_ms_now));
    let world = world(args, targets, event, clock);
    children::stop_with_parent(world.stop.clone());
    stop_on_signal(world.stop.clone());
    let outcome = crowd::play(&world, &script(args), shard, |live| {
        children::print(&Line::Live(live))
    })
    .await;
    for record in outcome.records {
        children::print(&Line::Record(Box::new(record)));
    }
    children::print(&Line::Tally(Box::new(outcome.tally)));
    Ok(Verdict::Part)
}

async fn rehearse(
    args: &RehearseArgs,
    targets: &Targets,
    event: String,
) -> anyhow::Result<Verdict> {
    let objectives = read_objectives(args.objectives.as_deref())?;
    let processes = guard::processes_for(args.fans, guard::raise_open_files()?, args.processes)?;
    let edges = u32::try_from(targets.edges.len()).unwrap_or(u32::MAX);
    guard::check_ports(args.fans, edges, processes, guard::local_ports())?;
    std::fs::create_dir_all(&args.out).with_context(|| {
        format!(
            "cannot make the folder {}; choose another with --out",
            args.out.display()
        )
    })?;
    let facts = preflight::read_facts(targets, &event).await?;
    let evidence = gather(args, targets, event, processes, facts).await?;
    let report = Report::build(evidence, &objectives);
    write_report(&args.out, &report)?;
    let path = args.out.join("report.html");
    println!("{}\n  {}", terminal::render(&report), path.display());
    Ok(if report.go {
        Verdict::Go { report: path }
    } else {
        Verdict::NoGo { report: path }
    })
}

/// Plays the whole crowd, here or in child processes, beside the status readings.
async fn gather(
    args: &RehearseArgs,
    targets: &Targets,
    event: String,
    processes: u32,
    facts: Facts,
) -> anyhow::Result<Evidence> {
    let head_start = if processes > 1 {
        CHILDREN_HEAD_START_MS
    } else {
        0
    };
    let clock = RunClock::starting_at(unix_ms_now() + head_start);
    let watch = args
        .api_key
        .as_deref()
        .map(|key| StatusWatch::new(targets, &event, key));
    let mut statuses: Vec<StatusSeen> = Vec::new();
    if let Some(watch) = &watch {
        statuses.push(
            watch
                .read(&clock)
                .await
                .context("the operators' status cannot be read; check --api-key")?,
        );
    }
    let world = world(args, targets, event.clone(), clock);
    stop_on_signal(world.stop.clone());
    let done = CancellationToken::new();
    let watching = async {
        match &watch {
            Some(watch) => watch.watch(&clock, &done).await,
            None => Vec::new(),
        }
    };
    let progress = Progress::new(args.fans);
    let playing = async {
        let played = play(args, &world, processes, &progress).await;
        done.cancel();
        played
    };
    let (seen, played) = tokio::join!(watching, playing);
    progress.finish();
    let (outcome, processes_lost) = played?;
    let ran_ms = clock.now_ms();
    statuses.extend(seen);
    if let Some(watch) = &watch {
        tokio::time::sleep(SETTLE).await;
        // A usher that is gone by now is a finding, not a reason to lose the report.
        statuses.extend(watch.read(&clock).await.ok());
    }
    let setting = setting(args, event, processes, &clock)?;
    let Outcome { records, tally } = outcome;
    Ok(Evidence {
        setting,
        records,
        tally,
        facts,
        statuses,
        ran_ms,
        processes_lost,
    })
}

async fn play(
    args: &RehearseArgs,
    world: &Arc<World>,
    processes: u32,
    progress: &Progress,
) -> anyhow::Result<(Outcome, u32)> {
    if processes == 1 {
        let outcome = crowd::play(world, &script(args), Shard::WHOLE, |live| {
            progress.show(&live)
        })
        .await;
        return Ok((outcome, 0));
    }
    let start = world.clock.start_unix_ms();
    let gathered =
        children::play(processes, start, &world.stop, |live| progress.show(&live)).await?;
    Ok((gathered.outcome, gathered.lost))
}

fn world(args: &RehearseArgs, targets: &Targets, event: String, clock: RunClock) -> Arc<World> {
    let (edges, booking) = targets.pools();
    Arc::new(World {
        event,
        edges,
        booking,
        clock,
        meter: tally::Meter::default(),
        seats: SeatBook::default(),
        handshakes: Semaphore::new(HANDSHAKES_MAX),
        spoofs_addresses: !args.one_address,
        stop: CancellationToken::new(),
    })
}

fn script(args: &RehearseArgs) -> Script {
    Script {
        crowd: Crowd {
            profile: args.profile,
            seed: args.seed,
            hesitation: Duration::try_from_secs_f64(args.hesitation_seconds).unwrap_or_default(),
            map_share: args.map_share,
        },
        curve: args.curve,
        fans: args.fans,
        arrive_ms: args.arrive_seconds * 1000,
        max_ms: u64::from(args.max_seconds) * 1000,
    }
}

/// Ctrl-C ends the rehearsal early and still gives the report.
fn stop_on_signal(stop: CancellationToken) {
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stop.cancel();
        }
    });
}

fn read_objectives(file: Option<&Path>) -> anyhow::Result<Objectives> {
    let Some(file) = file else {
        return Ok(Objectives::default());
    };
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    match toml::from_str(&text) {
        Ok(objectives) => Ok(objectives),
        Err(error) => bail!("{} is no set of objectives: {error}", file.display()),
    }
}

fn setting(
    args: &RehearseArgs,
    event: String,
    processes: u32,
    clock: &RunClock,
) -> anyhow::Result<Setting> {
    let name = |value: Option<clap::builder::PossibleValue>| {
        value.map_or(String::new(), |v| v.get_name().to_owned())
    };
    let started =
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(clock.start_unix_ms()) * 1_000_000)?;
    Ok(Setting {
        targets: args.targets.clone(),
        event,
        fans: args.fans,
        curve: name(args.curve.to_possible_value()),
        profile: name(args.profile.to_possible_value()),
        arrive_seconds: args.arrive_seconds,
        max_seconds: args.max_seconds,
        seed: args.seed,
        processes,
        push_interval_ms: args.push_interval_ms,
        wait_tolerance_s: args.wait_tolerance_seconds,
        started_at: started.format(&Rfc3339)?,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

fn write_report(folder: &Path, report: &Report) -> anyhow::Result<()> {
    let json = serde_json::to_vec_pretty(report).context("the report cannot be written as JSON")?;
    for (name, content) in [
        ("report.json", json),
        ("report.html", html::render(report).into_bytes()),
    ] {
        let path = folder.join(name);
        std::fs::write(&path, content)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
