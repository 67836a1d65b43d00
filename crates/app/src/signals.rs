//! A booking node tells the admission how it is: what its fans were answered,
//! twice a second, and how quickly Redis and Postgres answer it, once a second.
//! When the node dies it falls silent, and the law lets fewer people in.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::{Connection as _, PgConnection, PgPool};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use usher_admission::Gate;
use usher_admission::signals::{Probes, REPORT_EVERY, Recorders};
use usher_base::redis::Redis;
use usher_base::{Clock as _, SystemClock};

use crate::background::{each_second, every};
use usher_edge::Events;

/// What answers later than this is as slow as this, far beyond every limit.
const PROBE_PATIENCE: Duration = Duration::from_secs(1);
/// Postgres's code of it.
const TOO_MANY_CONNECTIONS: &str = "53300";

/// What a node's signals are made of.
pub struct SignalSource {
    pub node: String,
    pub recorders: Arc<Recorders>,
    pub events: Arc<Events>,
    pub redis: Redis,
    pub pool: PgPool,
}

/// Reports and probes side by side, so that a slow database never silences the node.
pub fn run(tasks: &TaskTracker, source: SignalSource, gate: Arc<Gate>, stop: &CancellationToken) {
    let source = Arc::new(source);
    tasks.spawn(gate.run(stop.clone()));
    let reporting = Arc::clone(&source);
    tasks.spawn(every(REPORT_EVERY, stop.clone(), move || {
        report(Arc::clone(&reporting))
    }));
    tasks.spawn(each_second(stop.clone(), move || {
        probe(Arc::clone(&source))
    }));
}

async fn report(source: Arc<SignalSource>) {
    let events = source.events.known();
    let now = SystemClock.now();
    let publishing = source
        .recorders
        .publish(&source.redis, &source.node, &events, now);
    // A Redis that hangs costs this report and not those that follow.
    let _ = tokio::time::timeout(PROBE_PATIENCE, publishing).await;
}

async fn probe(source: Arc<SignalSource>) {
    let (redis, database) = tokio::join!(
        timed(source.redis.command::<String>(redis::cmd("PING"))),
        probe_postgres(&source.pool)
    );
    let probes = Probes {
        redis: Some(redis.0),
        ..database
    };
    let now = SystemClock.now();
    for event in source.events.known() {
        if let Some(recorder) = source.recorders.of(event, now) {
            recorder.probed(probes, now);
        }
    }
}

/// The wait for a connection and the round trip on it. Without either, a connection
/// beside the pool tells a Postgres that is away from one with too much to do.
async fn probe_postgres(pool: &PgPool) -> Probes {
    let (waited, connection) = timed(pool.acquire()).await;
    if let Some(mut connection) = connection
        && let (answered, Some(())) = timed(connection.ping()).await
    {
        return Probes {
            postgres: Some(answered),
            pool_wait: Some(waited),
            ..Probes::default()
        };
    }
    if is_there(pool).await {
        return Probes {
            postgres: Some(PROBE_PATIENCE),
            pool_wait: Some(waited),
            ..Probes::default()
        };
    }
    Probes {
        postgres_away: true,
        ..Probes::default()
    }
}

/// Also a refusal for too many connections is an answer.
async fn is_there(pool: &PgPool) -> bool {
    let options = pool.connect_options();
    let connecting = PgConnection::connect_with(&options);
    let mut connection = match tokio::time::timeout(PROBE_PATIENCE, connecting).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(sqlx::Error::Database(error))) => {
            return error.code().as_deref() == Some(TOO_MANY_CONNECTIONS);
        }
        Ok(Err(_)) | Err(_) => return false,
    };
    timed(connection.ping()).await.1.is_some()
}

/// How long it took, and what came, if anything came in time.
async fn timed<T, E>(work: impl Future<Output = Result<T, E>>) -> (Duration, Option<T>) {
    let began = Instant::now();
    match tokio::time::timeout(PROBE_PATIENCE, work).await {
        Ok(Ok(done)) => (began.elapsed(), Some(done)),
        // Also an immediate failure: nothing worked, however quickly it said so.
        Ok(Err(_)) | Err(_) => (PROBE_PATIENCE, None),
    }
}
