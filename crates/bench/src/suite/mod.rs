//! The benchmarks by name, the order they run in, and what a run leaves behind.

mod admission;
mod flood;
mod joins;
mod line;
mod plain;
mod reads;
mod rebuild;
mod rehearsed;
mod sales;
mod streams;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use usher_rehearsal::http::origin::Origin;

use crate::processes::Helper;
use crate::table::{Results, Row, render};
use usher_rehearsal::load::{Load, Measured, Pace, Traffic, load};

/// Connections that saturate two cores without queueing for long. Fewer than the
/// requests that a booking node begins to turn away at.
const CONCURRENCY: usize = 96;
const WARM_UP: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Benchmark {
    /// Joins a second into a line of 10 k, 100 k and 1 M
    Joins,
    /// Verified places, catalog and seat map
    Reads,
    /// Holds and durable paid orders, with their ceilings
    Sales,
    /// The plain design under the same load
    Plain,
    /// Open streams: memory, processor, push lag, Redis commands a tick
    Streams,
    /// A million in one line, 20,000 streams behind them: memory, places, Redis commands
    Line,
    /// Joins at full speed while a thousand wait: how much later their pushes come
    Flood,
    /// A thousand let in among open streams: until all know
    Admission,
    /// A Redis that forgot a hall of 60,000, and one that forgot a line of a million
    Rebuild,
    /// 40,000 fans over several edges, with enough for all of them
    Crowd,
    /// 100,000 fans for 5,000 seats, from the line to the last ticket
    Sellout,
}

#[derive(Args)]
pub struct RunArguments {
    /// Which ones; all when none is named
    benchmarks: Vec<Benchmark>,
    /// A tenth of the size, to see that everything works
    #[arg(long)]
    quick: bool,
    /// Folder for results.json and results.md
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,
}

/// How large a run is.
#[derive(Clone, Copy)]
pub struct Scale {
    pub is_quick: bool,
}

impl Scale {
    pub fn of(self, full: u32) -> u32 {
        if self.is_quick { full / 10 } else { full }
    }

    pub fn seconds(self, full: u64) -> Duration {
        Duration::from_secs(if self.is_quick {
            full.div_ceil(3)
        } else {
            full
        })
    }
}

pub async fn run(arguments: RunArguments) -> anyhow::Result<()> {
    let scale = Scale {
        is_quick: arguments.quick,
    };
    let chosen = match arguments.benchmarks.is_empty() {
        true => Benchmark::value_variants().to_vec(),
        false => arguments.benchmarks.clone(),
    };
    usher_rehearsal::guard::raise_open_files()?;
    std::fs::create_dir_all(&arguments.out)?;
    let began = Instant::now();
    let mut rows = Vec::new();
    for benchmark in chosen {
        eprintln!("==> {benchmark:?}, after {} s", began.elapsed().as_secs());
        rows.extend(one(benchmark, scale, &arguments.out).await?);
        // After each one, so that a run that is broken off leaves what it had.
        let table = render(&rows);
        std::fs::write(arguments.out.join("results.md"), &table)?;
        let results = Results::of_this_machine(rows.clone());
        let json = serde_json::to_vec_pretty(&results)?;
        std::fs::write(arguments.out.join("results.json"), json)?;
    }
    println!("{}", render(&rows));
    eprintln!(
        "==> {} s in all; the table and its JSON are in {}",
        began.elapsed().as_secs(),
        arguments.out.display()
    );
    Ok(())
}

async fn one(benchmark: Benchmark, scale: Scale, out: &Path) -> anyhow::Result<Vec<Row>> {
    let rows = match benchmark {
        Benchmark::Joins => joins::run(scale).await,
        Benchmark::Reads => reads::run(scale).await,
        Benchmark::Sales => sales::run(scale).await,
        Benchmark::Plain => plain::run(scale).await,
        Benchmark::Streams => streams::run(scale).await,
        Benchmark::Line => line::run(scale).await,
        Benchmark::Flood => flood::run(scale).await,
        Benchmark::Admission => admission::run(scale).await,
        Benchmark::Rebuild => rebuild::run(scale).await,
        Benchmark::Crowd => rehearsed::CROWD.run(scale, out).await,
        Benchmark::Sellout => rehearsed::SELL_OUT.run(scale, out).await,
    };
    rows.with_context(|| format!("the benchmark {benchmark:?}"))
}

/// As fast as answers come.
async fn closed<T: Traffic>(target: &Origin, duration: Duration, traffic: T) -> Measured {
    let pace = Pace::Closed;
    put(target, CONCURRENCY, pace, WARM_UP, duration, traffic).await
}

/// At a given rate, whatever the answers do.
async fn open<T: Traffic>(
    target: &Origin,
    per_second: f64,
    duration: Duration,
    traffic: T,
) -> Measured {
    let pace = Pace::Open { per_second };
    put(target, CONCURRENCY, pace, WARM_UP, duration, traffic).await
}

/// All requests of a traffic that ends by itself, all of them counted.
async fn all<T: Traffic>(target: &Origin, traffic: T) -> Measured {
    all_over(target, CONCURRENCY, traffic).await
}

/// The same over so many connections.
async fn all_over<T: Traffic>(target: &Origin, connections: usize, traffic: T) -> Measured {
    const LONGEST: Duration = Duration::from_secs(300);
    let pace = Pace::Closed;
    put(target, connections, pace, Duration::ZERO, LONGEST, traffic).await
}

async fn put<T: Traffic>(
    target: &Origin,
    concurrency: usize,
    pace: Pace,
    warm_up: Duration,
    duration: Duration,
    traffic: T,
) -> Measured {
    let settings = Load {
        target: target.clone(),
        concurrency,
        warm_up,
        duration,
        pace,
    };
    load(&settings, std::sync::Arc::new(traffic)).await
}

/// Requests a second to a handler that does nothing: the ceiling of this run.
async fn empty_handler<T: Traffic>(
    duration: Duration,
    traffic: impl FnOnce(&Origin) -> T,
) -> anyhow::Result<f64> {
    let mut server = Helper::start(&["serve-empty".to_owned()])?;
    let origin = Origin::resolve(&format!("http://{}", server.line().await?)).await?;
    let measured = closed(&origin, duration, traffic(&origin)).await;
    server.stop().await;
    Ok(measured.good_per_second())
}
