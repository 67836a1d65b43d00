//! The load generator: keep-alive connections that ask as fast as answers come
//! (closed loop), or at given instants (open loop), where an answer that comes
//! late counts from when it should have been asked for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};

use crate::http::HttpError;
use crate::http::connection::Connection;
use crate::http::origin::Origin;
use crate::http::pool::connect;
use crate::spread::Spread;

/// Longest wait for one answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Most bytes of each answer that are kept for `Traffic::reply`.
const REPLY_BYTES_MAX: usize = 64 * 1024;
/// Pause before a connection that could not be opened is tried again.
const RECONNECT_PAUSE: Duration = Duration::from_millis(50);
/// Most connections of one load.
pub const CONCURRENCY_MAX: usize = 4096;

/// What is asked, and what becomes of the answers.
pub trait Traffic: Send + Sync + 'static {
    /// Writes the whole request number `sequence` into `out`; false ends the
    /// asking, because there is nothing (for example no stock) left to ask for.
    fn request(&self, sequence: u64, out: &mut Vec<u8>) -> bool;

    /// Sees each answer, to take a token or an id from it for a later request.
    fn reply(&self, _sequence: u64, _status: u16, _body: &[u8]) {}
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// The next request as soon as the last one is answered.
    Closed,
    /// So many requests a second over all connections, whatever the answers do.
    Open { per_second: f64 },
}

#[derive(Debug, Clone)]
pub struct Load {
    pub target: Origin,
    pub concurrency: usize,
    /// Asked but not counted, so that pools and caches are warm.
    pub warm_up: Duration,
    pub duration: Duration,
    pub pace: Pace,
}

#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// Latency of answers that came, whatever their status.
    pub latency: Spread,
    pub by_status: BTreeMap<u16, u64>,
    /// No answer, or a broken one.
    pub failed: u64,
    pub elapsed: Duration,
}

impl Measured {
    pub fn with_status(&self, wanted: std::ops::Range<u16>) -> u64 {
        self.by_status.range(wanted).map(|(_, count)| count).sum()
    }

    /// Answers of status 2xx a second.
    pub fn good_per_second(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds > 0.0 {
            self.with_status(200..300) as f64 / seconds
        } else {
            0.0
        }
    }

    fn merge(&mut self, other: &Self) {
        self.latency.merge(&other.latency);
        for (status, count) in &other.by_status {
            *self.by_status.entry(*status).or_default() += count;
        }
        self.failed += other.failed;
        self.elapsed = self.elapsed.max(other.elapsed);
    }
}

/// Puts `load` on the target and measures it.
pub async fn load<T: Traffic>(load: &Load, traffic: Arc<T>) -> Measured {
    let sequence = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    let concurrency = load.concurrency.clamp(1, CONCURRENCY_MAX);
    let mut workers = JoinSet::new();
    for index in 0..concurrency {
        let worker = Worker {
            target: load.target.clone(),
            schedule: Schedule::new(load.pace, start, index, concurrency),
            count_from: start + load.warm_up,
            end: start + load.warm_up + load.duration,
            sequence: Arc::clone(&sequence),
            connection: None,
            measured: Measured::default(),
        };
        workers.spawn(worker.run(Arc::clone(&traffic)));
    }
    let mut all = Measured::default();
    while let Some(done) = workers.join_next().await {
        if let Ok(measured) = done {
            all.merge(&measured);
        }
    }
    all
}

/// When one connection asks: at once, or every `step` from its own offset.
#[derive(Debug, Clone, Copy)]
struct Schedule {
    next: Instant,
    step: Option<Duration>,
}

impl Schedule {
    fn new(pace: Pace, start: Instant, index: usize, concurrency: usize) -> Self {
        match pace {
            Pace::Closed => Self {
                next: start,
                step: None,
            },
            Pace::Open { per_second } => {
                let each = Duration::from_secs_f64(1.0 / per_second.max(0.001));
                let offset = each.mul_f64(index as f64);
                Self {
                    next: start + offset,
                    step: Some(each.mul_f64(concurrency as f64)),
                }
            }
        }
    }

    /// The instant from which the next request counts.
    async fn due(&mut self) -> Instant {
        let Some(step) = self.step else {
            return Instant::now();
        };
        let due = self.next;
        self.next += step;
        if due > Instant::now() {
            sleep_until(due.into()).await;
        }
        due
    }
}

struct Worker {
    target: Origin,
    schedule: Schedule,
    count_from: Instant,
    end: Instant,
    sequence: Arc<AtomicU64>,
    connection: Option<Connection<TcpStream>>,
    measured: Measured,
}

impl Worker {
    async fn run<T: Traffic>(mut self, traffic: Arc<T>) -> Measured {
        let mut request = Vec::with_capacity(1024);
        loop {
            let due = self.schedule.due().await;
            if due >= self.end || Instant::now() >= self.end {
                break;
            }
            let sequence = self.sequence.fetch_add(1, Ordering::Relaxed);
            request.clear();
            if !traffic.request(sequence, &mut request) {
                break;
            }
            let answered = match timeout(ANSWER_MAX, self.ask(&request)).await {
                Ok(answered) => answered,
                Err(_) => Err(HttpError::Timeout(ANSWER_MAX.as_secs())),
            };
            self.count(answered, due, sequence, traffic.as_ref()).await;
        }
        self.measured.elapsed = Instant::now()
            .min(self.end)
            .saturating_duration_since(self.count_from);
        self.measured
    }

    async fn ask(&mut self, request: &[u8]) -> Result<u16, HttpError> {
        // Taken out while it is in use: one that is cut off half-way is not used again.
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::new(connect(&self.target).await?),
        };
        let head = connection.round_trip(request, REPLY_BYTES_MAX).await?;
        self.connection = Some(connection);
        Ok(head.status)
    }

    async fn count(
        &mut self,
        answered: Result<u16, HttpError>,
        due: Instant,
        sequence: u64,
        traffic: &impl Traffic,
    ) {
        let is_counted = due >= self.count_from;
        match (answered, &self.connection) {
            (Ok(status), Some(connection)) => {
                traffic.reply(sequence, status, connection.body());
                if is_counted {
                    self.measured.latency.record(due.elapsed());
                    *self.measured.by_status.entry(status).or_default() += 1;
                }
            }
            (outcome, _) => {
                self.measured.failed += u64::from(is_counted);
                if matches!(outcome, Err(HttpError::Connect(_))) {
                    tokio::time::sleep(RECONNECT_PAUSE).await;
                }
            }
        }
    }
}
