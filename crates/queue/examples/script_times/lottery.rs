//! A draw of a million from gathering to numbers, and its line brought back twice: with
//! a list that is not drawn yet, and with people inside. Redis still holds everything
//! when a rebuild begins, so forgetting it is part of what is measured.

use std::time::Duration;

use anyhow::{Result, ensure};
use rand::SeedableRng;
use rand::rngs::StdRng;
use sqlx::PgPool;
use usher_base::redis::{Redis, keys};
use usher_base::signing::{SigningKeys, generate_jwk_set};
use usher_base::{Epoch, EventId, Lane, Number, Timestamp};
use usher_queue::draw::{DrawSecret, EntropyRule, Evidence};
use usher_queue::pg::{DrawProgress, NewLine, PlannedRelease, Store};
use usher_queue::{
    LeaseToken, Line, LineSettings, MAX_NUMBERS_PER_RELEASE, Ordering, Phase, ReleaseOrder, Setup,
};

use crate::crowd::join_all;
use crate::gauge::Gauge;

const START: Timestamp = Timestamp::from_millis(1_795_255_300_000);
const HOUR: Duration = Duration::from_secs(3_600);
const RELEASES: u64 = 50;

struct Lottery {
    line: Line,
    store: Store,
    keys: SigningKeys,
    event: EventId,
    lane: Lane,
    lease: LeaseToken,
}

pub async fn run(redis: &Redis, pool: PgPool, gauge: &mut Gauge, fans: u32) -> Result<()> {
    let lottery = Lottery::gathering(redis, pool).await?;
    gauge.begin().await?;
    join_all(&lottery.line, lottery.event, &lottery.lane, fans).await?;
    gauge.end("gathering").await?;

    lottery.phase(Phase::Drawing).await?;
    gauge.begin().await?;
    let waits = lottery.advance(START).await?;
    ensure!(waits != DrawProgress::Finished, "there is no entropy yet");
    gauge.end("fixing the list and its root").await?;
    gauge.begin().await?;
    lottery.rebuild(Epoch(2), START).await?;
    gauge.end("rebuilding a list").await?;

    lottery.give_entropy().await?;
    gauge.begin().await?;
    let done = lottery.advance(START.plus(HOUR)).await?;
    ensure!(done == DrawProgress::Finished, "the draw is over");
    gauge.end("giving the numbers").await?;

    lottery.let_some_in(START.plus(HOUR)).await?;
    gauge.begin().await?;
    lottery.checkpoint(START.plus(HOUR)).await?;
    gauge.end("a checkpoint").await?;
    gauge.begin().await?;
    lottery.rebuild(Epoch(3), START.plus(HOUR)).await?;
    gauge.end("rebuilding a line").await
}

impl Lottery {
    async fn gathering(redis: &Redis, pool: PgPool) -> Result<Self> {
        let set = generate_jwk_set(&mut StdRng::seed_from_u64(1));
        let lottery = Self {
            line: Line::new(redis.clone()),
            store: Store::new(pool),
            keys: SigningKeys::from_jwk_set(&set, "https://usher.example")?,
            event: EventId::new(START),
            lane: Lane::main(),
            lease: LeaseToken("1-1".to_owned()),
        };
        let settings = LineSettings {
            ordering: Ordering::Lottery,
            ..LineSettings::default()
        };
        let new = NewLine {
            event: lottery.event,
            setup: Setup {
                settings,
                ..Setup::default()
            },
        };
        lottery.store.create_line(&new).await?;
        lottery.rebuild(Epoch(1), START).await?;
        let (rule, secret) = (lottery.rule(), DrawSecret::from_bytes([5; 32]));
        let (event, lane) = (lottery.event, &lottery.lane);
        lottery
            .store
            .commit_draw(event, lane, &rule, &secret)
            .await?;
        lottery.phase(Phase::Scheduled).await?;
        lottery.phase(Phase::Gathering).await?;
        Ok(lottery)
    }

    fn rule(&self) -> EntropyRule {
        EntropyRule::PublicValue {
            description: "the six numbers of the state lottery".to_owned(),
            not_before: START.plus(HOUR),
        }
    }

    async fn give_entropy(&self) -> Result<()> {
        let value = Evidence::PublicValue {
            value: "3 11 19 24 40 47".to_owned(),
        };
        let now = START.plus(HOUR);
        self.store
            .give_entropy(self.event, &self.lane, &value, now)
            .await?;
        Ok(())
    }

    async fn advance(&self, now: Timestamp) -> Result<DrawProgress> {
        self.at(now).await?;
        let row = self.store.line(self.event).await?;
        let progress = self.store.advance_draw(&self.line, &self.keys, &row, now);
        Ok(progress.await?)
    }

    async fn phase(&self, to: Phase) -> Result<()> {
        self.store.change_phase(&self.line, self.event, to).await?;
        Ok(())
    }

    async fn at(&self, now: Timestamp) -> Result<()> {
        let mut set = redis::cmd("HSET");
        let meta = keys::meta(self.event);
        set.arg(meta).arg("test_now").arg(now.millis());
        self.line.redis().command::<i64>(set).await?;
        Ok(())
    }

    /// What the fence does after a loss.
    async fn rebuild(&self, epoch: Epoch, now: Timestamp) -> Result<()> {
        let redis = self.line.redis();
        redis.load_scripts(epoch).await?;
        redis.begin_rebuild(self.event).await?;
        self.at(now).await?;
        self.store.rebuild(&self.line, self.event, now).await?;
        redis.open_rebuilt(self.event, false).await?;
        let led = self.line.lead(self.event, &self.lease, HOUR).await?;
        ensure!(led, "nobody else leads");
        Ok(())
    }

    /// Some ten thousand people, half of whom claim.
    async fn let_some_in(&self, now: Timestamp) -> Result<()> {
        self.phase(Phase::Open).await?;
        let each = u32::try_from(MAX_NUMBERS_PER_RELEASE)?;
        for sequence in 1..=RELEASES {
            let last = u32::try_from(sequence)? * each;
            let numbers: Vec<Number> = (last - each + 1..=last).map(Number).collect();
            let fans = self.line.who(self.event, &self.lane, &numbers).await?;
            let half: Vec<_> = fans.iter().step_by(2).map(|one| one.fan).collect();
            let planned = PlannedRelease {
                event: self.event,
                sequence,
                lane: self.lane.clone(),
                at: now,
                leader: self.lease.clone(),
                reason: serde_json::json!({ "clause": "measured" }),
                fans,
            };
            self.store.write_release(&planned).await?;
            let order = ReleaseOrder {
                event: self.event,
                lane: &self.lane,
                lease: &self.lease,
                sequence,
                snapshot_at: now,
                numbers: &numbers,
            };
            self.line.release(&order).await?;
            for fan in half {
                self.line.claim(self.event, fan).await?;
            }
        }
        Ok(())
    }

    /// After some claims were missed and some sessions ended.
    async fn checkpoint(&self, now: Timestamp) -> Result<()> {
        let lanes = [self.lane.clone()];
        let settings = LineSettings::default();
        self.at(now.plus(settings.claim_window + settings.session))
            .await?;
        let swept = self.line.sweep(self.event, &lanes).await?;
        self.store
            .write_ended(self.event, &swept.ended, now)
            .await?;
        self.store
            .checkpoint(&self.line, self.event, &lanes, now)
            .await?;
        Ok(())
    }
}
