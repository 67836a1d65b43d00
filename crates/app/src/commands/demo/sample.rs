//! The sample event: found again, or made anew when there is none left to sell.

use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;
use usher_admission::control::{Mode, Policy};
use usher_base::{Clock as _, SystemClock};
use usher_booking::catalog::EventDraft;
use usher_queue::Phase;

use crate::wiring::Parts;

const SAMPLE: &str = include_str!("sample.toml");
/// The law decides; this bound keeps a line to see, since the shop would bear more.
const MOST_PER_MINUTE: f64 = 90.0;
/// The edge discovers events every two seconds.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub struct Sample {
    pub id: String,
    pub slug: String,
}

/// The open sample event.
pub async fn open(parts: &Parts) -> anyhow::Result<Sample> {
    let events = parts.events.as_ref().context("the demo has Postgres")?;
    let desk = parts.edge.desk.as_ref().context("the demo has all roles")?;
    for known in events.known() {
        let line = desk.lines.line(known).await?;
        let left = events.left(known).await?;
        if matches!(line.phase, Phase::Open | Phase::Paused) && left > 0 {
            return Ok(Sample {
                id: known.to_string(),
                slug: events.slug(known).await?,
            });
        }
    }
    let mut draft = EventDraft::parse(SAMPLE)?;
    let runs = events.known().len();
    if runs > 0 {
        draft.slug = format!("{}-{}", draft.slug, runs + 1);
    }
    let slug = draft.slug.clone();
    let now = SystemClock.now();
    let event = events.create(draft, now).await?;
    let policy = Policy {
        mode: Mode::Auto,
        max_rate_per_minute: Some(MOST_PER_MINUTE),
        ..Policy::default()
    };
    desk.policies.put(event, &policy, "usher demo").await?;
    events.open_line(event).await?;
    Ok(Sample {
        id: event.to_string(),
        slug,
    })
}

/// Until the pages show the event.
pub async fn wait_until_served(base_url: &str, event: &str) -> anyhow::Result<()> {
    let address = base_url.trim_start_matches("http://");
    let deadline = Instant::now() + PATIENCE;
    while !is_served(address, event).await.unwrap_or(false) {
        anyhow::ensure!(
            Instant::now() < deadline,
            "the sample event is not shown after 20 s"
        );
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

async fn is_served(address: &str, event: &str) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(address).await?;
    let request =
        format!("GET /e/{event} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut status = [0; 12];
    stream.read_exact(&mut status).await?;
    Ok(status.ends_with(b" 200"))
}
