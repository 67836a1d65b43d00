//! Signals of usher's own booking nodes: what its handlers answered, cheaply
//! counted, reported twice a second as the last second of each event.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use hdrhistogram::Histogram;
use usher_base::redis::Redis;
use usher_base::{EventId, Timestamp};
use usher_queue::SessionId;

use super::Report;
use crate::control::Signals;

/// Latencies above this are counted as this.
const MAX_LATENCY_US: u64 = 60_000_000;
/// Two digits of a latency: the law does not see a difference below 1 %.
const DIGITS: u8 = 2;
/// A probe's result stands for so long.
const PROBE_STANDS: Duration = Duration::from_secs(3);
/// Later than this after its beginning a session's first hold tells nothing.
const MAX_HOLD_AGE_S: u32 = 900;
/// Sessions remembered as having held, the oldest forgotten first.
const MAX_HOLDERS: usize = 50_000;
/// Events that one node counts at once.
const MAX_EVENTS: usize = 1_000;
/// Reports on their way to Redis at once.
const REPORTS_AT_ONCE: usize = 16;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Answered, also with an expected refusal such as "seat taken".
    Served,
    /// Turned away because of load.
    Rejected,
    /// Failed or timed out.
    Failed,
}

/// How quickly what lies behind this node answers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Probes {
    pub redis: Option<Duration>,
    pub postgres: Option<Duration>,
    /// Longest wait for a pooled database connection.
    pub pool_wait: Option<Duration>,
    /// Postgres does not answer at all.
    pub postgres_away: bool,
}

/// Counts one event's requests on this node.
pub struct SignalRecorder {
    counted: Mutex<Counted>,
}

struct Counted {
    before: Half,
    now: Half,
    probed: Option<(Timestamp, Probes)>,
    holds: FirstHolds,
}

/// What was counted since `began`, about half a second.
struct Half {
    began: Timestamp,
    requests: u64,
    completed: u64,
    rejects: u64,
    errors: u64,
    latencies: Histogram<u64>,
}

#[derive(Default)]
struct FirstHolds {
    by_age: BTreeMap<u32, u64>,
    holders: HashSet<SessionId>,
    in_order: VecDeque<SessionId>,
}

impl SignalRecorder {
    pub fn new(now: Timestamp) -> Self {
        let counted = Counted {
            before: Half::begin(now),
            now: Half::begin(now),
            probed: None,
            holds: FirstHolds::default(),
        };
        Self {
            counted: Mutex::new(counted),
        }
    }

    /// A first attempt was answered.
    pub fn record(&self, latency: Duration, outcome: Outcome) {
        let mut counted = self.lock();
        counted.now.requests += 1;
        counted.now.count(latency, outcome);
    }

    /// A repetition of what was turned away or got no answer: it is work, but says
    /// nothing about how much people ask for.
    pub fn record_retry(&self, latency: Duration, outcome: Outcome) {
        self.lock().now.count(latency, outcome);
    }

    /// The session set seats aside; only its first time counts.
    pub fn held(&self, session: SessionId, since_claim: Duration) {
        self.lock().holds.held(session, since_claim);
    }

    pub fn probed(&self, probes: Probes, now: Timestamp) {
        self.lock().probed = Some((now, probes));
    }

