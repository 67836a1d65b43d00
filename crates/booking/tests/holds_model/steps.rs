//! The steps of a sequence, how they are made up, and how one is played on
//! Redis and the model at once.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::subsequence;
use proptest::test_runner::TestCaseError;
use usher_base::redis::keys::of_event;
use usher_base::{EventId, FanId, OrderId, ReservationId};
use usher_booking::SCRIPTS;
use usher_booking::holds::{HoldRequest, HoldRules, HoldTag, LiveOrder, SoldOrder, Stock, Unpin};
use usher_booking::inventory::{SeatIndex, Selection, TierIndex};

use super::compare::{INVENTORY, compare, forget, same};
use super::model::Model;
use super::support::{START, World, at, fan, order, reservation, select};

pub const SEATS: u32 = 6;
/// No seats: the padding of the last byte, and beyond it.
const NO_SEATS: [u32; 2] = [6, 9];
const TIERS: [u32; 2] = [3, 5];
/// Well below what a hold is remembered for after its end.
pub const LONGEST_SEQUENCE_MS: i64 = 600_000;

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
        nth: usize,
    },
    Unpin {
        nth: usize,
        back_ms: Option<u64>,
    },
    Restock {
        nth: usize,
    },
    Stock {
        block: Vec<SeatIndex>,
        unblock: Vec<SeatIndex>,
        /// Standing places that one tier has more from now on.
        more: (u16, u32),
    },
    /// Redis is lost and filled anew from what Postgres has.
    Rebuild {
        /// Somebody else's rebuild, which was overtaken, writes once more.
        is_disturbed: bool,
        /// Pinned holds whose orders never came to Postgres.
        unrecorded: usize,
    },
    Sweep,
    Wait {
        ms: u64,
    },
}

fn selections() -> impl Strategy<Value = Selection> {
    let seats = subsequence((0..SEATS).chain(NO_SEATS).collect::<Vec<_>>(), 0..=4);
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

/// Whole half seconds, so that deadlines are often met to the millisecond.
fn halves(range: std::ops::Range<u64>) -> impl Strategy<Value = u64> + Clone {
    range.prop_map(|n| n * 500)
}

/// A hold and its fan, seldom another fan.
fn a_fans_hold(holds: u128) -> impl Strategy<Value = (u128, u128)> + Clone {
    let whose = |id: u128, stranger: bool| (id, (id + u128::from(stranger)) % 2);
    (0..holds, proptest::bool::weighted(0.05)).prop_map(move |(id, other)| whose(id, other))
}

/// Few holds, so that much happens to each, or more, so that they meet.
pub fn sequences() -> impl Strategy<Value = Vec<Step>> {
    prop_oneof![steps(1), steps(2), steps(3), steps(6)]
}

fn steps(holds: u128) -> impl Strategy<Value = Vec<Step>> {
    let (mine, paid) = (a_fans_hold(holds), 0u128..12);
    // Of the orders so far, counted from the last.
    let nth = prop_oneof![2 => Just(0usize), 3 => 1usize..12];
    let tag = prop_oneof![9 => Just(0u8), 1 => Just(1u8)];
    let hold = (mine.clone(), selections(), halves(1..24), tag);
    let hold = hold.prop_map(|((id, fan), selection, ttl_ms, tag)| Step::Hold {
        id,
        fan,
        selection,
        ttl_ms,
        tag,
    });
    let step = prop_oneof![
        8 => hold,
        2 => (mine.clone(), 0u8..3).prop_map(|((id, fan), tag)| Step::Extend { id, fan, tag }),
        2 => mine.clone().prop_map(|(id, fan)| Step::Release { id, fan }),
        1 => mine.clone().prop_map(|(id, _)| Step::Cancel { id }),
        6 => (mine, paid).prop_map(|((id, fan), order)| Step::Commit { id, fan, order }),
        3 => nth.clone().prop_map(|nth| Step::Settle { nth }),
        3 => (nth.clone(), proptest::option::weighted(0.8, halves(1..18)))
            .prop_map(|(nth, back_ms)| Step::Unpin { nth, back_ms }),
        1 => nth.prop_map(|nth| Step::Restock { nth }),
        1 => (some_seats(), some_seats(), (0u16..2, 0u32..3))
            .prop_map(|(block, unblock, more)| Step::Stock { block, unblock, more }),
        1 => (any::<bool>(), 0usize..3).prop_map(|(is_disturbed, unrecorded)| Step::Rebuild {
            is_disturbed,
            unrecorded,
        }),
        1 => Just(Step::Sweep),
        4 => prop_oneof![3 => halves(1..4), 1 => halves(1..24)].prop_map(|ms| Step::Wait { ms }),
    ];
    vec(step, 1..100)
}

/// The attempts at payment so far, as Postgres knows them.
#[derive(Default)]
struct Orders {
    /// Which hold each is about, fixed by its first commit. The last is last.
    committed: Vec<SoldOrder>,
    named: BTreeMap<u128, OrderId>,
    made: u128,
}

impl Orders {
    fn named(&mut self, name: u128) -> OrderId {
        *self.named.entry(name).or_insert_with(|| {
            self.made += 1;
            order(self.made)
        })
    }

    /// Redis does not know the others any more. Postgres does, and takes none of
    /// them a second time: their names stand for new orders from now on.
    fn forget_all_but(&mut self, live: &[LiveOrder]) {
        let is_live = |id: &OrderId| live.iter().any(|order| order.order == *id);
        self.committed.retain(|sold| is_live(&sold.order));
        self.named.retain(|_, id| is_live(id));
    }
}

pub async fn play(world: &World, event: EventId, steps: &[Step]) -> Result<(), TestCaseError> {
    let stock = Stock {
        seats: SEATS,
        blocked: vec![SeatIndex(SEATS - 1)],
        tiers: TIERS.to_vec(),
    };
    world.open(event, &stock, &[]).await;
    let mut model = Model::new(stock, at(START));
    let mut orders = Orders::default();
    for step in steps {
        take(world, event, &mut model, &mut orders, step).await?;
    }
    compare(world, event, &model).await?;
    forget(world, event).await;
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
        Step::Settle { nth } | Step::Unpin { nth, .. } | Step::Restock { nth } => {
            match orders.committed.iter().rev().nth(nth) {
                Some(order) => decide(world, event, model, order, step).await,
                None => Ok(()),
            }
        }
        other => keep_shop(world, event, model, orders, other).await,
    }
}

