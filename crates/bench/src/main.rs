//! `make bench`: named benchmarks of a running usher, each beside the ceiling of
//! the same run and, where tutorials have one, beside the plain design. The
//! processes under load are real: usher's binary, a private Redis and a durable
//! Postgres.

mod capacity;
mod ceilings;
mod cost;
mod empty;
mod fans;
mod keys;
mod pg;
mod plain;
mod processes;
mod redis_stats;
mod stack;
mod streamer;
mod suite;
mod table;
mod throttle;
mod workers;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::suite::RunArguments;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures usher on this machine.
#[derive(Parser)]
#[command(name = "usher-bench")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run benchmarks, all of them unless some are named
    Run(RunArguments),
    /// Compare the ratios of two runs; fails on a clear regression
    Compare {
        /// results.json of the run to compare with
        recorded: PathBuf,
        /// results.json of the new run
        new: PathBuf,
    },
    /// Halve a real backend's capacity and give it back, under the admission law
    Capacity(capacity::CapacityArguments),
    /// A shop with so many workers, for `capacity`
    #[command(hide = true)]
    ServeWorkers(workers::WorkersArguments),
    /// The ceiling of HTTP: a handler that does nothing
    #[command(hide = true)]
    ServeEmpty,
    /// The plain design: a key a seat, a transaction an order, a rank a fan
    #[command(hide = true)]
    ServePlain {
        redis_url: String,
        database_url: String,
    },
    /// Fans who join and hold their stream open
    #[command(hide = true)]
    Streams(streamer::StreamArguments),
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Run(arguments) => suite::run(arguments).await,
        Command::Compare { recorded, new } => table::compare_files(&recorded, &new),
        Command::Capacity(arguments) => capacity::run(arguments).await,
        Command::ServeWorkers(arguments) => workers::serve(arguments).await,
        Command::ServeEmpty => empty::serve().await,
        Command::ServePlain {
            redis_url,
            database_url,
        } => plain::serve(&redis_url, &database_url).await,
        Command::Streams(arguments) => streamer::run(arguments).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("usher-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
