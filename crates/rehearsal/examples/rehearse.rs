//! `usher rehearse` without the rest of usher: for rehearsing a deployment from a
//! machine that only has this crate, and for the tests that need child processes.

use std::process::ExitCode;

use clap::Parser;
use usher_rehearsal::RehearseArgs;

#[derive(Debug, Parser)]
#[command(about = "Thousands of fans against a running usher")]
struct Cli {
    #[command(flatten)]
    args: RehearseArgs,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let verdict = usher_rehearsal::run(Cli::parse().args).await?;
    Ok(if verdict.is_success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
