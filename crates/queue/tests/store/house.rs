//! One event with Redis and Postgres, and what a leader and an edge do to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::PgPool;
use usher_base::redis::{Redis, TimeSource, keys};
use usher_base::{Epoch, EventId, FanId, Lane, Number, Timestamp};
use usher_queue::pg::{NewLine, PlannedRelease, Store};
use usher_queue::{
    JoinError, JoinOrder, Joined, LaneBoard, LeaseToken, Line, LineSettings, OldPlace, Phase,
    Place, ReleaseError, ReleaseOrder, Released, SCRIPTS, Setup,
};
use usher_sandbox::Sandbox;

pub const START: Timestamp = Timestamp::from_millis(1_795_255_200_000);

pub struct House {
    pub sandbox: Arc<Sandbox>,
    pub pool: PgPool,
    pub store: Store,
    pub line: Line,
    pub event: EventId,
    pub lane: Lane,
    pub leader: LeaseToken,
    /// The newest, of all events in this Redis.
    epoch: Arc<AtomicU64>,
}

pub fn fan(index: u32) -> FanId {
    let mut bytes = [7; 16];
    bytes[..4].copy_from_slice(&index.to_be_bytes());
    FanId::from_bytes(bytes)
}

impl House {
    /// A draft, mirrored to Redis.
    pub async fn new(settings: LineSettings) -> Self {
        let sandbox = Sandbox::start().await.unwrap();
        let redis = Redis::new(&sandbox.redis.url(), SCRIPTS, TimeSource::Test).unwrap();
        let pool = PgPool::connect(&sandbox.postgres.url()).await.unwrap();
        let house = Self {
            store: Store::new(pool.clone()),
            line: Line::new(redis),
            lane: Lane::main(),
            leader: LeaseToken("1-1".to_owned()),
            sandbox: Arc::new(sandbox),
            pool,
            event: EventId::new(START),
            epoch: Arc::new(AtomicU64::new(1)),
        };
        house.begin(settings, Epoch(1)).await;
        house
    }

    async fn begin(&self, settings: LineSettings, epoch: Epoch) {
        let new = NewLine {
            event: self.event,
            setup: Setup {
                settings,
                ..Setup::default()
            },
        };
        self.store.create_line(&new).await.unwrap();
        self.rebuild(epoch, START).await;
        self.after(Duration::from_secs(31)).await;
    }

    /// Another open event with the same servers, in an epoch of its own.
    pub async fn another(&self) -> Self {
        let epoch = self.epoch.fetch_add(1, Ordering::Relaxed) + 1;
        let house = Self {
            sandbox: Arc::clone(&self.sandbox),
            pool: self.pool.clone(),
            store: self.store.clone(),
            line: self.line.clone(),
            event: EventId::new(START.plus(Duration::from_millis(epoch))),
            lane: self.lane.clone(),
            leader: self.leader.clone(),
            epoch: Arc::clone(&self.epoch),
        };
        house.begin(LineSettings::default(), Epoch(epoch)).await;
        house.phase(Phase::Scheduled).await;
        house.phase(Phase::Open).await;
        house
    }

    pub fn epoch(&self) -> Epoch {
        Epoch(self.epoch.load(Ordering::Relaxed))
    }

    pub async fn forget_everything(&self) {
        for lost in [["FLUSHALL", "SYNC"], ["SCRIPT", "FLUSH"]] {
            let mut forget = redis::cmd(lost[0]);
            forget.arg(lost[1]);
            let forgotten = self.line.redis().command::<redis::Value>(forget);
            forgotten.await.unwrap();
        }
    }

    pub async fn rebuild_in_a_new_epoch(&self, now: Timestamp) {
        let epoch = self.epoch.fetch_add(1, Ordering::Relaxed) + 1;
        self.rebuild(Epoch(epoch), now).await;
    }

    pub async fn open() -> Self {
        let house = Self::new(LineSettings::default()).await;
        house.phase(Phase::Scheduled).await;
        house.phase(Phase::Open).await;
        house
    }

