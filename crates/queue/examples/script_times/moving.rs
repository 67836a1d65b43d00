//! A line of a million while it moves: joins, what an edge reads and says each tick,
//! releases, claims, departures, and a leader's tidying.

use std::time::Duration;

use anyhow::{Result, ensure};
use rand::SeedableRng;
use rand::rngs::StdRng;
use usher_base::redis::{Redis, keys};
use usher_base::{EventId, FanId, Lane, Number, Timestamp};
use usher_queue::{Bitmap, Cursor, EdgeId, LeaseToken, Line, LineSettings, Phase, ReleaseOrder};

use crate::crowd::{fan, join_all};
use crate::gauge::Gauge;

const START: Timestamp = Timestamp::from_millis(1_795_255_200_000);
const CLAIM_WINDOW: Duration = Duration::from_secs(90);
const CALLS: u32 = 100;
const PEOPLE: u32 = 1_000;

struct Moving {
    line: Line,
    event: EventId,
    lane: Lane,
    lease: LeaseToken,
    fans: u32,
}

pub async fn run(redis: &Redis, gauge: &mut Gauge, fans: u32) -> Result<()> {
    let moving = Moving::open(redis, fans).await?;
    gauge.begin().await?;
    join_all(&moving.line, moving.event, &moving.lane, fans).await?;
    gauge.end("joining").await?;
    moving.report_memory().await?;
    moving.ticks(gauge).await?;
    moving.people(gauge).await?;
    moving.tidying(gauge).await
}

impl Moving {
    async fn open(redis: &Redis, fans: u32) -> Result<Self> {
        let moving = Self {
            line: Line::new(redis.clone()),
            event: EventId::new(START),
            lane: Lane::main(),
            lease: LeaseToken("1-1".to_owned()),
            fans,
        };
        let (line, event) = (&moving.line, moving.event);
        let settings = LineSettings {
            claim_window: CLAIM_WINDOW,
            ..LineSettings::default()
        };
        redis.begin_rebuild(event).await?;
        redis.open_rebuilt(event, false).await?;
        moving.at(START).await?;
        line.set_settings(event, &settings).await?;
        line.set_block(event, &moving.lane, Number(fans + 1))
            .await?;
        line.set_phase(event, Phase::Open).await?;
        let term = Duration::from_secs(3_600);
        ensure!(
            line.lead(event, &moving.lease, term).await?,
            "nobody else leads"
        );
        Ok(moving)
    }

    async fn at(&self, now: Timestamp) -> Result<()> {
        let mut set = redis::cmd("HSET");
        let meta = keys::meta(self.event);
        set.arg(meta).arg("test_now").arg(now.millis());
        self.line.redis().command::<i64>(set).await?;
        Ok(())
    }

    /// What each edge and the leader ask and say, however many wait.
    async fn ticks(&self, gauge: &mut Gauge) -> Result<()> {
        let (line, event) = (&self.line, self.event);
        let lanes = [self.lane.clone()];
        let everybody: Bitmap = (1..=self.fans).map(Number).collect();
        let said = [(self.lane.clone(), everybody)];
        let edge = EdgeId::random(&mut StdRng::seed_from_u64(1));
        let some: Vec<FanId> = (1..=500).map(|n| fan(n * (self.fans / 600))).collect();
        let mut cursor = Cursor::default();
        gauge.begin().await?;
        for _ in 0..CALLS {
            line.board(event, &lanes).await?;
            line.say_here(event, edge, &said).await?;
            line.snapshot(event, &lanes).await?;
            line.places(event, &self.lane, &some).await?;
            line.changes(event, &mut cursor).await?;
        }
        gauge.end("a tick; places of 500").await
    }

    /// From the turn to the end of a session.
    async fn people(&self, gauge: &mut Gauge) -> Result<()> {
        let (line, event) = (&self.line, self.event);
        gauge.begin().await?;
        for call in 0..CALLS {
            self.release(u64::from(call) + 1, call * 200).await?;
        }
        gauge.end("releases of 200").await?;
        let called: Vec<FanId> = (1..=500).map(fan).collect();
        gauge.begin().await?;
        for _ in 0..CALLS {
            line.places(event, &self.lane, &called).await?;
        }
        gauge.end("places of 500 who were called").await?;
        gauge.begin().await?;
        for who in 1..=PEOPLE {
            let session = line.claim(event, fan(who)).await?;
            let until = session.ends_at.plus(Duration::from_secs(60));
            line.prolong(event, fan(who), session.number, until).await?;
            line.transfer(event, fan(who), 0).await?;
            let gone = line.leave(event, &self.lane, fan(self.fans - who)).await?;
            ensure!(gone.is_some(), "the fan stood in line");
        }
        gauge.end("claims, moves, departures").await
    }

    async fn release(&self, sequence: u64, above: u32) -> Result<()> {
        let numbers: Vec<_> = (above + 1..=above + 200).map(Number).collect();
        let lanes = [self.lane.clone()];
        self.line.who(self.event, &self.lane, &numbers).await?;
        let order = ReleaseOrder {
            event: self.event,
            lane: &self.lane,
            lease: &self.lease,
            sequence,
            snapshot_at: self.line.snapshot(self.event, &lanes).await?.taken_at,
            numbers: &numbers,
        };
        self.line.release(&order).await?;
        Ok(())
    }

    /// Places of the absent, and claims that were missed.
    async fn tidying(&self, gauge: &mut Gauge) -> Result<()> {
        let (line, event) = (&self.line, self.event);
        gauge.begin().await?;
        for call in 0..CALLS {
            let first = self.fans / 2 + call * 200;
            let numbers: Vec<_> = (first..first + 200).map(Number).collect();
            line.forget(event, &self.lane, &self.lease, &numbers)
                .await?;
        }
        gauge.end("giving 200 absent up").await?;
        self.at(START.plus(CLAIM_WINDOW)).await?;
        let lanes = [self.lane.clone()];
        gauge.begin().await?;
        for _ in 0..CALLS {
            line.sweep(event, &lanes).await?;
        }
        gauge.end("sweeping missed claims").await
    }

    async fn report_memory(&self) -> Result<()> {
        for part in ["line", "alive"] {
            let mut usage = redis::cmd("MEMORY");
            let key = keys::of_event(self.event, &format!("{part}:{}", self.lane));
            usage.arg("USAGE").arg(key).arg("SAMPLES").arg(1_000);
            let bytes: u64 = self.line.redis().command(usage).await?;
            let each = bytes as f64 / f64::from(self.fans);
            eprintln!("{part}: {bytes} bytes, {each:.1} a fan");
        }
        Ok(())
    }
}
