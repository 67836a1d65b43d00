//! One fan as a state machine: join, wait, claim, shop, pay. The steps are in
//! `line`, `shop` and `cheat`; here is what they share and how a life ends.

mod cheat;
mod line;
mod shop;

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::sleep;

use crate::api::{Api, No};
use crate::plan::FanPlan;
use crate::record::{Ending, FanRecord};
use crate::wire::HeldPlace;
use crate::world::World;

/// How often a fan tries one step before giving up.
const TRIES_MAX: u32 = 60;
/// Shortest and longest pause between two tries when the server names none.
const BACKOFF_MIN: Duration = Duration::from_millis(500);
const BACKOFF_MAX: Duration = Duration::from_secs(10);
/// Longest `Retry-After` that a fan believes.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub struct Fan {
    world: Arc<World>,
    api: Api,
    plan: FanPlan,
    record: FanRecord,
    random: StdRng,
    client_join_id: String,
    queue_token: String,
    access_token: String,
    /// The places of the hold that this fan is about to pay.
    held: Vec<HeldPlace>,
}

/// Lives one fan's whole rehearsal and hands back what it saw.
pub async fn live(world: Arc<World>, plan: FanPlan, seed: u64) -> FanRecord {
    let mut random = StdRng::seed_from_u64(seed ^ (u64::from(plan.index) << 32));
    let mut fan = Fan {
        api: Api::new(Arc::clone(&world), plan.index),
        record: FanRecord::new(plan.index),
        client_join_id: format!("{:032x}", random.random::<u128>()),
        queue_token: String::new(),
        access_token: String::new(),
        held: Vec::new(),
        world,
        plan,
        random,
    };
    let stop = fan.world.stop.clone();
    let ending = tokio::select! {
        biased;
        () = stop.cancelled() => Ending::RunEnded,
        ending = Box::pin(fan.go()) => ending,
    };
    let waited = fan.record.joined_ms.is_some() && fan.record.admitted_ms.is_none();
    fan.world.meter.with(|_, live| {
        live.done += 1;
        live.waiting -= u64::from(waited);
    });
    fan.record.end(ending, fan.world.clock.now_ms());
    fan.record
}

impl Fan {
    async fn go(&mut self) -> Ending {
        match self.try_all().await {
            Ok(ending) | Err(ending) => ending,
        }
    }

    async fn try_all(&mut self) -> Result<Ending, Ending> {
        self.join().await?;
        if let Some(cheat) = self.plan.cheat {
            self.cheat(cheat).await;
        }
        self.wait().await?;
        if self.plan.is_no_show {
            return Err(Ending::NoShow);
        }
        self.claim().await?;
        self.shop().await
    }

    /// Waits as the server asks, or a growing while; `Err` when it was enough.
    async fn hold_on(&mut self, tried: u32, no: &No) -> Result<(), Ending> {
        if tried >= TRIES_MAX {
            return Err(Ending::TurnedAway);
        }
        if no.status == 0 {
            self.api.try_next_edge();
        }
        let grown = BACKOFF_MIN
            .saturating_mul(1 << tried.min(5))
            .min(BACKOFF_MAX);
        let pause = no
            .retry_after
            .map_or(grown, |asked| asked.min(RETRY_AFTER_MAX));
        // Up to half as long again, so that a crowd that was refused comes back spread.
        sleep(pause.mul_f64(1.0 + self.random.random::<f64>() / 2.0)).await;
        Ok(())
    }
}

/// Whether asking again can help: no answer, refused early, or a server error.
fn may_pass(no: &No) -> bool {
    matches!(no.status, 0 | 408 | 425 | 429 | 500..)
}
