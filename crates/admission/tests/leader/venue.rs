//! An event with private servers, fans who are or are not connected, and leaders
//! to be started and ended.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join_all;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::de::DeserializeOwned;
use sqlx::PgPool;
use sqlx::types::Json;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use usher_admission::control::{Mode, Policy, Signals};
use usher_admission::signals::Report;
use usher_admission::{Leader, Policies, Status, StockReport};
use usher_base::redis::{Redis, TimeSource, keys};
use usher_base::signing::{SigningKeys, generate_jwk_set};
use usher_base::{Clock, Epoch, EventId, FanId, Lane, Number, SystemClock, Timestamp};
use usher_queue::pg::{NewLine, Store};
use usher_queue::{
    Bitmap, EdgeId, EventBoard, JoinOrder, LaneSetup, Line, LineSettings, OldPlace, Phase, Place,
    SCRIPTS, Schedule, Setup,
};
use usher_sandbox::Sandbox;

/// Long enough for a busy machine; a test that waits so long fails.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks at a condition.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// A manual rate that is no limit for a handful of fans.
pub const FAST: f64 = 60_000.0;

pub struct Venue {
    pub sandbox: Sandbox,
    pub event: EventId,
    pub lanes: Vec<Lane>,
    pub pool: PgPool,
    pub line: Line,
    pub store: Store,
    pub policies: Policies,
    time: TimeSource,
    here: Arc<Mutex<Vec<Bitmap>>>,
    helpers: Vec<JoinHandle<()>>,
}

/// A leader in this process.
pub struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    /// Ends it in order.
    pub async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

pub fn fan(index: u32) -> FanId {
    let mut bytes = [7; 16];
    bytes[..4].copy_from_slice(&index.to_be_bytes());
    FanId::from_bytes(bytes)
}

pub fn manual(rate_per_minute: f64) -> Policy {
    Policy {
        mode: Mode::Manual,
        rate_per_minute: Some(rate_per_minute),
        ..Policy::default()
    }
}

pub fn paused() -> Policy {
    Policy {
        mode: Mode::Paused,
        ..Policy::default()
    }
}

/// Connects like a process of its own does.
pub async fn redis_of(url: &str, time: TimeSource) -> Redis {
    let redis = Redis::new(url, SCRIPTS, time).unwrap();
    redis.follow_epoch().await.unwrap();
    redis
}