    /// The last second, as of two half ones; call it each `REPORT_EVERY`.
    pub fn report(&self, now: Timestamp) -> Report {
        let mut counted = self.lock();
        let signals = counted.signals(now);
        let last = std::mem::replace(&mut counted.now, Half::begin(now));
        counted.before = last;
        Report {
            first_holds: counted.holds.by_age.clone(),
            ..Report::new(now, signals)
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counted {
    fn signals(&self, now: Timestamp) -> Signals {
        let (a, b) = (&self.before, &self.now);
        let seconds = now.since(a.began).as_secs_f64().max(0.001);
        let rate = |first: u64, second: u64| (first + second) as f64 / seconds;
        let mut latencies = a.latencies.clone();
        // Same bounds: adding cannot fail.
        let _ = latencies.add(&b.latencies);
        let quantile = |q: f64| {
            (!latencies.is_empty()).then(|| latencies.value_at_quantile(q) as f64 / 1_000.0)
        };
        let probed = self.probed.filter(|(at, _)| now.since(*at) <= PROBE_STANDS);
        let probes = probed.map_or_else(Probes::default, |(_, probes)| probes);
        let millis = |time: Option<Duration>| time.map(|time| time.as_secs_f64() * 1_000.0);
        Signals {
            requests: rate(a.requests, b.requests),
            completed: rate(a.completed, b.completed),
            rejects: rate(a.rejects, b.rejects),
            errors: rate(a.errors, b.errors),
            p50_ms: quantile(0.5),
            p99_ms: quantile(0.99),
            redis_probe_ms: millis(probes.redis),
            postgres_probe_ms: millis(probes.postgres),
            pool_wait_ms: millis(probes.pool_wait),
            postgres_away: probes.postgres_away,
        }
    }
}

impl Half {
    fn begin(now: Timestamp) -> Self {
        let latencies = Histogram::new_with_bounds(1, MAX_LATENCY_US, DIGITS);
        Self {
            began: now,
            requests: 0,
            completed: 0,
            rejects: 0,
            errors: 0,
            latencies: latencies.expect("the bounds are constants and valid"),
        }
    }

    fn count(&mut self, latency: Duration, outcome: Outcome) {
        match outcome {
            Outcome::Served => {
                self.completed += 1;
                let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
                self.latencies.saturating_record(micros.max(1));
            }
            Outcome::Rejected => self.rejects += 1,
            Outcome::Failed => self.errors += 1,
        }
    }
}

impl FirstHolds {
    fn held(&mut self, session: SessionId, since_claim: Duration) {
        if !self.holders.insert(session) {
            return;
        }
        self.in_order.push_back(session);
        if self.in_order.len() > MAX_HOLDERS
            && let Some(oldest) = self.in_order.pop_front()
        {
            self.holders.remove(&oldest);
        }
        let age_s = u32::try_from(since_claim.as_secs()).unwrap_or(u32::MAX);
        if age_s <= MAX_HOLD_AGE_S {
            *self.by_age.entry(age_s).or_default() += 1;
        }
    }
}

/// The recorders of all events on this node.
#[derive(Default)]
pub struct Recorders {
    events: Mutex<HashMap<EventId, Arc<SignalRecorder>>>,
}

impl Recorders {
    /// The event's recorder; `None` when this node counts too many events already.
    pub fn of(&self, event: EventId, now: Timestamp) -> Option<Arc<SignalRecorder>> {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        if events.len() >= MAX_EVENTS && !events.contains_key(&event) {
            return None;
        }
        let recorder = events
            .entry(event)
            .or_insert_with(|| Arc::new(SignalRecorder::new(now)));
        Some(Arc::clone(recorder))
    }

    /// Reports for every live event, also for those that nobody asked anything of:
    /// silence would mean that the backend is not seen. Others are forgotten.
    pub async fn publish(&self, redis: &Redis, node: &str, live: &[EventId], now: Timestamp) {
        let reports: Vec<(EventId, Report)> = {
            let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
            events.retain(|event, _| live.contains(event));
            live.iter()
                .take(MAX_EVENTS)
                .map(|event| {
                    let recorder = events
                        .entry(*event)
                        .or_insert_with(|| Arc::new(SignalRecorder::new(now)));
                    (*event, recorder.report(now))
                })
                .collect()
        };
        let publish = |(event, report): (EventId, Report)| async move {
            if let Err(error) = report.publish(redis, event, node).await {
                tracing::debug!(%error, %event, "signals are not published this time");
            }
        };
        futures::stream::iter(reports)
            .for_each_concurrent(REPORTS_AT_ONCE, publish)
            .await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use usher_base::{Lane, Number};

    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_795_255_200_000 + millis)
    }

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_report_is_of_the_last_second() {
        let recorder = SignalRecorder::new(at(0));
        for _ in 0..100 {
            recorder.record(ms(900), Outcome::Failed);
        }
        recorder.report(at(500));
        for n in 0..100 {
            recorder.record(ms(10 + n), Outcome::Served);
        }
        recorder.report(at(1_000));
        for _ in 0..20 {
            recorder.record(ms(1), Outcome::Rejected);
        }
        recorder.record_retry(ms(60), Outcome::Served);
        let signals = recorder.report(at(1_500)).signals;
        assert_eq!((signals.requests, signals.completed), (120.0, 101.0));
        assert_eq!((signals.rejects, signals.errors), (20.0, 0.0));
        let p50 = signals.p50_ms.unwrap();
        assert!((58.0..62.0).contains(&p50), "p50 = {p50} ms");
        let p99 = signals.p99_ms.unwrap();
        assert!((106.0..111.0).contains(&p99), "p99 = {p99} ms");
    }

    #[test]
    fn nothing_answered_is_no_latency_and_old_probes_are_dropped() {
        let recorder = SignalRecorder::new(at(0));
        let probes = Probes {
            redis: Some(ms(3)),
            ..Probes::default()
        };
        recorder.probed(probes, at(400));
        let signals = recorder.report(at(500)).signals;
        assert_eq!((signals.p99_ms, signals.redis_probe_ms), (None, Some(3.0)));
        assert_eq!(recorder.report(at(3_500)).signals.redis_probe_ms, None);
    }

    #[test]
    fn only_the_first_hold_of_a_session_counts() {
        let recorder = SignalRecorder::new(at(0));
        let session = |n| SessionId::of(EventId::new(at(0)), &Lane::main(), Number(n));
        let first = session(1);
        for seconds in [20, 25, 300] {
            recorder.held(first, Duration::from_secs(seconds));
        }
        recorder.held(session(2), Duration::from_secs(20));
        let holds = recorder.report(at(500)).first_holds;
        assert_eq!(holds, BTreeMap::from([(20, 2)]));
        assert_eq!(recorder.report(at(1_000)).first_holds, holds, "totals");
    }
}
