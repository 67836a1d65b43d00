//! Everything that Redis keeps of an event, against the model.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use redis::cmd;
use usher_base::redis::keys::of_event;
use usher_base::{EventId, OrderId};
use usher_booking::inventory::{SeatIndex, SeatStatus, TierIndex};

use super::model::Model;
use super::steps::{LONGEST_SEQUENCE_MS, SEATS};
use super::support::{START, World, at, fan};

/// What an event's inventory consists of, in the order of the scripts' keys.
pub const INVENTORY: [&str; 10] = [
    "seats",
    "owner",
    "holds",
    "due",
    "perfan",
    "tiers",
    "committing",
    "closed",
    "sold",
    "trail",
];
pub fn same<T: Debug + PartialEq>(redis: T, model: T) -> Result<(), TestCaseError> {
    prop_assert_eq!(redis, model, "redis (left) and the model (right) disagree");
    Ok(())
}

/// Everything that Redis keeps, after a sweep, is what the model has.
pub async fn compare(world: &World, event: EventId, model: &Model) -> Result<(), TestCaseError> {
    let holds = &world.holds;
    while holds.sweep(event).await.unwrap().more {}
    let bits = holds.seats(event, SEATS).await.unwrap().unwrap();
    for seat in (0..SEATS).map(SeatIndex) {
        prop_assert_eq!(bits.get(seat), model.status(seat), "{:?}", seat);
    }
    let held = (0..SEATS).filter(|s| bits.get(SeatIndex(*s)) == SeatStatus::Held);
    let owned: Vec<u32> = hash(world, event, "owner").await.into_keys().collect();
    same(
        owned.into_iter().collect::<BTreeSet<_>>(),
        held.collect::<BTreeSet<_>>(),
    )?;
    same(
        holds.places_left(event, 2).await.unwrap(),
        model.places_left(),
    )?;
    for tier in [TierIndex(0), TierIndex(1)] {
        prop_assert!(model.taken(tier) <= model.capacity(tier), "oversold");
    }
    let per_fan: BTreeMap<String, String> = hash(world, event, "perfan").await;
    for who in (0..2).map(fan) {
        let counted = per_fan
            .get(&who.to_string())
            .map_or(0, |n| n.parse().unwrap());
        same::<u32>(counted, model.tickets_of(who))?;
    }
    for expected in model.holds() {
        same(
            holds.get(event, expected.id).await.as_ref(),
            Ok(&expected.clone()),
        )?;
    }
    let decided: BTreeMap<OrderId, String> = hash(world, event, "sold").await;
    same(decided.into_keys().collect(), model.decided())?;
    let far = at(START + 2 * LONGEST_SEQUENCE_MS);
    let pinned = holds.committing(event, far, 100).await.unwrap();
    let pinned: BTreeSet<_> = pinned.iter().map(|p| (p.order, p.reservation)).collect();
    same(pinned, model.committing())
}

async fn hash<K: Ord + std::str::FromStr>(
    world: &World,
    event: EventId,
    name: &str,
) -> BTreeMap<K, String>
where
    K::Err: Debug,
{
    let mut get = cmd("HGETALL");
    get.arg(of_event(event, name));
    let pairs: BTreeMap<String, String> = world.redis.command(get).await.unwrap();
    pairs
        .into_iter()
        .map(|(k, v)| (k.parse().unwrap(), v))
        .collect()
}

/// Frees the memory of a finished sequence.
pub async fn forget(world: &World, event: EventId) {
    let mut unlink = cmd("UNLINK");
    for name in INVENTORY {
        unlink.arg(of_event(event, name));
    }
    world.redis.command::<i64>(unlink).await.unwrap();
}