    /// What the fence does after a loss, at `now`.
    pub async fn rebuild(&self, epoch: Epoch, now: Timestamp) -> usher_queue::pg::Rebuilt {
        let redis = self.line.redis();
        redis.load_scripts(epoch).await.unwrap();
        assert!(redis.begin_rebuild(self.event).await.unwrap());
        self.at(now).await;
        let rebuilt = self.store.rebuild(&self.line, self.event, now).await;
        redis.open_rebuilt(self.event, false).await.unwrap();
        let term = Duration::from_secs(600);
        let led = self.line.lead(self.event, &self.leader, term).await;
        assert!(led.unwrap());
        rebuilt.unwrap()
    }

    pub async fn lose_redis(&self) {
        self.sandbox.redis.kill_9().await.unwrap();
        self.sandbox.redis.restart().await.unwrap();
    }

    pub async fn phase(&self, to: Phase) {
        let changed = self.store.change_phase(&self.line, self.event, to).await;
        changed.unwrap();
    }

    pub async fn at(&self, now: Timestamp) {
        let mut set = redis::cmd("HSET");
        let meta = keys::meta(self.event);
        set.arg(meta).arg("test_now").arg(now.millis());
        self.line.redis().command::<i64>(set).await.unwrap();
    }

    pub async fn after(&self, span: Duration) {
        self.at(START.plus(span)).await;
    }

    pub async fn try_join(&self, who: u32, old: Option<OldPlace>) -> Result<Joined, JoinError> {
        let order = JoinOrder {
            event: self.event,
            lane: &self.lane,
            other_lanes: &[],
            fan: fan(who),
            generation: 0,
            old_place: old,
            again: false,
        };
        self.line.join(&order).await
    }

    pub async fn join(&self, who: u32) -> Place {
        self.try_join(who, None).await.unwrap().place
    }

    pub async fn come_back(&self, who: u32, number: u32, epoch: u64) -> Joined {
        let old = OldPlace {
            number: Number(number),
            epoch: Epoch(epoch),
        };
        self.try_join(who, Some(old)).await.unwrap()
    }

    pub async fn place(&self, who: u32) -> Place {
        let place = self.line.place(self.event, &self.lane, fan(who)).await;
        place.unwrap()
    }

    pub async fn board(&self) -> LaneBoard {
        let lanes = [self.lane.clone()];
        let board = self.line.board(self.event, &lanes).await.unwrap();
        board.lanes.into_iter().next().unwrap()
    }

    /// As a leader releases: the row first, then the fans.
    pub async fn release(
        &self,
        sequence: u64,
        numbers: &[u32],
        at: Timestamp,
    ) -> Result<Released, ReleaseError> {
        let numbers: Vec<_> = numbers.iter().copied().map(Number).collect();
        let fans = self.line.who(self.event, &self.lane, &numbers).await;
        let planned = PlannedRelease {
            event: self.event,
            sequence,
            lane: self.lane.clone(),
            at,
            leader: self.leader.clone(),
            reason: serde_json::json!({ "clause": "test" }),
            fans: fans.unwrap(),
        };
        self.store.write_release(&planned).await.unwrap();
        let order = ReleaseOrder {
            event: self.event,
            lane: &self.lane,
            lease: &self.leader,
            sequence,
            snapshot_at: at,
            numbers: &numbers,
        };
        self.line.release(&order).await
    }

    pub async fn checkpoint(&self, now: Timestamp) {
        let lanes = [self.lane.clone()];
        let kept = self
            .store
            .checkpoint(&self.line, self.event, &lanes, now)
            .await;
        kept.unwrap();
    }

    pub async fn sweep(&self, now: Timestamp) -> usher_queue::Swept {
        self.at(now).await;
        let lanes = [self.lane.clone()];
        let swept = self.line.sweep(self.event, &lanes).await.unwrap();
        let written = self.store.write_ended(self.event, &swept.ended, now).await;
        written.unwrap();
        swept
    }
}
