//! A private Redis with one open event, and a clock that the test moves.

use std::sync::Arc;
use std::time::Duration;

use usher_base::redis::{Redis, TimeSource, keys};
use usher_base::{Epoch, EventId, FanId, Lane, Number, Timestamp};
use usher_queue::wait::Outlook;
use usher_queue::{
    JoinError, JoinOrder, Joined, LaneNews, LeaseToken, Line, LineSettings, OldPlace, Phase, Place,
    ReleaseError, ReleaseOrder, Released, SCRIPTS,
};

pub const START: Timestamp = Timestamp::from_millis(1_795_255_200_000);
pub const BLOCK: Number = Number(1_000_000);

pub struct Room {
    pub line: Line,
    pub event: EventId,
    pub lane: Lane,
    pub leader: LeaseToken,
    /// Ends when dropped.
    server: Arc<usher_sandbox::Redis>,
}

pub fn fan(index: u32) -> FanId {
    let mut bytes = [7; 16];
    bytes[..4].copy_from_slice(&index.to_be_bytes());
    FanId::from_bytes(bytes)
}

/// Two points, ten seconds apart.
pub fn outlook() -> Outlook {
    let told = format!("0 {0} 0 2000;10 {0} 10000 1500 s", START.millis());
    told.parse().unwrap()
}

impl Room {
    /// An open fifo event with the default settings and one led term.
    pub async fn open() -> Self {
        let room = Self::in_phase(Phase::Open, LineSettings::default()).await;
        assert!(room.lead(&room.leader).await);
        room
    }

    pub async fn in_phase(phase: Phase, settings: LineSettings) -> Self {
        let server = usher_sandbox::Sandbox::redis_only().await.unwrap();
        let redis = Redis::new(&server.url(), SCRIPTS, TimeSource::Test).unwrap();
        redis.load_scripts(Epoch(1)).await.unwrap();
        let server = Arc::new(server);
        Self::of_event(EventId::new(START), redis, server, phase, settings).await
    }

    /// The `n`th further open event in the same Redis.
    pub async fn another(&self, n: u64) -> Self {
        let settings = LineSettings::default();
        let room = self.another_in(n, Phase::Open, settings).await;
        assert!(room.lead(&room.leader).await);
        room
    }

    /// The same in another phase, with other settings and without a leader.
    pub async fn another_in(&self, n: u64, phase: Phase, settings: LineSettings) -> Self {
        let event = EventId::new(START.plus(Duration::from_millis(n)));
        let (redis, server) = (self.line.redis().clone(), Arc::clone(&self.server));
        Self::of_event(event, redis, server, phase, settings).await
    }

    async fn of_event(
        event: EventId,
        redis: Redis,
        server: Arc<usher_sandbox::Redis>,
        phase: Phase,
        settings: LineSettings,
    ) -> Self {
        redis.begin_rebuild(event).await.unwrap();
        redis.open_rebuilt(event, false).await.unwrap();
        let room = Self {
            line: Line::new(redis),
            event,
            lane: Lane::main(),
            leader: LeaseToken("1-1".to_owned()),
            server,
        };
        room.at(START).await;
        room.line.set_settings(event, &settings).await.unwrap();
        room.line.set_block(event, &room.lane, BLOCK).await.unwrap();
        room.line.set_phase(event, phase).await.unwrap();
        room
    }

    pub async fn at(&self, now: Timestamp) {
        let mut set = redis::cmd("HSET");
        set.arg(keys::meta(self.event))
            .arg("test_now")
            .arg(now.millis());
        self.line.redis().command::<i64>(set).await.unwrap();
    }

    pub async fn after(&self, span: Duration) {
        self.at(START.plus(span)).await;
    }

    pub async fn lead(&self, lease: &LeaseToken) -> bool {
        let term = Duration::from_secs(600);
        self.line.lead(self.event, lease, term).await.unwrap()
    }

    pub fn order(&self, fan: FanId) -> JoinOrder<'_> {
        JoinOrder {
            event: self.event,
            lane: &self.lane,
            other_lanes: &[],
            fan,
            generation: 0,
            old_place: None,
            again: false,
        }
    }

    pub async fn try_join(&self, who: u32) -> Result<Joined, JoinError> {
        self.line.join(&self.order(fan(who))).await
    }

    pub async fn join(&self, who: u32) -> Joined {
        self.try_join(who).await.unwrap()
    }

    pub async fn join_with(&self, who: u32, old_place: OldPlace) -> Joined {
        let order = JoinOrder {
            old_place: Some(old_place),
            ..self.order(fan(who))
        };
        self.line.join(&order).await.unwrap()
    }

    /// Fans 1..=n with the numbers 1..=n.
    pub async fn join_many(&self, n: u32) {
        for who in 1..=n {
            let joined = self.join(who).await;
            let number = Number(who);
            assert_eq!(joined.place, Place::Waiting { number });
        }
    }

    pub async fn place(&self, who: u32) -> Place {
        let place = self.line.place(self.event, &self.lane, fan(who)).await;
        place.unwrap()
    }

    pub async fn release(&self, sequence: u64, numbers: &[u32]) -> Result<Released, ReleaseError> {
        self.release_at(sequence, numbers, START).await
    }

    pub async fn release_at(
        &self,
        sequence: u64,
        numbers: &[u32],
        snapshot_at: Timestamp,
    ) -> Result<Released, ReleaseError> {
        let numbers: Vec<_> = numbers.iter().copied().map(Number).collect();
        let order = ReleaseOrder {
            event: self.event,
            lane: &self.lane,
            lease: &self.leader,
            sequence,
            snapshot_at,
            numbers: &numbers,
        };
        self.line.release(&order).await
    }

    /// A leader's tick that lets so many pass the empty line.
    pub async fn announce(&self, passes: u32) {
        let news = [LaneNews {
            lane: self.lane.clone(),
            passes,
            outlook: outlook(),
        }];
        let announced = self.line.announce(self.event, &self.leader, &news);
        announced.await.unwrap();
    }

    pub async fn sweep(&self) -> usher_queue::Swept {
        let lanes = [self.lane.clone()];
        self.line.sweep(self.event, &lanes).await.unwrap()
    }

    /// One bit of a bitmap of this lane, straight from Redis.
    pub async fn bit(&self, bitmap: &str, number: u32) -> bool {
        let mut get = redis::cmd("GETBIT");
        let key = keys::of_event(self.event, &format!("{bitmap}:{}", self.lane));
        get.arg(key).arg(number);
        self.line.redis().command::<u8>(get).await.unwrap() == 1
    }
}
