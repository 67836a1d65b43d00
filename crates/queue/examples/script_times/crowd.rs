//! So many fans, and how they join.

use std::time::Instant;

use anyhow::Result;
use futures::stream::{self, StreamExt, TryStreamExt};
use rand::SeedableRng;
use rand::rngs::StdRng;
use usher_base::{EventId, FanId, Lane};
use usher_queue::{JoinOrder, Line};

const JOINS_IN_FLIGHT: usize = 256;

/// Spread over the sorted set as random ids are.
pub fn fan(index: u32) -> FanId {
    FanId::random(&mut StdRng::seed_from_u64(index.into()))
}

pub async fn join_all(line: &Line, event: EventId, lane: &Lane, fans: u32) -> Result<()> {
    let started = Instant::now();
    let one = |who| async move {
        let order = JoinOrder {
            event,
            lane,
            other_lanes: &[],
            fan: fan(who),
            generation: 0,
            old_place: None,
            again: false,
        };
        line.join(&order).await.map(drop)
    };
    let mut joins = stream::iter(1..=fans)
        .map(one)
        .buffer_unordered(JOINS_IN_FLIGHT);
    while joins.try_next().await?.is_some() {}
    let rate = f64::from(fans) / started.elapsed().as_secs_f64();
    eprintln!("joins: {rate:.0} a second from {JOINS_IN_FLIGHT} at once");
    Ok(())
}
