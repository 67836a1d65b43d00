//! `usher event`: `import` creates an event from a file, without serving anybody;
//! roles that run find it within seconds. `views` checks its read models.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Subcommand;
use usher_base::{Clock as _, EventId, SystemClock};
use usher_booking::catalog::{Catalog, EventDraft};
use usher_edge::Events;
use usher_queue::Line;

use super::views;
use crate::config::Config;
use crate::fence::Fence;
use crate::postgres::Pools;
use crate::wiring;

/// A larger file is not a description of an event.
const MAX_FILE_BYTES: u64 = 16 << 20;

#[derive(Subcommand)]
pub enum EventCommand {
    /// Create an event from its description and print its id
    Import {
        /// The description, TOML or JSON
        file: PathBuf,
        /// Let people join at once
        #[arg(long)]
        open: bool,
    },
    /// Compare an event's read models with the truth; non-zero when they differ
    Views {
        /// The event's id, as in its address
        event: EventId,
        /// First write anew what was sold in each minute
        #[arg(long)]
        rebuild: bool,
    },
}

pub async fn run(config: &Config, command: EventCommand) -> anyhow::Result<ExitCode> {
    match command {
        EventCommand::Import { file, open } => import(config, &file, open).await,
        EventCommand::Views { event, rebuild } => views::run(config, event, rebuild).await,
    }
}

async fn import(config: &Config, file: &Path, open: bool) -> anyhow::Result<ExitCode> {
    let draft = read(file)?;
    let events = connect(config).await?;
    let event = events.create(draft, SystemClock.now()).await?;
    if open {
        events.open_line(event).await?;
    }
    println!("{event}");
    Ok(ExitCode::SUCCESS)
}

fn read(file: &Path) -> anyhow::Result<EventDraft> {
    let shown = file.display();
    let unreadable = || format!("cannot read {shown}");
    let size = std::fs::metadata(file).with_context(unreadable)?.len();
    anyhow::ensure!(size <= MAX_FILE_BYTES, "{shown} is larger than 16 MiB");
    let text = std::fs::read_to_string(file).with_context(unreadable)?;
    EventDraft::parse(&text).with_context(|| format!("{shown} is not usable"))
}

/// The events, over a memory that is whole.
async fn connect(config: &Config) -> anyhow::Result<Arc<Events>> {
    let redis = wiring::open_redis(config).await?;
    let pools = Pools::open(config).await?;
    let line = Line::new(redis.clone());
    let catalog = Catalog::new(redis.clone());
    let events = Arc::new(wiring::open_events(config, &pools, &line, &catalog));
    let fence = Fence {
        redis,
        pool: pools.requests,
        events: Arc::clone(&events),
        clock: Arc::new(SystemClock),
    };
    fence.open().await?;
    Ok(events)
}
