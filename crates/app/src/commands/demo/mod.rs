//! `usher demo`: a small on-sale on this machine. Private servers, a sample
//! event, all roles in one process, a crowd; Ctrl-C ends all of it.

mod crowd;
mod place;
mod sample;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use clap::Args;
use serde_json::json;
use usher_sandbox::{Postgres, Redis, RedisOptions};

use super::serve::{self, Serving};
use crate::config::{Config, LogFormat, Sources};
use crate::role::Role;
use crate::{config, lifecycle, telemetry};
use place::Place;

/// Where people expect it, if it is free.
const USUAL_PORT: u16 = 8080;

#[derive(Args)]
pub struct DemoArguments {
    /// Leave the line to you: no synthetic fans
    #[arg(long)]
    no_crowd: bool,
    /// Port to listen on; 0 takes any free one [default: 8080 if free, else any]
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// Folder for the database, keys and logs of the demo
    #[arg(long, value_name = "DIR", default_value = ".demo")]
    data: PathBuf,
    /// Print one line of JSON once ready, for scripts
    #[arg(long)]
    json: bool,
}

pub async fn run(arguments: DemoArguments) -> anyhow::Result<ExitCode> {
    telemetry::start_logs(LogFormat::Pretty, "warn,usher=info")?;
    let began = Instant::now();
    let place = Place::open(&arguments.data)?;
    step("starting a private Postgres and a private Redis");
    let data = place.folder("postgres");
    let (postgres, redis) = tokio::try_join!(
        Postgres::persistent(&data),
        Redis::start(RedisOptions::default()),
    )?;
    let config = settings(&arguments, &place, &postgres, &redis)?;
    step("starting usher with all roles in one process");
    let serving = serve::start(&config, Role::All).await?;
    let base_url = format!("http://{}", serving.address);
    let event = sample::open(&serving.parts)
        .await
        .context("the sample event could not be opened")?;
    let ready = Ready {
        base_url: &base_url,
        event: &event,
        serving: &serving,
        place: &place,
        redis_url: redis.url(),
        postgres_url: postgres.url(),
    };
    sample::wait_until_served(&base_url, &event.id).await?;
    if arguments.json {
        println!("{}", ready.json());
    } else {
        ready.print(began, !arguments.no_crowd);
    }
    let crowd = match arguments.no_crowd {
        true => None,
        false => Some(crowd::send(&base_url, &event.id, &place)?),
    };
    serving.until_signal().await?;
    drop(crowd);
    step("stopping Redis and Postgres");
    redis.stop().await?;
    postgres.stop().await?;
    Ok(ExitCode::SUCCESS)
}

fn step(what: &str) {
    eprintln!("  … {what}");
}

/// The embedded defaults, with the demo's own servers, keys and ports.
fn settings(
    arguments: &DemoArguments,
    place: &Place,
    postgres: &Postgres,
    redis: &Redis,
) -> anyhow::Result<Config> {
    let mut config = config::load(&Sources::default())?.config;
    let port = match arguments.port {
        Some(port) => port,
        None if lifecycle::is_free(USUAL_PORT) => USUAL_PORT,
        None => 0,
    };
    // Known before it is bound, because tokens and pages name the public address.
    let port = if port == 0 {
        lifecycle::any_free_port()?
    } else {
        port
    };
    config.listen.set_port(port);
    config.public_url = format!("http://{}", config.listen);
    config.metrics_listen.set_port(0);
    config.redis_url = redis.url();
    config.database_url = postgres.url();
    config.signing_keys = place.signing_keys()?;
    config.admin_api_key = place.api_key()?;
    // The crowd gives each of its fans an address of their own.
    config.trusted_proxies = vec!["127.0.0.1".into(), "::1".into()];
    config.drain_seconds = 2;
    Ok(config)
}

/// What there is to tell once everything runs.
struct Ready<'a> {
    base_url: &'a str,
    event: &'a sample::Sample,
    serving: &'a Serving,
    place: &'a Place,
    redis_url: String,
    postgres_url: String,
}

impl Ready<'_> {
    fn json(&self) -> serde_json::Value {
        json!({
            "base_url": self.base_url,
            "console_url": format!("{}/console", self.base_url),
            "metrics_url": format!("http://{}/metrics", self.serving.metrics_address),
            "redis_url": self.redis_url,
            "postgres_url": self.postgres_url,
            "api_key": self.place.api_key().unwrap_or_default(),
            "events": [{ "id": self.event.id, "slug": self.event.slug }],
        })
    }

    fn print(&self, began: Instant, with_crowd: bool) {
        let (base, metrics) = (self.base_url, self.serving.metrics_address);
        let key = self.place.api_key().unwrap_or_default();
        let event = &self.event.id;
        println!();
        println!(
            "usher is ready, after {:.1} s.",
            began.elapsed().as_secs_f64()
        );
        println!();
        println!("  As a fan       {base}/e/{event}");
        println!(
            "                 Join, watch your place, take your turn, choose seats, pay (no real money)."
        );
        println!("  As an operator {base}/console");
        println!("                 Sign in with the API key {key}");
        println!("                 Pause, set a rate, write to everybody in line.");
        println!("  As an SRE      http://{metrics}/metrics");
        println!("                 Grafana board: dashboards/on-sale.json");
        println!();
        if with_crowd {
            println!(
                "A crowd of {} synthetic fans is arriving over the next {} seconds.",
                crowd::FANS,
                crowd::ARRIVE_SECONDS
            );
        }
        println!(
            "Ctrl-C stops everything that was started here. Data stay in {}.",
            self.place.shown()
        );
    }
}
