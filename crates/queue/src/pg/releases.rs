//! The flight recorder's writing side: a release is written down before it
//! happens. When Postgres is slow the line does not wait: after 500 ms the row
//! goes to a bounded queue and is written as soon as that is possible.

use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use usher_base::{EventId, Lane, Timestamp};

use super::{Store, StoreError};
use crate::line::{LeaseToken, ReleasedFan};

/// How long a release waits for its row.
const WRITE_WITHIN: Duration = Duration::from_millis(500);
/// Rows that may wait for Postgres: over an hour of one release a second.
const MAX_QUEUED_RELEASES: usize = 4_096;
const RETRY_EVERY: Duration = Duration::from_secs(1);

/// A batch about to be released, with its reason.
#[derive(Clone, Debug)]
pub struct PlannedRelease {
    pub event: EventId,
    pub sequence: u64,
    pub lane: Lane,
    pub at: Timestamp,
    pub leader: LeaseToken,
    /// Why as many as these: whatever the admission says of its decision.
    pub reason: serde_json::Value,
    /// Ascending by number, at most `MAX_NUMBERS_PER_RELEASE`.
    pub fans: Vec<ReleasedFan>,
}

/// Writes releases, at once or a little later.
pub struct Recorder {
    store: Store,
    queue: mpsc::Sender<PlannedRelease>,
}

impl Recorder {
    /// Starts the task that writes what could not be written in time; it ends
    /// with `stop`, after a last attempt at what is queued.
    pub fn start(pool: PgPool, stop: CancellationToken) -> Self {
        let store = Store::new(pool);
        let (queue, waiting) = mpsc::channel(MAX_QUEUED_RELEASES);
        tokio::spawn(write_later(store.clone(), waiting, stop));
        Self { store, queue }
    }

    /// Writes the release before it happens. True when it is durable, false when
    /// it had to be queued (or, with a full queue, given up: counted and logged).
    pub async fn record(&self, release: PlannedRelease) -> bool {
        let written = tokio::time::timeout(WRITE_WITHIN, self.store.write_release(&release)).await;
        if matches!(written, Ok(Ok(()))) {
            return true;
        }
        let event = release.event.to_string();
        metrics::counter!("usher_releases_written_late_total", "event" => event.clone())
            .increment(1);
        if let Err(error) = self.queue.try_send(release) {
            metrics::counter!("usher_releases_unwritten_total", "event" => event).increment(1);
            tracing::error!(%error, "a release could not be written down");
        }
        false
    }
}

async fn write_later(
    store: Store,
    mut waiting: mpsc::Receiver<PlannedRelease>,
    stop: CancellationToken,
) {
    loop {
        let next = tokio::select! {
            next = waiting.recv() => next,
            () = stop.cancelled() => waiting.try_recv().ok(),
        };
        let Some(release) = next else {
            return;
        };
        while let Err(error) = store.write_release(&release).await {
            if !error.is_passing() || stop.is_cancelled() {
                tracing::error!(%error, sequence = release.sequence, "a release stays unwritten");
                break;
            }
            let _ = tokio::time::timeout(RETRY_EVERY, stop.cancelled()).await;
        }
    }
}

impl Store {
    /// Writes one release; a repeat changes nothing.
    pub async fn write_release(&self, release: &PlannedRelease) -> Result<(), StoreError> {
        let (Some(first), Some(last)) = (release.fans.first(), release.fans.last()) else {
            return Ok(());
        };
        let mut transaction = self.pool.begin().await?;
        let written = sqlx::query(
            "INSERT INTO releases (event_id, sequence, lane, at, leader, reason, first, last)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
        )
        .bind(release.event.uuid())
        .bind(release.sequence.cast_signed())
        .bind(release.lane.as_str())
        .bind(release.at.to_datetime())
        .bind(&release.leader.0)
        .bind(&release.reason)
        .bind(i64::from(first.number.0))
        .bind(i64::from(last.number.0))
        .execute(&mut *transaction)
        .await?;
        if written.rows_affected() == 1 {
            let numbers: Vec<i64> = release.fans.iter().map(|of| of.number.0.into()).collect();
            let fans: Vec<&[u8]> = release.fans.iter().map(|of| &of.fan.bytes()[..]).collect();
            sqlx::query(
                "INSERT INTO released_fans (event_id, sequence, number, fan_id)
                 SELECT $1, $2, * FROM unnest($3::bigint[], $4::bytea[])",
            )
            .bind(release.event.uuid())
            .bind(release.sequence.cast_signed())
            .bind(numbers)
            .bind(fans)
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Takes back a release that was written down and then refused by Redis, so
    /// that the record tells only of what happened.
    pub async fn strike_release(&self, event: EventId, sequence: u64) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM releases WHERE event_id = $1 AND sequence = $2")
            .bind(event.uuid())
            .bind(sequence.cast_signed())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// The highest sequence ever written for the event; 0 before the first.
    pub async fn last_sequence(&self, event: EventId) -> Result<u64, StoreError> {
        let query = "SELECT coalesce(max(sequence), 0) FROM releases WHERE event_id = $1";
        let last: i64 = sqlx::query_scalar(query)
            .bind(event.uuid())
            .fetch_one(&self.pool)
            .await?;
        Ok(last.cast_unsigned())
    }
}
