//! The steps of a sequence, how they are made up, and how one is played on
//! Redis and the model at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::subsequence;
use proptest::test_runner::TestCaseError;
use redis::cmd;
use usher_base::redis::keys::of_event;
use usher_base::{EventId, FanId, OrderId, ReservationId};
use usher_booking::holds::{HoldRequest, HoldRules, HoldTag, SoldOrder, Stock, Unpin};
use usher_booking::inventory::{SeatIndex, SeatStatus, Selection, TierIndex};

use super::model::Model;
use super::support::{START, World, at, fan, order, reservation, select};

const SEATS: u32 = 10;
const TIERS: [u32; 2] = [3, 5];
/// Well below what a hold is remembered for after its end.
const LONGEST_SEQUENCE_MS: i64 = 600_000;

const RULES: HoldRules = HoldRules {
    tickets_per_order: 4,
    tickets_per_fan: 6,
    ttl: Duration::from_millis(10_000),
    extension: Duration::from_millis(4_000),
    extensions: 2,
    longest: Duration::from_millis(16_000),
};

#[derive(Clone, Debug)]
pub enum Step {
    Hold {
        id: u128,
        fan: u128,
        selection: Selection,
        ttl_ms: u64,
        tag: u8,
    },
    Extend {
        id: u128,
        fan: u128,
        tag: u8,
    },
    Release {
        id: u128,
        fan: u128,
    },
    Cancel {
        id: u128,
    },
    Commit {
        id: u128,
        fan: u128,
        order: u128,
    },
    Settle {
        order: u128,
    },
    Unpin {
        order: u128,
        back_ms: Option<u64>,
    },
    Restock {
        order: u128,
    },
    Stock {
        block: Vec<SeatIndex>,
        unblock: Vec<SeatIndex>,
    },
    Sweep,
    Wait {
        ms: i64,
    },
}

fn selections() -> impl Strategy<Value = Selection> {
    let seats = subsequence((0..=SEATS).collect::<Vec<_>>(), 0..=5);
    let tiers = vec((0u16..2, 0u32..4), 0..2);
    (seats, tiers)
        .prop_filter("something must be chosen", |(seats, tiers)| {
            !seats.is_empty() || tiers.iter().any(|(_, count)| *count > 0)
        })
        .prop_map(|(seats, tiers)| select(&seats, &tiers))
}

fn some_seats() -> impl Strategy<Value = Vec<SeatIndex>> {
    let all: Vec<_> = (0..SEATS).map(SeatIndex).collect();
    subsequence(all, 0..3)
}

pub fn sequences() -> impl Strategy<Value = Vec<Step>> {
    let (id, who, paid) = (0u128..8, 0u128..3, 0u128..6);
    let hold = (id.clone(), who.clone(), selections(), 1u64..12_000, 0u8..2);
    let hold = hold.prop_map(|(id, fan, selection, ttl_ms, tag)| Step::Hold {
        id,
        fan,
        selection,
        ttl_ms,
        tag,
    });
    let mine = (id.clone(), who);
    let step = prop_oneof![
        8 => hold,
        2 => (mine.clone(), 0u8..3).prop_map(|((id, fan), tag)| Step::Extend { id, fan, tag }),
        2 => mine.clone().prop_map(|(id, fan)| Step::Release { id, fan }),
        1 => id.prop_map(|id| Step::Cancel { id }),
        6 => (mine, paid.clone()).prop_map(|((id, fan), order)| Step::Commit { id, fan, order }),
        3 => paid.clone().prop_map(|order| Step::Settle { order }),
        3 => (paid.clone(), proptest::option::weighted(0.7, 1u64..9_000))
            .prop_map(|(order, back_ms)| Step::Unpin { order, back_ms }),
        1 => paid.prop_map(|order| Step::Restock { order }),
        1 => (some_seats(), some_seats())
            .prop_map(|(block, unblock)| Step::Stock { block, unblock }),
        1 => Just(Step::Sweep),
        4 => prop_oneof![1i64..1_500, 1i64..15_000].prop_map(|ms| Step::Wait { ms }),
    ];
    vec(step, 1..60)
}

/// Which hold an order is about: fixed by its first commit.
type Orders = BTreeMap<OrderId, SoldOrder>;

pub async fn play(world: &World, event: EventId, steps: &[Step]) -> Result<(), TestCaseError> {
    let stock = Stock {
        seats: SEATS,
        blocked: vec![SeatIndex(SEATS - 1)],
        tiers: TIERS.to_vec(),
    };
    world.open(event, &stock, &[]).await;
    let mut model = Model::new(stock, at(START));
    let mut orders = Orders::new();
    for step in steps {
        take(world, event, &mut model, &mut orders, step).await?;
    }
    compare(world, event, &model).await?;
    forget(world, event).await;
    Ok(())
}