/// What operators, losses and time do.
async fn keep_shop(
    world: &World,
    event: EventId,
    model: &mut Model,
    orders: &mut Orders,
    step: Step,
) -> Result<(), TestCaseError> {
    match step {
        Step::Stock {
            block,
            unblock,
            more: (tier, more),
        } => {
            let tier = TierIndex(tier);
            let capacities = [(tier, model.capacity(tier) + more)];
            same(
                world
                    .holds
                    .stock(event, &block, &unblock, &capacities)
                    .await,
                model.stock(&block, &unblock, &capacities),
            )
        }
        Step::Rebuild {
            is_disturbed,
            unrecorded,
        } => {
            rebuild(world, event, model, orders, (is_disturbed, unrecorded)).await;
            compare(world, event, model).await
        }
        Step::Sweep => compare(world, event, model).await,
        Step::Wait { ms } => {
            let now = model.now.plus(Duration::from_millis(ms));
            let now = now.min(at(START + LONGEST_SEQUENCE_MS));
            world.set_now(event, now.millis()).await;
            model.advance(now);
            Ok(())
        }
        _ => Ok(()),
    }
}

async fn commit(
    world: &World,
    event: EventId,
    model: &mut Model,
    orders: &mut Orders,
    (id, who, n): (ReservationId, FanId, u128),
) -> Result<(), TestCaseError> {
    let order = orders.named(n);
    let known = orders.committed.iter().find(|known| known.order == order);
    if known.is_some_and(|known| known.reservation != id) {
        return Ok(());
    }
    let is_new = known.is_none();
    let pinned = world.holds.commit(event, id, who, order).await;
    if let (Ok(pinned), true) = (&pinned, is_new) {
        orders.committed.push(SoldOrder {
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

async fn rebuild(
    world: &World,
    event: EventId,
    model: &mut Model,
    orders: &mut Orders,
    (is_disturbed, unrecorded): (bool, usize),
) {
    let (stock, live) = model.in_postgres(unrecorded);
    assert!(world.redis.begin_rebuild(event).await.unwrap());
    let run = 2;
    let rebuilt = world.holds.rebuild(event, &stock, &live, run).await;
    assert_eq!(rebuilt.unwrap().seats, SEATS);
    if is_disturbed {
        let fill = SCRIPTS.iter().find(|script| script.name == "rebuild_fill");
        let late = world.redis.script(fill.unwrap());
        let late = late.key(&of_scripts(event)[..]).arg("1").arg("owner");
        let answer: Vec<String> = late.arg("0").arg("a stranger").run().await.unwrap();
        assert_eq!(answer, ["overtaken"]);
    }
    world.redis.open_rebuilt(event, false).await.unwrap();
    model.rebuild(&live);
    orders.forget_all_but(&live);
}

/// The keys of every booking script, as `record.lua` lists them.
fn of_scripts(event: EventId) -> Vec<String> {
    let names = ["meta"].into_iter().chain(INVENTORY);
    names.map(|name| of_event(event, name)).collect()
}
