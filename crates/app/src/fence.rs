//! Notices that Redis may have forgotten something, and brings it back.
//!
//! The order is what keeps a seat from being sold twice: the epoch is raised in
//! Postgres (from then on Postgres refuses whatever a stale memory handed out),
//! scripts are loaded for it, each event is closed, rebuilt from Postgres and
//! opened, and only then is the epoch published to the roles without Postgres.
//! One process rebuilds at a time; the others wait and follow.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::pool::PoolConnection;
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use usher_base::redis::{CallError, Redis};
use usher_base::{Clock, Epoch};
use usher_booking::pg::epoch;

use usher_edge::{EventError, Events};

/// How often the memory is looked at.
const WATCH_EVERY: Duration = Duration::from_millis(250);
/// Events probed from within a script each time; the rest come next time.
const PROBES_PER_WATCH: usize = 20;
/// Names the advisory lock in Postgres that the one rebuilder holds.
const REBUILD_LOCK: i64 = 0x7573_6865_7201;
/// A starting process waits this long for another one's rebuild.
const PATIENCE_AT_START: Duration = Duration::from_secs(60);
const RETRY_AFTER: Duration = Duration::from_millis(200);

#[derive(Debug, thiserror::Error)]
pub enum FenceError {
    #[error("Redis does not answer: {0}; start it, or correct `redis_url`")]
    Redis(#[from] CallError),
    #[error("Postgres does not answer: {0}")]
    Postgres(#[from] sqlx::Error),
    #[error("an event could not be restored: {0}")]
    Event(#[from] EventError),
    #[error("another process has been restoring Redis for a minute; look at its log")]
    Impatient,
}

pub struct Fence {
    pub redis: Redis,
    pub pool: PgPool,
    pub events: Arc<Events>,
    pub clock: Arc<dyn Clock>,
}

impl Fence {
    /// Makes the memory whole before this process serves anybody.
    pub async fn open(&self) -> Result<(), FenceError> {
        let deadline = Instant::now() + PATIENCE_AT_START;
        while !self
            .make_whole("a process started on a memory that was not whole")
            .await?
        {
            if Instant::now() > deadline {
                return Err(FenceError::Impatient);
            }
            tokio::time::sleep(RETRY_AFTER).await;
        }
        Ok(())
    }

    /// Watches until `shutdown`; `alarm` makes it look at once.
    pub async fn watch(&self, alarm: Arc<Notify>, shutdown: CancellationToken) {
        let mut interval = tokio::time::interval(WATCH_EVERY);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut turn = 0;
        loop {
            tokio::select! {
                _ = interval.tick() => {}
                () = alarm.notified() => {}
                () = shutdown.cancelled() => return,
            }
            turn += 1;
            if self.is_whole(turn).await {
                continue;
            }
            match self.make_whole("redis lost its memory").await {
                Ok(_) => {}
                // Redis or Postgres is away: the next look tries again.
                Err(error) => tracing::warn!(%error, "redis is not restored yet"),
            }
        }
    }

    /// False when something was forgotten. A Redis that does not answer has not
    /// shown that it forgot; when it is back it is asked again.
    async fn is_whole(&self, turn: usize) -> bool {
        match self.redis.remembers(self.redis.epoch()).await {
            Ok(true) => {}
            Ok(false) => return false,
            Err(_) => return true,
        }
        let events = self.events.known();
        let start = turn.wrapping_mul(PROBES_PER_WATCH) % events.len().max(1);
        for event in events
            .iter()
            .cycle()
            .skip(start)
            .take(PROBES_PER_WATCH.min(events.len()))
        {
            if matches!(self.redis.probe(*event).await, Err(CallError::Stale)) {
                return false;
            }
        }
        true
    }

    /// True once the memory is whole and this handle calls its epoch's scripts;
    /// false while another process rebuilds it.
    async fn make_whole(&self, reason: &str) -> Result<bool, FenceError> {
        let Some(lock) = self.rebuild_lock().await? else {
            return Ok(false);
        };
        let result = self.rebuild_if_needed(reason).await;
        // The lock goes with its session; a pooled connection must not keep it.
        lock.close().await?;
        result.map(|()| true)
    }

    async fn rebuild_if_needed(&self, reason: &str) -> Result<(), FenceError> {
        let seen = epoch::read(&self.pool).await?;
        self.events.discover().await?;
        if self.redis.resume(seen).await? && self.all_open().await? {
            return Ok(());
        }
        let Some(raised) = epoch::raise(&self.pool, seen, reason).await? else {
            // Somebody raised it without the lock: leave it to the next look.
            return Ok(());
        };
        self.rebuild(raised, reason).await
    }

    async fn all_open(&self) -> Result<bool, FenceError> {
        for event in self.events.known() {
            match self.redis.probe(event).await {
                Ok(()) => {}
                Err(CallError::Stale | CallError::Rebuilding) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    async fn rebuild(&self, epoch: Epoch, reason: &str) -> Result<(), FenceError> {
        let began = Instant::now();
        tracing::warn!(%epoch, reason, "rebuilding redis from postgres");
        self.redis.load_scripts(epoch).await?;
        let events = self.events.known();
        for event in &events {
            self.events.restore(*event, self.clock.now()).await?;
        }
        self.events.publish_catalog().await?;
        self.redis.publish_epoch(epoch).await?;
        let took = began.elapsed();
        metrics::counter!("usher_rebuilds_total").increment(1);
        metrics::histogram!("usher_rebuild_seconds").record(took.as_secs_f64());
        tracing::info!(%epoch, events = events.len(), millis = took.as_millis(), "redis is whole again");
        Ok(())
    }

    async fn rebuild_lock(&self) -> Result<Option<PoolConnection<sqlx::Postgres>>, sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        let taken: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
            .bind(REBUILD_LOCK)
            .fetch_one(&mut *connection)
            .await?;
        Ok(taken.then_some(connection))
    }
}

/// For roles without Postgres: calls the scripts of whatever epoch is published.
pub async fn follow(redis: Redis, shutdown: CancellationToken) {
    let mut interval = tokio::time::interval(WATCH_EVERY);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = interval.tick() => {}
            () = shutdown.cancelled() => return,
        }
        if let Err(error) = redis.follow_epoch().await {
            tracing::debug!(%error, "the epoch cannot be read at the moment");
        }
    }
}
