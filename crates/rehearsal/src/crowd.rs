//! Sends the fans of one process off when the curve says so, and gathers what
//! they saw. The arrivals are open: a slow server is not spared the next fan.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval_at, sleep_until};

use crate::curve::{Curve, arrivals_ms};
use crate::fan;
use crate::plan::{Crowd, FanPlan};
use crate::record::FanRecord;
use crate::tally::{Live, Tally};
use crate::world::World;

/// How often the open streams are sampled and the live line is told.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);

/// Which part of the crowd a process plays: the fans whose index is `index`
/// modulo `count`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    pub index: u32,
    pub count: u32,
}

impl Shard {
    pub const WHOLE: Self = Self { index: 0, count: 1 };

    /// Reads `index/count`.
    pub fn parse(text: &str) -> Option<Self> {
        let (index, count) = text.split_once('/')?;
        let shard = Self {
            index: index.parse().ok()?,
            count: count.parse().ok()?,
        };
        (shard.index < shard.count).then_some(shard)
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Script {
    pub crowd: Crowd,
    pub curve: Curve,
    pub fans: u32,
    pub arrive_ms: u32,
    pub max_ms: u64,
}

#[derive(Debug)]
pub struct Outcome {
    pub records: Vec<FanRecord>,
    pub tally: Tally,
}

/// Plays one shard to its end: everybody done, the time up, or `world.stop`.
pub async fn play(
    world: &Arc<World>,
    script: &Script,
    shard: Shard,
    mut tell: impl FnMut(Live),
) -> Outcome {
    let arrivals = arrivals_ms(
        script.curve,
        script.fans,
        script.arrive_ms,
        script.crowd.seed,
    );
    let mut coming = (0..)
        .zip(arrivals)
        .filter(|(index, _)| index % shard.count == shard.index)
        .peekable();
    let mut fans: JoinSet<FanRecord> = JoinSet::new();
    let mut records = Vec::new();
    let mut sample = interval_at(world.clock.instant(0).into(), SAMPLE_EVERY);
    sample.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let deadline = world.clock.instant(script.max_ms);
    while coming.peek().is_some() || !fans.is_empty() {
        let next = coming
            .peek()
            .map(|(_, at_ms)| world.clock.instant(u64::from(*at_ms)));
        tokio::select! {
            biased;
            () = world.stop.cancelled() => break,
            () = sleep_until(deadline.into()) => break,
            due = sample.tick() => {
                world.meter.with(|tally, _| tally.sample_lag.record(due.elapsed()));
                tell(sample_now(world));
            }
            () = sleep_until(next.unwrap_or(deadline).into()), if next.is_some() => {
                while let Some((index, at_ms)) = coming.next_if(|(_, at_ms)| is_due(world, *at_ms)) {
                    send_off(world, script, &mut fans, index, at_ms);
                }
            }
            Some(done) = fans.join_next() => records.extend(done.ok()),
        }
    }
    world.stop.cancel();
    while let Some(done) = fans.join_next().await {
        records.extend(done.ok());
    }
    tell(sample_now(world));
    Outcome {
        records,
        tally: world.meter.tally(),
    }
}

fn is_due(world: &World, at_ms: u32) -> bool {
    world.clock.instant(u64::from(at_ms)) <= Instant::now()
}

fn send_off(
    world: &Arc<World>,
    script: &Script,
    fans: &mut JoinSet<FanRecord>,
    index: u32,
    at_ms: u32,
) {
    let lag = Instant::now().saturating_duration_since(world.clock.instant(u64::from(at_ms)));
    world.meter.with(|tally, live| {
        tally.start_lag.record(lag);
        tally.second(u64::from(at_ms)).arrivals += 1;
        live.arrived += 1;
    });
    let is_bot = script.curve.is_bot(index, script.fans);
    let plan = FanPlan::draw(&script.crowd, index, is_bot);
    fans.spawn(fan::live(Arc::clone(world), plan, script.crowd.seed));
}

/// Notes the gauges for the second that is just over.
fn sample_now(world: &World) -> Live {
    let now_ms = world
        .clock
        .now_ms()
        .saturating_sub(SAMPLE_EVERY.as_millis() as u64 / 2);
    world.meter.with(|tally, live| {
        let second = tally.second(now_ms);
        second.waiting = live.waiting;
        second.streams_open = live.streams;
        *live
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_part_the_crowd_without_rest() {
        assert_eq!(Shard::parse("1/3"), Some(Shard { index: 1, count: 3 }));
        for wrong in ["3/3", "x/1", "1", "", "1/0"] {
            assert_eq!(Shard::parse(wrong), None, "{wrong}");
        }
    }
}
