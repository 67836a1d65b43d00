//! The outbox relay: publishes the event store to one Redis stream an event,
//! at least once and in order of writing. A reader tells repetitions by `id`.

use sqlx::PgPool;
use usher_base::redis::Redis;

use crate::keys;
use crate::pg::outbox;
use crate::pg::store::StoredEvent;

/// Entries that a stream keeps, about; the store keeps all.
const MAX_STREAM_ENTRIES: usize = 100_000;

pub struct Relay {
    pub pool: PgPool,
    pub redis: Redis,
}

impl Relay {
    /// One round: call it every second, and at once again while it says that
    /// there may be more.
    pub async fn run_once(&self) -> Result<bool, sqlx::Error> {
        let sent = outbox::publish(&self.pool, |events| self.send(events)).await?;
        metrics::counter!("usher_outbox_published_total").increment(sent as u64);
        Ok(sent == outbox::MAX_A_ROUND as usize)
    }

    /// How many were sent before the first that could not be.
    async fn send(&self, events: Vec<StoredEvent>) -> usize {
        let sends = events.iter().map(|event| self.add(event));
        let results = futures::future::join_all(sends).await;
        results.into_iter().take_while(|sent| *sent).count()
    }

    async fn add(&self, event: &StoredEvent) -> bool {
        let mut add = redis::cmd("XADD");
        add.arg(keys::told(event.event_id))
            .arg("MAXLEN")
            .arg("~")
            .arg(MAX_STREAM_ENTRIES)
            .arg("*")
            .arg("id")
            .arg(event.id)
            .arg("kind")
            .arg(&event.kind)
            .arg("at")
            .arg(event.at.to_rfc3339())
            .arg("order")
            .arg(event.order_id.map(|id| id.to_string()).unwrap_or_default())
            .arg("payload")
            .arg(event.payload.to_string());
        let added = self.redis.command::<String>(add).await;
        if let Err(error) = &added {
            tracing::warn!(id = event.id, %error, "an event is published later");
        }
        added.is_ok()
    }
}
