//! The small commands: migrate, keys, verify-draw, simulate, rehearse.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use rand::rngs::StdRng;

use usher_queue::draw;

use crate::config::Config;
use crate::fetch::Fetcher;
use crate::postgres;

/// Five million fans, the most that a record lists.
const MAX_RECORD_BYTES: usize = 224 << 20;
const RECORD_WITHIN: Duration = Duration::from_secs(600);

pub async fn migrate(config: &Config) -> anyhow::Result<ExitCode> {
    match postgres::migrate(&config.database_url).await? {
        0 => println!("The schema is already up to date."),
        1 => println!("Applied 1 migration."),
        count => println!("Applied {count} migrations."),
    }
    Ok(ExitCode::SUCCESS)
}

pub fn keys() -> anyhow::Result<ExitCode> {
    let mut rng: StdRng = rand::make_rng();
    println!("{}", usher_base::signing::generate_jwk_set(&mut rng));
    Ok(ExitCode::SUCCESS)
}

pub async fn verify_draw(record: &str) -> anyhow::Result<ExitCode> {
    let is_address = record.starts_with("https://") || record.starts_with("http://");
    let good = if is_address {
        let fetcher = Fetcher::new();
        let bytes = fetcher.get(record, MAX_RECORD_BYTES, RECORD_WITHIN).await?;
        draw::verify(&bytes[..], &mut std::io::stdout().lock())?
    } else {
        draw::verify_file(Path::new(record), &mut std::io::stdout().lock())?
    };
    Ok(super::exit_code(good))
}

#[derive(Args)]
pub struct SimulateArguments {
    /// A scenario's name, or `all`
    #[arg(default_value = "all")]
    scenario: String,
    /// How many different crowds to run each with
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=100))]
    seeds: u64,
    /// Also run the laws that usher's is compared with
    #[arg(long)]
    contrast: bool,
    /// Folder for the pictures (SVG); none are drawn without it
    #[arg(long, value_name = "FOLDER")]
    pictures: Option<PathBuf>,
}

pub fn simulate(arguments: &SimulateArguments) -> anyhow::Result<ExitCode> {
    let seeds: Vec<u64> = (1..=arguments.seeds).collect();
    let request = usher_admission::sim::Request {
        scenario: &arguments.scenario,
        seeds: &seeds,
        contrast: arguments.contrast,
        pictures: arguments.pictures.as_deref(),
    };
    let good = usher_admission::sim::simulate(&request, &mut std::io::stdout().lock())?;
    Ok(super::exit_code(good))
}

pub async fn rehearse(arguments: usher_rehearsal::RehearseArgs) -> anyhow::Result<ExitCode> {
    let verdict = usher_rehearsal::run(arguments).await?;
    Ok(super::exit_code(verdict.is_success()))
}
