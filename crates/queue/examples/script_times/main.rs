//! How long each of the line's scripts holds Redis, with a million fans in line (or as
//! many as the first argument says): what edges and leader call while the line moves,
//! and what a draw and a rebuild call. A table by Redis's own processor time, the wall
//! clock beside it; ends with an error when a call took more than 2.5 ms of the
//! former. Redis runs before everything else where the system permits it (as root).

mod crowd;
mod gauge;
mod lottery;
mod moving;

use anyhow::{Context, Result, ensure};
use usher_base::Epoch;
use usher_base::redis::{Redis, TimeSource};
use usher_sandbox::Sandbox;

use gauge::{Gauge, measured_scripts};

#[tokio::main]
async fn main() -> Result<()> {
    let fans = std::env::args().nth(1).map_or(Ok(1_000_000), |n| n.parse());
    let fans: u32 = fans.context("the first argument is a number of fans")?;
    ensure!(fans >= 100_000, "fewer than 100,000 fans prove little");
    let sandbox = Sandbox::start().await?;
    let goes_first = sandbox.redis.run_first();
    let scripts = measured_scripts();
    let redis = Redis::new(&sandbox.redis.url(), &scripts, TimeSource::Test)?;
    redis.load_scripts(Epoch(1)).await?;
    let mut gauge = Gauge::open(&redis).await?;
    moving::run(&redis, &mut gauge, fans).await?;
    let pool = sqlx::PgPool::connect(&sandbox.postgres.url()).await?;
    lottery::run(&redis, pool, &mut gauge, fans).await?;
    let held_up = usher_sandbox::held_up(sandbox.redis.pid())?;
    println!("\nRedis went first: {goes_first}; it waited for a core for {held_up:.1?} in all.");
    ensure!(gauge.is_within_bound(), "a script took too long");
    Ok(())
}
