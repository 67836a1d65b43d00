//! Thousands of fans in one process, each with an open stream. Run as a child,
//! because one process may only open some 20,000 files. It tells its parent in
//! lines: `open N` once all streams stand, `admitted MS` as fans hear of their
//! turn, on the word `report` what was heard since the last one, and on `places N`
//! what so many of them were told last.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::ensure;
use clap::Args;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use usher_rehearsal::guard;
use usher_rehearsal::http::origin::Origin;
use usher_rehearsal::http::pool::Pool;
use usher_rehearsal::http::request::Request;
use usher_rehearsal::http::stream::{Heard, Stream};
use usher_rehearsal::spread::Spread;
use usher_rehearsal::wire::{self, Frame};

const OPENING_AT_ONCE: usize = 64;
const ANSWER_BYTES: usize = 16 * 1024;
const TRIES: u32 = 20;
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(250);

#[derive(Args, Clone)]
pub struct StreamArguments {
    #[arg(long)]
    pub target: String,
    #[arg(long)]
    pub event: String,
    /// Number of the first fan
    #[arg(long)]
    pub first: u32,
    #[arg(long)]
    pub count: u32,
}

/// What was heard since the last report.
#[derive(Default, Serialize, Deserialize)]
pub struct Report {
    /// From the server's stamp on a frame to its arrival here.
    pub lag: Spread,
    pub frames: u64,
    pub closed: u64,
}

/// A place as its fan was told it last.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct HeardPlace {
    pub fan: String,
    pub number: u64,
    pub ahead: u64,
}

/// One fan's open stream and what it brought.
struct Following {
    stream: Stream,
    heard: Arc<Mutex<HeardPlace>>,
}

pub async fn run(arguments: StreamArguments) -> anyhow::Result<()> {
    guard::raise_open_files()?;
    let origin = Origin::resolve(&arguments.target).await?;
    let pool = Arc::new(Pool::new(origin, OPENING_AT_ONCE));
    let slots = Arc::new(Semaphore::new(OPENING_AT_ONCE));
    let report = Arc::<Mutex<Report>>::default();
    let mut opening = JoinSet::new();
    for fan in arguments.first..arguments.first + arguments.count {
        let (pool, slots, event) = (pool.clone(), slots.clone(), arguments.event.clone());
        opening.spawn(async move {
            let _slot = slots.acquire().await?;
            open(&pool, &event, fan).await
        });
    }
    let mut places = Vec::new();
    while let Some(opened) = opening.join_next().await {
        let following = opened??;
        places.push(Arc::clone(&following.heard));
        tokio::spawn(listen(following, Arc::clone(&report)));
    }
    println!("open {}", places.len());
    let mut words = BufReader::new(tokio::io::stdin()).lines();
    while let Some(word) = words.next_line().await? {
        if word == "report" {
            println!(
                "{}",
                serde_json::to_string(&std::mem::take(&mut *lock(&report)))?
            );
        } else if let Some(count) = word.strip_prefix("places ") {
            let every = (places.len() / count.parse::<usize>()?.max(1)).max(1);
            let some = places.iter().step_by(every);
            let some: Vec<HeardPlace> = some.map(|heard| lock(heard).clone()).collect();
            println!("{}", serde_json::to_string(&some)?);
        }
    }
    Ok(())
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Joins and opens the stream, again if the edge asks to come back later.
async fn open(pool: &Pool, event: &str, fan: u32) -> anyhow::Result<Following> {
    let [_, b, c, d] = fan.to_be_bytes();
    let from = format!("10.{b}.{c}.{d}");
    let place = join(pool, event, fan, &from).await?;
    let token = place.queue_token.unwrap_or_default();
    let heard = HeardPlace {
        fan: place.fan_id.unwrap_or_default(),
        ..HeardPlace::default()
    };
    let path = wire::stream_path(event);
    let mut refused = None;
    for _ in 0..TRIES {
        match Stream::open(&pool.origin, &path, &token, Some(&from)).await {
            Ok(stream) => {
                let heard = Arc::new(Mutex::new(heard));
                return Ok(Following { stream, heard });
            }
            Err(error) => refused = Some(error),
        }
        tokio::time::sleep(TRY_AGAIN_AFTER).await;
    }
    anyhow::bail!("fan {fan} gets no stream: {refused:?}")
}

async fn join(pool: &Pool, event: &str, fan: u32, from: &str) -> anyhow::Result<wire::Place> {
    let body = format!(r#"{{"client_join_id":"streaming-fan-{fan:010}"}}"#);
    let mut bytes = Vec::new();
    Request {
        method: "POST",
        path: &wire::queue_path(event),
        host: &pool.authority,
        from: Some(from),
        json: Some(body.as_bytes()),
        ..Request::default()
    }
    .write(&mut bytes);
    let reply = pool.send(&bytes, ANSWER_BYTES).await?;
    let place: wire::Place = serde_json::from_slice(&reply.body)?;
    let status = reply.status;
    ensure!(
        place.queue_token.is_some(),
        "fan {fan} could not join: {status}"
    );
    Ok(place)
}

async fn listen(mut following: Following, report: Arc<Mutex<Report>>) {
    loop {
        let heard = following.stream.hear().await;
        let now = OffsetDateTime::now_utc();
        let mut report = lock(&report);
        let at = match &heard {
            Heard::Frame(Frame::Place(place)) => {
                let mut last = lock(&following.heard);
                last.number = place.number.unwrap_or_default();
                last.ahead = place.ahead.unwrap_or_default();
                place.at.clone()
            }
            Heard::Frame(Frame::Admitted { at }) => {
                println!("admitted {}", now.unix_timestamp_nanos() / 1_000_000);
                at.clone()
            }
            Heard::Closed => {
                report.closed += 1;
                return;
            }
            _ => None,
        };
        report.frames += 1;
        let stamped = at.and_then(|at| OffsetDateTime::parse(&at, &Rfc3339).ok());
        if let Some(stamped) = stamped {
            let lag = (now - stamped).max(time::Duration::ZERO);
            report.lag.record(lag.unsigned_abs());
        }
    }
}
