//! `usher calibrate`: raises a bounded load step by step until the backend does not
//! bear it, and stores what it bore, with every step as evidence. Auto begins there.
//! Our own booking nodes are asked over their real HTTP; holds are given back.

mod ramp;
mod traffic;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use serde_json::Value;
use usher_admission::{Calibration, CalibrationStep, Calibrations};
use usher_base::signing::SigningKeys;
use usher_base::{Clock as _, EventId, SystemClock};
use usher_queue::Tokens;
use usher_rehearsal::guard;
use usher_rehearsal::http::origin::Origin;
use usher_rehearsal::http::pool::Pool;
use usher_rehearsal::http::request::Request;
use usher_rehearsal::load::{Load, Measured, Pace, Traffic, load};

use self::ramp::{Ramp, has_queued, is_borne};
use self::traffic::{Path, Sessions};
use crate::config::Config;
use crate::postgres;

/// The whole of it takes no longer, whatever the ramp would still like to know.
const CALIBRATE_WITHIN: Duration = Duration::from_secs(600);
const WARM_UP: Duration = Duration::from_secs(1);
/// Requests that may be on their way at once: two seconds' worth, within bounds.
const IN_FLIGHT: (f64, f64) = (8.0, 512.0);
/// Between steps, so that one does not answer for the queue of the last.
const REST: Duration = Duration::from_millis(500);
const MAX_SEATMAP_BYTES: usize = 16 << 20;
const TOO_MANY_REQUESTS: u16 = 429;

#[derive(Args)]
pub struct CalibrateArguments {
    /// The event whose auto begins from the result
    #[arg(long)]
    event: EventId,
    /// Where the booking nodes are served; by default the setting `public_url`
    #[arg(long, value_name = "URL")]
    target: Option<String>,
    /// Another backend: ask this path of the target and nothing else
    #[arg(long, value_name = "PATH", requires = "target")]
    path: Option<String>,
    /// Requests a second of the first step
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    from: u32,
    /// Never more requests a second than this
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    max: u32,
    /// Seconds of each step
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=60))]
    step_seconds: u64,
    /// A step whose p99 is above this many ms was too much
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(10..=60_000))]
    target_p99_ms: u32,
    /// Repeat the name of a host that is not this machine, to confirm that it is yours to load
    #[arg(long = "i-own-this-target", value_name = "HOST")]
    owned: Vec<String>,
    /// Print the result as JSON on standard output
    #[arg(long)]
    json: bool,
    /// Only measure: store nothing
    #[arg(long)]
    dry_run: bool,
}

pub async fn run(config: &Config, arguments: CalibrateArguments) -> anyhow::Result<ExitCode> {
    let url = arguments.target.as_deref().unwrap_or(&config.public_url);
    let origin = Origin::resolve(url).await?;
    guard::check_owned(&origin, &arguments.owned)?;
    let measured = match &arguments.path {
        Some(path) => {
            ensure!(path.starts_with('/'), "--path must begin with a slash");
            let (path, host) = (path.clone(), origin.authority());
            let traffic = Arc::new(Path { path, host });
            climb(&arguments, &origin, traffic, || {}).await?
        }
        None => {
            let sessions = Arc::new(sessions(config, arguments.event, &origin).await?);
            let measured = climb(&arguments, &origin, Arc::clone(&sessions), || {
                sessions.begin_step();
            })
            .await;
            give_back(&origin, &sessions).await;
            measured?
        }
    };
    if !arguments.dry_run {
        let store = Calibrations::new(postgres::open_postgres(config).await?);
        store.put(arguments.event, &measured).await?;
    }
    tell(&arguments, &measured)?;
    Ok(ExitCode::SUCCESS)
}

/// What our own booking nodes are asked.
async fn sessions(config: &Config, event: EventId, origin: &Origin) -> anyhow::Result<Sessions> {
    let keys = SigningKeys::from_jwk_set(&config.signing_key_set()?, &config.public_url)
        .context("the setting `signing_keys` is not usable")?;
    let host = origin.authority();
    let mut request = Vec::new();
    Request {
        method: "GET",
        path: &format!("/api/v1/events/{event}/seatmap"),
        host: &host,
        ..Request::default()
    }
    .write(&mut request);
    let pool = Pool::new(origin.clone(), 1);
    let reply = pool.send(&request, MAX_SEATMAP_BYTES).await?;
    ensure!(
        reply.status == 200,
        "{host} answers {} for the seats of {event}: is it that event's usher?",
        reply.status
    );
    let map: Value = serde_json::from_slice(&reply.body).context("the seat map is not readable")?;
    let tier = map["tiers"][0]["id"].as_str().map(str::to_owned);
    Ok(Sessions::new(
        event,
        Tokens::new(Arc::new(keys)),
        host,
        tier,
    ))
}

