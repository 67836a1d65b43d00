//! A private Redis with the booking scripts and a clock that tests move.
#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used)]

use usher_base::redis::{Redis, Script, TimeSource, keys};
use usher_base::{Epoch, EventId, FanId, OrderId, ReservationId, Timestamp};
use usher_booking::SCRIPTS;
use usher_booking::holds::{Holds, LiveOrder, Rebuilt, Stock};
use usher_booking::inventory::{SeatIndex, Selection, TierIndex};
use usher_sandbox::Sandbox;
use uuid::Uuid;

pub const START: i64 = 1_800_000_000_000;

pub struct World {
    pub redis: Redis,
    pub holds: Holds,
    pub server: usher_sandbox::Redis,
}

impl World {
    pub async fn start(time: TimeSource) -> Self {
        Self::start_with(SCRIPTS, time).await
    }

    pub async fn start_with(scripts: &[&'static Script], time: TimeSource) -> Self {
        let server = Sandbox::redis_only().await.unwrap();
        let redis = Redis::new(&server.url(), scripts, time).unwrap();
        redis.load_scripts(Epoch(1)).await.unwrap();
        let holds = Holds::new(redis.clone());
        Self {
            redis,
            holds,
            server,
        }
    }

    /// Opens an event with this stock and these orders of Postgres.
    pub async fn open(&self, event: EventId, stock: &Stock, orders: &[LiveOrder]) -> Rebuilt {
        assert!(self.redis.begin_rebuild(event).await.unwrap());
        self.set_now(event, START).await;
        let run = rand::random();
        let rebuilt = self.holds.rebuild(event, stock, orders, run).await.unwrap();
        self.redis.open_rebuilt(event, false).await.unwrap();
        rebuilt
    }

    pub async fn set_now(&self, event: EventId, now: i64) {
        let mut set = redis::cmd("HSET");
        set.arg(keys::meta(event)).arg("test_now").arg(now);
        self.redis.command::<i64>(set).await.unwrap();
    }
}

pub fn event(n: u128) -> EventId {
    EventId::from_uuid(Uuid::from_u128(0xe000_0000 + n))
}

pub fn reservation(n: u128) -> ReservationId {
    ReservationId::from_uuid(Uuid::from_u128(0xa000_0000 + n))
}

pub fn order(n: u128) -> OrderId {
    OrderId::from_uuid(Uuid::from_u128(0xb000_0000 + n))
}

pub fn fan(n: u128) -> FanId {
    FanId::from_bytes((0xf000_0000 + n).to_be_bytes())
}

pub fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub fn select(seats: &[u32], tiers: &[(u16, u32)]) -> Selection {
    let seats = seats.iter().copied().map(SeatIndex).collect();
    Selection::new(seats, tiers.iter().map(|(t, n)| (TierIndex(*t), *n))).unwrap()
}