/// What every process does beside its work.
async fn follow_epoch(redis: Redis, stop: CancellationToken) {
    while !stop.is_cancelled() {
        // Redis may be away.
        let _ = redis.follow_epoch().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Looks until it is so, at most `PATIENCE`; says how long that took.
pub async fn until<F: Future<Output = bool>>(what: &str, look: impl Fn() -> F) -> Duration {
    let began = Instant::now();
    while !look().await {
        assert!(began.elapsed() < PATIENCE, "in vain: {what}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    began.elapsed()
}

impl Venue {
    /// An open fifo event with one lane, on real time.
    pub async fn open() -> Self {
        let venue = Self::with(TimeSource::Server, &[("main", 1)], Schedule::default()).await;
        venue.change_phase(Phase::Open).await;
        venue
    }

    /// The same on time that the test moves.
    pub async fn open_on_test_time() -> Self {
        let venue = Self::with(TimeSource::Test, &[("main", 1)], Schedule::default()).await;
        venue.change_phase(Phase::Open).await;
        venue
    }

    /// A draft.
    pub async fn with(time: TimeSource, lanes: &[(&str, u32)], schedule: Schedule) -> Self {
        Self::set_up(time, lanes, schedule, LineSettings::default()).await
    }

    pub async fn set_up(
        time: TimeSource,
        lanes: &[(&str, u32)],
        schedule: Schedule,
        settings: LineSettings,
    ) -> Self {
        let sandbox = Sandbox::start().await.unwrap();
        let pool = PgPool::connect(&sandbox.postgres.url()).await.unwrap();
        let redis = Redis::new(&sandbox.redis.url(), SCRIPTS, time).unwrap();
        let now = SystemClock.now();
        let event = EventId::new(now);
        redis.load_scripts(Epoch(1)).await.unwrap();
        redis.publish_epoch(Epoch(1)).await.unwrap();
        redis.begin_rebuild(event).await.unwrap();
        redis.open_rebuilt(event, false).await.unwrap();
        let line = Line::new(redis);
        let store = Store::new(pool.clone());
        let setup = |(name, weight): &(&str, u32)| LaneSetup {
            lane: name.parse().unwrap(),
            weight: *weight,
            needs_code: false,
        };
        let new = NewLine {
            event,
            setup: Setup {
                settings,
                schedule,
                lanes: lanes.iter().map(setup).collect(),
            },
        };
        store.create_line(&new).await.unwrap();
        let policies = Policies::new(pool.clone(), line.clone());
        let mut venue = Self {
            sandbox,
            event,
            lanes: new
                .setup
                .lanes
                .iter()
                .map(|setup| setup.lane.clone())
                .collect(),
            pool,
            line,
            store,
            policies,
            time,
            here: Arc::new(Mutex::new(vec![Bitmap::default(); lanes.len()])),
            helpers: Vec::new(),
        };
        venue.set_test_time(now).await;
        for lane in &venue.lanes {
            let first = Number(1);
            venue.store.lease_block(event, lane, first).await.unwrap();
        }
        let row = venue.store.line(event).await.unwrap();
        venue.store.mirror(&venue.line, &row).await.unwrap();
        venue.helpers.push(venue.edge());
        venue
    }

    /// An edge that says over and over who is connected.
    fn edge(&self) -> JoinHandle<()> {
        let (line, event, lanes) = (self.line.clone(), self.event, self.lanes.clone());
        let here = Arc::clone(&self.here);
        let edge = EdgeId::random(&mut rand::rng());
        tokio::spawn(async move {
            loop {
                let bitmaps = here.lock().unwrap().clone();
                let said: Vec<_> = lanes.iter().cloned().zip(bitmaps).collect();
                // Fails while Redis is away, as an edge's does.
                let _ = line.say_here(event, edge, &said).await;
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        })
    }

    /// No edge says anything any more, and what was said has faded.
    pub async fn stop_edges(&mut self) {
        for helper in self.helpers.drain(..) {
            helper.abort();
            // It may be about to say something.
            let _ = helper.await;
        }
        self.forget("edges").await;
    }

    /// A backend that is well.
    pub fn report_signals(&mut self, completed: f64) -> AbortHandle {
        let (redis, event) = (self.line.redis().clone(), self.event);
        let reporting = tokio::spawn(async move {
            loop {
                let signals = Signals {
                    requests: completed,
                    completed,
                    p50_ms: Some(80.0),
                    p99_ms: Some(200.0),
                    redis_probe_ms: Some(20.0),
                    ..Signals::default()
                };
                let report = Report::new(SystemClock.now(), signals);
                let _ = report.publish(&redis, event, "node-1").await;
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
        });
        let handle = reporting.abort_handle();
        self.helpers.push(reporting);
        handle
    }

    pub async fn set_test_time(&self, now: Timestamp) {
        if self.time == TimeSource::Test {
            self.set_meta("test_now", now.millis()).await;
        }
    }

    pub async fn set_meta(&self, field: &str, value: i64) {
        let mut set = redis::cmd("HSET");
        set.arg(keys::meta(self.event)).arg(field).arg(value);
        self.line.redis().command::<i64>(set).await.unwrap();
    }

    /// Takes a key of the event away.
    pub async fn forget(&self, name: &str) {
        let mut forget = redis::cmd("DEL");
        forget.arg(keys::of_event(self.event, name));
        self.line.redis().command::<i64>(forget).await.unwrap();
    }

    pub async fn change_phase(&self, to: Phase) {
        let change = self.store.change_phase(&self.line, self.event, to);
        change.await.unwrap();
    }

    pub async fn put(&self, policy: Policy) {
        let put = self.policies.put(self.event, &policy, "olga");
        put.await.unwrap();
    }

    /// Who changed what was set, from what to what, the newest change first.
    pub async fn changes<T>(&self, about: &str) -> Vec<(String, Option<T>, T)>
    where
        T: DeserializeOwned + Send + Unpin + 'static,
    {
        let rows: Vec<(String, Option<Json<T>>, Json<T>)> = sqlx::query_as(
            "SELECT who, before, after FROM admission_audit
             WHERE event_id = $1 AND about = $2 ORDER BY id DESC",
        )
        .bind(self.event.uuid())
        .bind(about)
        .fetch_all(&self.pool)
        .await
        .unwrap();
        let plain = |(who, before, after): (_, Option<Json<T>>, Json<T>)| {
            (who, before.map(|Json(before)| before), after.0)
        };
        rows.into_iter().map(plain).collect()
    }

    /// Starts a leader in this process, with connections of its own.
    pub async fn lead(&self) -> Running {
        let redis = redis_of(&self.sandbox.redis.url(), self.time).await;
        let stop = CancellationToken::new();
        tokio::spawn(follow_epoch(redis.clone(), stop.clone()));
        let set = generate_jwk_set(&mut StdRng::seed_from_u64(1));
        let keys = SigningKeys::from_jwk_set(&set, "https://usher.example").unwrap();
        let leader = Leader::new(
            Line::new(redis),
            PgPool::connect(&self.sandbox.postgres.url()).await.unwrap(),
            Arc::new(SystemClock),
            stop.clone(),
        )
        .with_draws(Arc::new(keys));
        let task = tokio::spawn(Arc::new(leader).run(stop.clone()));
        Running { stop, task }
    }

    /// Fans `first..first + count` join a lane, one after the other.
    pub async fn join(&self, lane: usize, first: u32, count: u32) -> Vec<Number> {
        let mut numbers = Vec::new();
        for index in first..first + count {
            let others: Vec<Lane> = (self.lanes.iter())
                .filter(|other| **other != self.lanes[lane])
                .cloned()
                .collect();
            let order = JoinOrder {
                event: self.event,
                lane: &self.lanes[lane],
                other_lanes: &others,
                fan: fan(index),
                generation: 0,
                old_place: None,
                again: false,
            };
            let joined = self.line.join(&order).await.unwrap();
            match joined.place {
                Place::Waiting { number } => numbers.push(number),
                Place::Gathering { .. } => {}
                other => panic!("expected to wait, not {other:?}"),
            }
        }
        numbers
    }

    /// Who is connected in a lane from now on.
    pub fn connect(&self, lane: usize, numbers: &[Number]) {
        self.here.lock().unwrap()[lane] = numbers.iter().copied().collect();
    }

    /// Redis dies with all it knew; it is started again and restored from Postgres.
    pub async fn lose_redis(&self) {
        self.sandbox.redis.kill_9().await.unwrap();
        self.sandbox.redis.restart().await.unwrap();
        let (redis, epoch) = (self.line.redis(), Epoch(self.line.redis().epoch().0 + 1));
        until("Redis is there again", || async {
            redis.load_scripts(epoch).await.is_ok()
        })
        .await;
        assert!(redis.begin_rebuild(self.event).await.unwrap());
        let now = SystemClock.now();
        let rebuilt = self.store.rebuild(&self.line, self.event, now).await;
        println!("{:?}", rebuilt.unwrap());
        redis.open_rebuilt(self.event, false).await.unwrap();
        redis.publish_epoch(epoch).await.unwrap();
    }

    /// The fan comes back with the token of an earlier epoch.
    pub async fn come_back(&self, index: u32, number: Number) -> Place {
        let order = JoinOrder {
            event: self.event,
            lane: &self.lanes[0],
            other_lanes: &[],
            fan: fan(index),
            generation: 0,
            old_place: Some(OldPlace {
                number,
                epoch: Epoch(1),
            }),
            again: false,
        };
        self.line.join(&order).await.unwrap().place
    }

    /// Fans 1..=count of the first lane, all connected.
    pub async fn crowd(&self, count: u32) {
        let numbers = self.join(0, 1, count).await;
        self.connect(0, &numbers);
    }

    pub async fn board(&self) -> EventBoard {
        let board = self.line.board(self.event, &self.lanes);
        board.await.unwrap()
    }

    pub async fn released(&self) -> u64 {
        self.board().await.state.totals.released
    }

    pub async fn place(&self, index: u32) -> Place {
        let place = self.line.place(self.event, &self.lanes[0], fan(index));
        place.await.unwrap()
    }

    pub async fn claim(&self, fans: std::ops::Range<u32>) {
        let claims = fans.map(|index| self.line.claim(self.event, fan(index)));
        for claimed in join_all(claims).await {
            claimed.unwrap();
        }
    }

    pub async fn status(&self) -> Option<Status> {
        let status = Status::read(self.line.redis(), self.event);
        status.await.unwrap()
    }

    pub async fn until_led(&self) -> Status {
        until("somebody leads", || async { self.status().await.is_some() }).await;
        self.status().await.unwrap()
    }

    /// Waits until so many further seconds were announced.
    pub async fn seconds(&self, count: usize) {
        for _ in 0..count {
            let before = self.status().await.map(|status| status.at);
            let moved = || async { self.status().await.map(|status| status.at) != before };
            until("another second is announced", moved).await;
        }
    }

    pub async fn until_released(&self, at_least: u64) -> Duration {
        let enough = || async { self.released().await >= at_least };
        until("so many are released", enough).await
    }

    /// Nobody twice: in this event nobody claims or leaves, so everybody who was
    /// ever released is still called, each fan once.
    pub async fn assert_nobody_was_released_twice(&self) {
        let board = self.board().await;
        assert_eq!(board.state.totals.released, board.admitted);
        let standing: u64 = board.lanes.iter().map(|lane| lane.standing).sum();
        let last: u64 = board.lanes.iter().map(|lane| u64::from(lane.last.0)).sum();
        assert_eq!(board.admitted + standing, last, "everybody is somewhere");
    }

    pub async fn stock(&self, free: u64, held: u64, sold: u64) {
        let report = StockReport {
            at: SystemClock.now(),
            free,
            held,
            sold,
            orders_total: sold / 2,
            holds: held / 2,
        };
        let redis = self.line.redis();
        report.publish(redis, self.event).await.unwrap();
    }
}

impl Drop for Venue {
    fn drop(&mut self) {
        for helper in &self.helpers {
            helper.abort();
        }
    }
}
