//! Outgoing webhooks: what happened to an event's orders, told over HTTP to
//! whom its operators name. Each endpoint hears its happenings one after the
//! other in their order, at least once; it has a turn of its own, so that a
//! slow or dead one delays nobody else. What it does not take within a day, or
//! in twenty attempts, or what falls too far behind, becomes a dead letter that
//! operators see and send again.

mod client;
mod endpoint;
mod patience;
mod signature;
mod target;

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use usher_base::Clock;

pub use client::{Client, Undelivered};
pub use endpoint::{Endpoint, Kinds, Secret, UnknownKind};
pub use patience::Patience;
pub use target::{BadTarget, Targets};

use crate::pg::deliveries::{self, Attempt, Bounds, Turn, Waiting};

/// Endpoints that one process tells at the same time.
const MAX_AT_ONCE: usize = 64;
/// What one turn tells, and how long, before others with as much to hear are looked
/// at: endpoints that answer slowly hand their slots on.
const MAX_A_TURN: usize = 1_000;
const TURN_LASTS: Duration = Duration::from_secs(10);
/// Connections to Postgres that all turns share. They are their own, so that the
/// leader and the relay never wait behind what strangers' endpoints do.
pub const CONNECTIONS: u32 = 2;

pub struct Webhooks {
    pool: PgPool,
    client: Client,
    patience: Patience,
    clock: Arc<dyn Clock>,
    slots: Arc<Semaphore>,
}

impl Webhooks {
    pub fn new(pool: PgPool, client: Client, patience: Patience, clock: Arc<dyn Clock>) -> Self {
        Self {
            pool,
            client,
            patience,
            clock,
            slots: Arc::new(Semaphore::new(MAX_AT_ONCE)),
        }
    }

    /// Begins a turn for each endpoint that has something to hear and is not in
    /// another's hands. Call it every second; returns how many it began.
    pub async fn run_once(
        self: &Arc<Self>,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> Result<usize, sqlx::Error> {
        let free = self.slots.available_permits();
        let turns = deliveries::claim(&self.pool, free, self.patience.lease).await?;
        let began = turns.len();
        for turn in turns {
            // Left to its lease otherwise, and taken up again after it.
            let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else {
                break;
            };
            tasks.spawn(Arc::clone(self).take_turn(turn, slot, stop.clone()));
        }
        Ok(began)
    }

    async fn take_turn(
        self: Arc<Self>,
        turn: Turn,
        _slot: OwnedSemaphorePermit,
        stop: CancellationToken,
    ) {
        let endpoint = turn.endpoint.id;
        if let Err(error) = self.tell(turn, &stop).await {
            tracing::warn!(%endpoint, %error, "a webhook's turn is broken off");
        }
    }

    /// Until nothing is left, one was not taken, or others should have a turn.
    async fn tell(&self, turn: Turn, stop: &CancellationToken) -> Result<(), sqlx::Error> {
        let ends = Instant::now() + TURN_LASTS;
        let is_over = || stop.is_cancelled() || Instant::now() >= ends;
        let mut told = 0;
        while told < MAX_A_TURN && !is_over() {
            let waiting = deliveries::waiting(&self.pool, turn.endpoint.id).await?;
            if waiting.is_empty() {
                break;
            }
            for next in waiting {
                if is_over() {
                    break;
                }
                if let Err(why) = self.post(&turn.endpoint, &next).await {
                    return self.put_off(&turn, &next, &why).await;
                }
                metrics::counter!("usher_webhooks_out_total", "outcome" => "delivered")
                    .increment(1);
                let lease = self.patience.lease;
                if !deliveries::taken(&self.pool, &turn, next.event.id, lease).await? {
                    tracing::debug!(endpoint = %turn.endpoint.id, "a webhook's turn is another's");
                    return Ok(());
                }
                told += 1;
            }
        }
        count_dead(deliveries::end_turn(&self.pool, &turn, self.bounds()).await?);
        Ok(())
    }

    const fn bounds(&self) -> Bounds {
        Bounds {
            max_age: self.patience.max_age,
            max_waiting: self.patience.max_waiting,
        }
    }

    async fn post(&self, endpoint: &Endpoint, next: &Waiting) -> Result<(), Undelivered> {
        let sending = self.client.post(endpoint, &next.event, self.clock.now());
        tokio::time::timeout(self.patience.answer_within, sending)
            .await
            .unwrap_or(Err(Undelivered::Silent(self.patience.answer_within)))
    }

    async fn put_off(
        &self,
        turn: &Turn,
        next: &Waiting,
        why: &Undelivered,
    ) -> Result<(), sqlx::Error> {
        let failures = turn.failures.saturating_add(1);
        let attempt = Attempt {
            id: next.event.id,
            error: why.to_string(),
            is_last: next.attempts + 1 >= self.patience.max_attempts,
            pause: self.patience.pause_after(failures, rand::random()),
        };
        let dead = deliveries::failed(&self.pool, turn, &attempt, self.bounds()).await?;
        let (endpoint, id) = (turn.endpoint.id, attempt.id);
        tracing::info!(%endpoint, id, why = attempt.error, failures, "a webhook is not taken");
        metrics::counter!("usher_webhooks_out_total", "outcome" => "failed").increment(1);
        count_dead(dead);
        Ok(())
    }

    /// Tells the metrics what waits and what is dead, in the whole deployment.
    pub async fn measure(&self) -> Result<(), sqlx::Error> {
        let backlog = deliveries::backlog(&self.pool).await?;
        metrics::gauge!("usher_webhooks_waiting").set(backlog.waiting as f64);
        metrics::gauge!("usher_webhooks_dead").set(backlog.dead as f64);
        Ok(())
    }

    /// Forgets dead letters that nobody sent again for a month.
    pub async fn prune(&self) -> Result<u64, sqlx::Error> {
        deliveries::prune(&self.pool).await
    }
}

fn count_dead(letters: u64) {
    metrics::counter!("usher_webhooks_out_total", "outcome" => "dead").increment(letters);
}
