//! The leader: one task an event and process, of which one at a time holds the
//! event's lease and lets people in. The others stand by and take over within
//! two seconds of its end; what a deposed leader still tries, Redis refuses.

mod lanes;
mod round;
mod seconds;
mod term;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use usher_base::redis::Redis;
use usher_base::{Clock, EventId};
use usher_queue::Line;
use usher_queue::pg::{Recorder, Store};

use crate::control::Tuning;

/// How often the list of events is looked at.
const DISCOVER_EVERY: Duration = Duration::from_secs(1);

/// What leading needs.
pub struct Leader {
    pub redis: Redis,
    pub line: Line,
    pub store: Store,
    pub recorder: Recorder,
    pub pool: PgPool,
    pub clock: Arc<dyn Clock>,
    pub tuning: Tuning,
}

impl Leader {
    pub fn new(line: Line, pool: PgPool, clock: Arc<dyn Clock>, stop: CancellationToken) -> Self {
        Self {
            redis: line.redis().clone(),
            line,
            store: Store::new(pool.clone()),
            recorder: Recorder::start(pool.clone(), stop),
            pool,
            clock,
            tuning: Tuning::default(),
        }
    }

    /// Leads, or stands by for, every event that has not ended.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut led: HashMap<EventId, JoinHandle<()>> = HashMap::new();
        let mut interval = tokio::time::interval(DISCOVER_EVERY);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = interval.tick() => {}
                () = stop.cancelled() => break,
            }
            led.retain(|_, task| !task.is_finished());
            match self.store.live_lines().await {
                Ok(lines) => {
                    for line in lines {
                        led.entry(line.event).or_insert_with(|| {
                            let (leader, stop) = (Arc::clone(&self), stop.clone());
                            tokio::spawn(term::serve(leader, line, stop))
                        });
                    }
                }
                // Those known are led on without Postgres.
                Err(error) => tracing::warn!(%error, "the list of events cannot be read"),
            }
        }
        for (_, task) in led {
            // Each resigns its lease as it ends.
            let _ = task.await;
        }
    }
}