fn same<T: Debug + PartialEq>(redis: T, model: T) -> Result<(), TestCaseError> {
    prop_assert_eq!(redis, model, "redis (left) and the model (right) disagree");
    Ok(())
}

async fn take(
    world: &World,
    event: EventId,
    model: &mut Model,
    orders: &mut Orders,
    step: &Step,
) -> Result<(), TestCaseError> {
    let holds = &world.holds;
    match step.clone() {
        Step::Hold {
            id,
            fan: who,
            selection,
            ttl_ms,
            tag,
        } => {
            let ask = HoldRequest {
                id: reservation(id),
                fan: fan(who),
                selection,
                ttl: Duration::from_millis(ttl_ms),
                tag: HoldTag::of(&[tag]),
            };
            same(
                holds.hold(event, &ask, &RULES).await,
                model.hold(&ask, &RULES),
            )
        }
        Step::Extend { id, fan: who, tag } => {
            let (id, who, tag) = (reservation(id), fan(who), HoldTag::of(&[tag]));
            same(
                holds.extend(event, (id, who), None, tag, &RULES).await,
                model.extend(id, who, tag, &RULES),
            )
        }
        Step::Release { id, fan: who } => {
            let (id, who) = (reservation(id), fan(who));
            same(holds.release(event, id, who).await, model.release(id, who))
        }
        Step::Cancel { id } => {
            let id = reservation(id);
            same(holds.cancel(event, id).await, model.cancel(id))
        }
        Step::Commit {
            id,
            fan: who,
            order: n,
        } => commit(world, event, model, orders, (reservation(id), fan(who), n)).await,
        Step::Stock { block, unblock } => same(
            holds.stock(event, &block, &unblock, &[]).await,
            model.stock(&block, &unblock),
        ),
        Step::Sweep => compare(world, event, model).await,
        Step::Wait { ms } => {
            let now = (model.now.millis() + ms).min(START + LONGEST_SEQUENCE_MS);
            world.set_now(event, now).await;
            model.advance(at(now));
            Ok(())
        }
        Step::Settle { order: n } | Step::Unpin { order: n, .. } | Step::Restock { order: n } => {
            let Some(known) = orders.get(&order(n)).cloned() else {
                return Ok(());
            };
            decide(world, event, model, &known, step).await
        }
    }
}

async fn commit(
    world: &World,
    event: EventId,
    model: &mut Model,
    orders: &mut Orders,
    (id, who, n): (ReservationId, FanId, u128),
) -> Result<(), TestCaseError> {
    let order = order(n);
    if orders.get(&order).is_some_and(|o| o.reservation != id) {
        return Ok(());
    }
    let pinned = world.holds.commit(event, id, who, order).await;
    if let Ok(pinned) = &pinned {
        orders.entry(order).or_insert_with(|| SoldOrder {
            order,
            reservation: id,
            fan: who,
            selection: pinned.hold.selection.clone(),
        });
    }
    same(pinned, model.commit(id, who, order))
}

/// What Postgres decided about an order.
async fn decide(
    world: &World,
    event: EventId,
    model: &mut Model,
    order: &SoldOrder,
    step: &Step,
) -> Result<(), TestCaseError> {
    let (holds, id, hold) = (&world.holds, order.order, order.reservation);
    match step {
        Step::Settle { .. } if !model.may_be_paid(order) => Ok(()),
        Step::Settle { .. } => same(holds.settle(event, order).await, Ok(model.settle(order))),
        Step::Restock { .. } => same(
            holds.restock(event, id, hold).await,
            Ok(model.restock(id, hold)),
        ),
        Step::Unpin { back_ms, .. } => {
            let back = back_ms.map(|ms| Unpin::BackToFan(Duration::from_millis(ms)));
            let then = back.unwrap_or(Unpin::Free);
            same(
                holds.unpin(event, id, hold, then).await,
                Ok(model.unpin(id, hold, then)),
            )
        }
        _ => Ok(()),
    }
}

/// Everything that Redis keeps, after a sweep, is what the model has.
async fn compare(world: &World, event: EventId, model: &Model) -> Result<(), TestCaseError> {
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
        prop_assert!(model.taken(tier) <= TIERS[usize::from(tier.0)], "oversold");
    }
    let per_fan: BTreeMap<String, String> = hash(world, event, "perfan").await;
    for who in (0..3).map(fan) {
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
async fn forget(world: &World, event: EventId) {
    let names = [
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
    let mut unlink = cmd("UNLINK");
    for name in names {
        unlink.arg(of_event(event, name));
    }
    world.redis.command::<i64>(unlink).await.unwrap();
}
