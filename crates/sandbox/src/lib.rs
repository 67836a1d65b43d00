//! Private servers for `usher demo` and for every test: a redis-server and a postgres that
//! belong to this process alone, on ports they truly own, and that end with it whatever
//! happens. Servers that already run on the machine are never touched.
//!
//! A test has servers of its own, so it may kill them, hang them and start them again:
//!
//! ```no_run
//! # async fn a_test() -> Result<(), usher_sandbox::SandboxError> {
//! use usher_sandbox::Sandbox;
//!
//! let sandbox = Sandbox::start().await?; // both, migrated, in about a tenth of a second
//! let redis = redis::Client::open(sandbox.redis.url())?;
//! let postgres = sqlx::PgPool::connect(&sandbox.postgres.url()).await?;
//!
//! sandbox.redis.kill_9().await?; // what does usher do now?
//! sandbox.redis.restart().await?; // same port, memory empty
//! # Ok(()) }
//! ```
//!
//! Keep the `Sandbox` alive to the end of the test: dropping it ends the servers and
//! removes their files. Tests that need no database take `Sandbox::redis_only()`;
//! tests that need slow or broken connections put a [`Proxy`] before a server.

mod child;
mod cluster;
#[cfg(target_os = "linux")]
mod death;
mod error;
mod launch;
mod place;
mod postgres;
mod priority;
mod processes;
mod programs;
mod proxy;
mod redis;
mod server_user;
mod slow_log;
mod template;
mod watcher;

pub use error::{Result, SandboxError};
pub use postgres::{Postgres, PostgresOptions};
pub use priority::held_up;
pub use proxy::Proxy;
pub use redis::{Redis, RedisOptions};
pub use slow_log::SlowScript;

/// Whatever ends this process, `kill -9` included, ends the child that the command starts
/// (Linux; elsewhere nothing is tied). The kernel watches the thread that starts it, so
/// start it from one that lives as long as the process, such as a worker of its runtime.
pub fn end_with_us(command: &mut std::process::Command) {
    #[cfg(target_os = "linux")]
    death::tie_to_parent(command, nix::sys::signal::Signal::SIGKILL);
    #[cfg(not(target_os = "linux"))]
    let _ = command;
}

/// An empty redis-server and a migrated postgres.
pub struct Sandbox {
    pub redis: Redis,
    pub postgres: Postgres,
}

impl Sandbox {
    pub async fn start() -> Result<Self> {
        let (redis, postgres) = tokio::try_join!(
            Redis::start(RedisOptions::default()),
            Postgres::start(PostgresOptions::default()),
        )?;
        Ok(Self { redis, postgres })
    }

    pub async fn redis_only() -> Result<Redis> {
        Redis::start(RedisOptions::default()).await
    }
}