/// Step by step, until enough is known.
async fn climb<T: Traffic>(
    arguments: &CalibrateArguments,
    origin: &Origin,
    traffic: Arc<T>,
    begin_step: impl Fn(),
) -> anyhow::Result<Calibration> {
    let target_ms = f64::from(arguments.target_p99_ms);
    let mut ramp = Ramp::new(arguments.from.into(), arguments.max.into());
    let mut steps: Vec<CalibrationStep> = Vec::new();
    let began = Instant::now();
    while let Some(rate) = ramp.next().filter(|_| began.elapsed() < CALIBRATE_WITHIN) {
        begin_step();
        let step = Load {
            target: origin.clone(),
            concurrency: (2.0 * rate).clamp(IN_FLIGHT.0, IN_FLIGHT.1) as usize,
            warm_up: WARM_UP,
            duration: Duration::from_secs(arguments.step_seconds),
            pace: Pace::Open { per_second: rate },
        };
        let mut seen = judged(rate, &load(&step, Arc::clone(&traffic)).await, target_ms)?;
        let quietest = steps
            .iter()
            .map(|step| step.p50_ms)
            .fold(f64::INFINITY, f64::min);
        seen.is_good &= !has_queued(seen.p50_ms, quietest, target_ms);
        eprintln!("{}", progress(&seen));
        ramp.take(rate, seen.is_good);
        steps.push(seen);
        tokio::time::sleep(REST).await;
    }
    let good = steps.iter().filter(|step| step.is_good);
    let best = good.max_by(|a, b| a.served_per_s.total_cmp(&b.served_per_s));
    let best = best.context(
        "the backend bore none of the steps: look whether it is well, or raise --target-p99-ms",
    )?;
    Ok(Calibration {
        at: SystemClock.now(),
        requests_per_s: best.served_per_s,
        p50_ms: best.p50_ms,
        p99_ms: best.p99_ms,
        target_p99_ms: target_ms,
        target: match &arguments.path {
            Some(path) => format!("http://{}{path}", origin.authority()),
            None => format!("booking nodes at {}", origin.authority()),
        },
        steps,
    })
}

fn judged(asked: f64, measured: &Measured, target_ms: f64) -> anyhow::Result<CalibrationStep> {
    if measured.by_status.contains_key(&TOO_MANY_REQUESTS) {
        bail!(
            "the target limits requests an address (429), which says nothing about what it bears: \
             put this machine into its setting `trusted_proxies` for the calibration"
        );
    }
    let answered: u64 = measured.by_status.values().sum();
    let refused = measured.with_status(500..600) + measured.failed;
    let odd = measured.with_status(400..500);
    // A few holds find a seat taken; most refused says that we ask wrongly.
    ensure!(
        odd * 10 <= answered,
        "the target refuses what is asked ({:?}): is the event open for sale, with free places?",
        measured.by_status
    );
    let seconds = measured.elapsed.as_secs_f64().max(0.001);
    let served_per_s = (answered - measured.with_status(500..600)) as f64 / seconds;
    let refused_share = refused as f64 / (answered + measured.failed).max(1) as f64;
    let latency = measured.latency.summary();
    let is_good = is_borne(
        asked,
        served_per_s,
        refused_share,
        latency.p99_ms,
        target_ms,
    );
    Ok(CalibrationStep {
        asked_per_s: asked,
        served_per_s,
        refused_share,
        p50_ms: latency.p50_ms,
        p99_ms: latency.p99_ms,
        is_good,
    })
}

fn progress(step: &CalibrationStep) -> String {
    format!(
        "{:7.1}/s asked, {:7.1}/s served, p50 {:6.1} ms, p99 {:6.1} ms, {:4.1} % refused: {}",
        step.asked_per_s,
        step.served_per_s,
        step.p50_ms,
        step.p99_ms,
        100.0 * step.refused_share,
        if step.is_good { "borne" } else { "too much" }
    )
}

/// What is not given back expires by itself.
async fn give_back(origin: &Origin, sessions: &Sessions) {
    let pool = Pool::new(origin.clone(), 1);
    while let Some(request) = sessions.give_back() {
        if pool.send(&request, 0).await.is_err() {
            eprintln!("Some holds could not be given back; they expire by themselves.");
            return;
        }
    }
}

fn tell(arguments: &CalibrateArguments, measured: &Calibration) -> anyhow::Result<()> {
    if arguments.json {
        println!("{}", serde_json::to_string(measured)?);
        return Ok(());
    }
    let stored = if arguments.dry_run {
        "Nothing was stored."
    } else {
        "Auto begins from it."
    };
    println!(
        "{} bear {:.0} requests a second (p50 {:.0} ms, p99 {:.0} ms). {stored}",
        measured.target, measured.requests_per_s, measured.p50_ms, measured.p99_ms
    );
    Ok(())
}
