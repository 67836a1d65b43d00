//! Opening Postgres, and whether its schema is the one this binary was built with.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::migrate::{Migrate as _, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::config::Config;

pub static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations");

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A statement that runs longer than this is broken and is ended by Postgres.
const STATEMENT_TIMEOUT: &str = "30s";
/// A transaction may hold its locks idle no longer than this, whatever became of us.
const IDLE_IN_TRANSACTION_TIMEOUT: &str = "10s";
/// A batch waits no longer for a row that somebody keeps; others are tens of
/// milliseconds long, and whoever is sent away may ask again.
const BATCH_LOCK_TIMEOUT: &str = "2s";
/// A sale begins on empty tables. A plan that is kept from then reads them whole
/// when they hold a hundred thousand orders, and nobody analyses within the first
/// minute; so each execution is planned for the tables as they are.
const PLAN_CACHE_MODE: &str = "force_custom_plan";
/// No statement here is long enough to be worth compiling; a planner that was told
/// to avoid something, and cannot, believes each of them to be.
const JIT: &str = "off";

/// Connections of the leader, the relay and the report of the stock together.
const BACKGROUND_CONNECTIONS: u32 = 8;

#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    #[error(
        "the setting `database_url` is not a Postgres address such as postgres://user:password@host:5432/name"
    )]
    Url,
    #[error("Postgres does not answer: {0}; start it, or correct `database_url`")]
    Unreachable(String),
    #[error("the database lacks {0} of usher's migrations; run `usher migrate`")]
    Behind(usize),
    #[error("the database has migrations that this version of usher does not know; update usher")]
    Ahead,
}

/// The parts of an sqlx error that belong into one sentence.
fn short(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        sqlx::Error::PoolTimedOut => "no connection within 5 seconds".into(),
        other => other.to_string(),
    }
}

fn options(url: &str) -> Result<PgConnectOptions, PostgresError> {
    let options = PgConnectOptions::from_str(url).map_err(|_| PostgresError::Url)?;
    Ok(options.application_name("usher").options([
        ("statement_timeout", STATEMENT_TIMEOUT),
        (
            "idle_in_transaction_session_timeout",
            IDLE_IN_TRANSACTION_TIMEOUT,
        ),
        ("plan_cache_mode", PLAN_CACHE_MODE),
        ("jit", JIT),
    ]))
}

/// A pool whose first connection is known to work.
pub async fn open_pool(url: &str, max_connections: u32) -> Result<PgPool, PostgresError> {
    connect(options(url)?, max_connections).await
}

/// The same for the writer, who finds rows by their keys alone: for a batch of a
/// hundred, a planner without statistics would rather read a young table whole.
pub async fn open_writer_pool(url: &str, max_connections: u32) -> Result<PgPool, PostgresError> {
    let options = options(url)?.options([
        ("enable_seqscan", "off"),
        ("lock_timeout", BATCH_LOCK_TIMEOUT),
    ]);
    connect(options, max_connections).await
}

async fn connect(options: PgConnectOptions, max: u32) -> Result<PgPool, PostgresError> {
    PgPoolOptions::new()
        .max_connections(max)
        .acquire_timeout(CONNECT_TIMEOUT)
        .connect_with(options)
        .await
        .map_err(|e| PostgresError::Unreachable(short(&e)))
}

/// Connections to Postgres. A query that nobody waits for any more keeps its
/// connection until Postgres has answered, so what gives up on slow queries and asks
/// again has connections of its own.
pub struct Pools {
    pub requests: PgPool,
    pub background: PgPool,
}

impl Pools {
    pub async fn open(config: &Config) -> Result<Self, PostgresError> {
        Ok(Self {
            requests: open_postgres(config).await?,
            background: open_pool(&config.database_url, BACKGROUND_CONNECTIONS).await?,
        })
    }
}

/// The connections of requests, to a database whose schema is ours.
pub async fn open_postgres(config: &Config) -> Result<PgPool, PostgresError> {
    let mut connection = open_connection(&config.database_url).await?;
    check_schema(&mut connection).await?;
    open_pool(&config.database_url, config.database_connections).await
}

/// One connection without the limits of the pool's, for migrations and checks.
pub async fn open_connection(url: &str) -> Result<PgConnection, PostgresError> {
    let options = PgConnectOptions::from_str(url).map_err(|_| PostgresError::Url)?;
    let connecting = options.connect();
    match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(PostgresError::Unreachable(short(&error))),
        Err(_) => Err(PostgresError::Unreachable(
            "no connection within 5 seconds".into(),
        )),
    }
}

/// Whether the schema is exactly the one this binary was built with.
pub async fn check_schema(connection: &mut PgConnection) -> Result<(), PostgresError> {
    let table = &MIGRATIONS.table_name;
    let exists: Option<String> = sqlx::query_scalar("SELECT to_regclass($1)::text")
        .bind(table.as_ref())
        .fetch_one(&mut *connection)
        .await
        .map_err(|e| PostgresError::Unreachable(short(&e)))?;
    let applied = match exists {
        None => Vec::new(),
        Some(_) => connection
            .list_applied_migrations(table)
            .await
            .map_err(|e| PostgresError::Unreachable(e.to_string()))?,
    };
    let known: Vec<i64> = MIGRATIONS
        .iter()
        .map(|migration| migration.version)
        .collect();
    if applied.iter().any(|done| !known.contains(&done.version)) {
        return Err(PostgresError::Ahead);
    }
    match known.len() - applied.len() {
        0 => Ok(()),
        missing => Err(PostgresError::Behind(missing)),
    }
}

/// Brings the schema up to date; returns how many migrations that took.
pub async fn migrate(url: &str) -> anyhow::Result<usize> {
    let mut connection = open_connection(url).await?;
    let missing = match check_schema(&mut connection).await {
        Ok(()) => 0,
        Err(PostgresError::Behind(missing)) => missing,
        Err(other) => return Err(other.into()),
    };
    MIGRATIONS.run(&mut connection).await?;
    connection.close().await?;
    Ok(missing)
}
