//! What becomes of the inventory when Redis forgets, fills up or falls behind:
//! rebuilding (and how long it takes), the backlog of due holds, forgetting,
//! and how long each script keeps Redis busy.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::{Duration, Instant};

use redis::cmd;
use support::{START, World, at, event, fan, order, reservation, select};
use usher_base::redis::keys::of_event;
use usher_base::redis::{CallError, TimeSource};
use usher_base::{Epoch, EventId};
use usher_booking::holds::{
    HoldError, HoldRequest, HoldRules, HoldTag, LiveOrder, LiveOrderState, RebuildError,
    ReservationStatus, Settled, SoldOrder, Stock, TrailKind, Unpin, Unpinned,
};
use usher_booking::inventory::{SeatIndex, SeatStatus, Selection, TierIndex};

fn ask(n: u128, selection: Selection) -> HoldRequest {
    HoldRequest {
        id: reservation(n),
        fan: fan(n),
        selection,
        ttl: Duration::from_secs(600),
        tag: HoldTag::of(b"one request"),
    }
}

fn stock(seats: u32, tiers: &[u32]) -> Stock {
    Stock {
        seats,
        blocked: Vec::new(),
        tiers: tiers.to_vec(),
    }
}

/// 60,000 seats: 40,000 paid in pairs, 10,000 being paid, some standing.
fn a_stadium() -> (Stock, Vec<LiveOrder>) {
    let live = |n: u32| {
        let first = 2 * n;
        LiveOrder {
            order: order(n.into()),
            reservation: reservation(n.into()),
            fan: fan(n.into()),
            selection: select(&[first, first + 1], &[(0, 1)]),
            state: if n < 20_000 {
                LiveOrderState::Paid
            } else {
                LiveOrderState::Pending { since: at(START) }
            },
        }
    };
    let stock = Stock {
        seats: 60_000,
        blocked: vec![SeatIndex(59_999)],
        tiers: vec![40_000],
    };
    (stock, (0..25_000).map(live).collect())
}

#[tokio::test]
async fn a_stadium_is_rebuilt_from_postgres_alone() {
    let world = World::start(TimeSource::Test).await;
    let (stock, orders) = a_stadium();
    let started = Instant::now();
    let rebuilt = world.open(event(1), &stock, &orders).await;
    let took = started.elapsed();
    println!("60,000 seats, {} orders: rebuilt in {took:?}", orders.len());
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert_eq!(
        (rebuilt.booked_seats, rebuilt.paid_orders),
        (40_000, 20_000)
    );
    assert_eq!(rebuilt.pending_orders, 5_000);

    let holds = &world.holds;
    let counts = holds
        .seats(event(1), 60_000)
        .await
        .unwrap()
        .unwrap()
        .counts();
    assert_eq!((counts.booked, counts.held), (40_000, 10_000));
    assert_eq!((counts.available, counts.blocked), (9_999, 1));
    assert_eq!(holds.places_left(event(1), 1).await.unwrap(), [15_000]);
    let pinned = holds
        .committing(event(1), at(START + 1), 6_000)
        .await
        .unwrap();
    assert_eq!(pinned.len(), 5_000);

    // A pending order goes on as if nothing had happened, to either end.
    let (paid, failed) = (&orders[20_000], &orders[20_001]);
    let sold = SoldOrder {
        order: paid.order,
        reservation: paid.reservation,
        fan: paid.fan,
        selection: paid.selection.clone(),
    };
    assert_eq!(holds.settle(event(1), &sold).await.unwrap(), Settled::Now);
    let back = Unpin::BackToFan(Duration::from_secs(60));
    let unpinned = holds
        .unpin(event(1), failed.order, failed.reservation, back)
        .await;
    let Unpinned::Held(hold) = unpinned.unwrap() else {
        panic!("it was pinned");
    };
    assert_eq!(hold.expires_at, at(START + 60_000));
    // A paid one is known: settling again does nothing, and its fan's tickets count.
    let known = SoldOrder {
        order: orders[0].order,
        reservation: orders[0].reservation,
        fan: orders[0].fan,
        selection: orders[0].selection.clone(),
    };
    assert_eq!(
        holds.settle(event(1), &known).await.unwrap(),
        Settled::Already
    );
    let mut more = ask(900_000, select(&[50_000], &[]));
    more.fan = orders[0].fan;
    let rules = HoldRules {
        tickets_per_fan: 3,
        ..HoldRules::default()
    };
    let refused = holds.hold(event(1), &more, &rules).await;
    assert_eq!(refused, Err(HoldError::FanLimit { limit: 3, has: 3 }));
}

#[tokio::test]
async fn of_two_rebuilds_the_overtaken_one_is_told() {
    let world = World::start(TimeSource::Test).await;
    let (stock, orders) = a_stadium();
    assert!(world.redis.begin_rebuild(event(1)).await.unwrap());
    let (one, other) = tokio::join!(
        world.holds.rebuild(event(1), &stock, &orders, 1),
        world.holds.rebuild(event(1), &stock, &orders, 2),
    );
    let overtaken = [&one, &other]
        .iter()
        .filter(|r| ***r == Err(RebuildError::Overtaken))
        .count();
    assert_eq!(overtaken, 1, "{one:?} {other:?}");
}

#[tokio::test]
async fn nothing_is_held_before_the_rebuild_is_done() {
    let world = World::start(TimeSource::Test).await;
    world.open(event(1), &stock(8, &[]), &[]).await;
    let rules = HoldRules::default();
    world.redis.load_scripts(Epoch(2)).await.unwrap();
    let request = ask(1, select(&[1], &[]));
    let stale = world.holds.hold(event(1), &request, &rules).await;
    assert_eq!(stale, Err(CallError::Stale.into()));
    assert!(world.redis.begin_rebuild(event(1)).await.unwrap());
    let closed = world.holds.hold(event(1), &request, &rules).await;
    assert_eq!(closed, Err(CallError::Rebuilding.into()));
    let rebuilt = world.holds.rebuild(event(1), &stock(8, &[]), &[], 7).await;
    assert_eq!(rebuilt.unwrap().seats, 8);
    world.redis.open_rebuilt(event(1), false).await.unwrap();
    assert!(world.holds.hold(event(1), &request, &rules).await.is_ok());
    let forgotten = world.holds.rebuild(event(1), &stock(8, &[]), &[], 8).await;
    assert_eq!(forgotten, Err(CallError::Rebuilding.into()), "it is open");
}

/// More holds are due than one call ends: refusing would be wrong, and so
/// would be selling what is not free.
#[tokio::test]
async fn a_backlog_of_due_holds_costs_nobody_a_place() {
    let world = World::start(TimeSource::Test).await;
    world.open(event(1), &stock(0, &[100]), &[]).await;
    let rules = HoldRules::default();
    for n in 0..100 {
        let one = ask(n, select(&[], &[(0, 1)]));
        world.holds.hold(event(1), &one, &rules).await.unwrap();
    }
    let late = ask(1000, select(&[], &[(0, 4)]));
    let refused = world.holds.hold(event(1), &late, &rules).await;
    let tiers = vec![TierIndex(0)];
    assert_eq!(
        refused,
        Err(HoldError::Unavailable {
            seats: vec![],
            tiers
        })
    );
    world.set_now(event(1), START + 600_000).await;
    for n in 0..25 {
        let four = ask(1000 + n, select(&[], &[(0, 4)]));
        world.holds.hold(event(1), &four, &rules).await.unwrap();
    }
    assert_eq!(world.holds.places_left(event(1), 1).await.unwrap(), [0]);
}

#[tokio::test]
async fn an_ended_hold_is_remembered_and_then_forgotten() {
    let world = World::start(TimeSource::Test).await;
    world.open(event(1), &stock(8, &[]), &[]).await;
    let rules = HoldRules::default();
    let request = ask(1, select(&[1, 2], &[]));
    world.holds.hold(event(1), &request, &rules).await.unwrap();
    world.set_now(event(1), START + 600_000).await;
    let swept = world.holds.sweep(event(1)).await.unwrap();
    assert_eq!((swept.ended, swept.more), (1, false));
    let again = world.holds.hold(event(1), &request, &rules).await;
    let ended = again.unwrap_err();
    assert_eq!(ended.expired_at(), Some(at(START + 600_000)));
    let kept = world.holds.get(event(1), request.id).await.unwrap();
    assert_eq!(kept.status, ReservationStatus::Expired);
    world.set_now(event(1), START + 600_000 + 900_000).await;
    world.holds.sweep(event(1)).await.unwrap();
    let gone = world.holds.get(event(1), request.id).await;
    assert_eq!(gone, Err(HoldError::NotFound));
}

#[tokio::test]
async fn the_trail_tells_what_happened_in_order() {
    let world = World::start(TimeSource::Test).await;
    world.open(event(1), &stock(8, &[5]), &[]).await;
    let (holds, rules) = (&world.holds, HoldRules::default());
    let request = ask(1, select(&[1, 2], &[(0, 2)]));
    holds.hold(event(1), &request, &rules).await.unwrap();
    let hold = (request.id, request.fan);
    holds
        .extend(event(1), hold, None, HoldTag::of(b"x"), &rules)
        .await
        .unwrap();
    holds
        .commit(event(1), hold.0, hold.1, order(1))
        .await
        .unwrap();
    holds
        .unpin(event(1), order(1), hold.0, Unpin::Free)
        .await
        .unwrap();
    let trail = holds.trail(event(1), None, 100).await.unwrap();
    let kinds: Vec<_> = trail.iter().map(|entry| entry.kind).collect();
    use TrailKind::{Cancelled, Committing, Created, Extended};
    assert_eq!(kinds, [Created, Extended, Committing, Cancelled]);
    assert_eq!(trail[2].order, Some(order(1)));
    assert_eq!(trail[0].seats, [SeatIndex(1), SeatIndex(2)]);
    assert_eq!((trail[0].fan, trail[0].at), (fan(1), at(START)));
    let rest = holds
        .trail(event(1), Some(&trail[1].id), 100)
        .await
        .unwrap();
    assert_eq!(rest, trail[2..]);
}

/// Postgres sold a seat that Redis believed in another commit: when that one
/// fails, the seat stays sold.
#[tokio::test]
async fn a_seat_that_was_taken_away_is_not_freed() {
    let world = World::start(TimeSource::Test).await;
    world.open(event(1), &stock(8, &[]), &[]).await;
    let (holds, rules) = (&world.holds, HoldRules::default());
    let request = ask(1, select(&[1, 2], &[]));
    holds.hold(event(1), &request, &rules).await.unwrap();
    let pinned = holds
        .commit(event(1), request.id, request.fan, order(1))
        .await;
    assert!(!pinned.unwrap().repeated);
    let sold = SoldOrder {
        order: order(2),
        reservation: reservation(2),
        fan: fan(2),
        selection: select(&[2, 3], &[]),
    };
    assert_eq!(
        holds.settle(event(1), &sold).await.unwrap(),
        Settled::Forced
    );
    let failed = holds
        .unpin(event(1), order(1), request.id, Unpin::Free)
        .await;
    assert!(matches!(failed, Ok(Unpinned::Freed(_))));
    let bits = holds.seats(event(1), 8).await.unwrap().unwrap();
    assert_eq!(bits.get(SeatIndex(1)), SeatStatus::Available);
    assert_eq!(bits.get(SeatIndex(2)), SeatStatus::Booked);
    let again = holds
        .hold(event(1), &ask(3, select(&[2], &[])), &rules)
        .await;
    assert!(matches!(again, Err(HoldError::Unavailable { .. })));
}

/// Redis that is full takes no new holds, but everything that makes it emptier
/// or finishes what is paid still works.
#[tokio::test]
async fn a_full_redis_can_get_emptier() {
    let world = World::start(TimeSource::Test).await;
    world.open(event(1), &stock(40, &[]), &[]).await;
    let (holds, rules) = (&world.holds, HoldRules::default());
    for n in 0..4 {
        let one = ask(n, select(&[u32::try_from(n).unwrap()], &[]));
        holds.hold(event(1), &one, &rules).await.unwrap();
    }
    for n in 1..4 {
        holds
            .commit(event(1), reservation(n), fan(n), order(n))
            .await
            .unwrap();
    }
    let mut full = cmd("CONFIG");
    full.arg("SET").arg("maxmemory").arg("1mb");
    world.redis.command::<()>(full).await.unwrap();
    let more = ask(9, select(&[9], &[]));
    let refused = holds.hold(event(1), &more, &rules).await;
    assert_eq!(refused, Err(CallError::OutOfMemory.into()));
    holds
        .release(event(1), reservation(0), fan(0))
        .await
        .unwrap();
    let sold = SoldOrder {
        order: order(1),
        reservation: reservation(1),
        fan: fan(1),
        selection: select(&[1], &[]),
    };
    assert_eq!(holds.settle(event(1), &sold).await.unwrap(), Settled::Now);
    let freed = holds
        .unpin(event(1), order(2), reservation(2), Unpin::Free)
        .await;
    assert!(matches!(freed, Ok(Unpinned::Freed(_))));
    assert!(
        holds
            .restock(event(1), order(1), reservation(1))
            .await
            .unwrap()
    );
    holds.sweep(event(1)).await.unwrap();
    let bits = holds.seats(event(1), 40).await.unwrap().unwrap();
    assert_eq!(
        (bits.counts().held, bits.get(SeatIndex(1))),
        (1, SeatStatus::Available)
    );
}

async fn script_micros(world: &World) -> f64 {
    let mut info = cmd("INFO");
    info.arg("commandstats");
    let text: String = world.redis.command(info).await.unwrap();
    let line = text
        .lines()
        .find(|l| l.starts_with("cmdstat_evalsha:"))
        .unwrap();
    let per_call = line.split("usec_per_call=").nth(1).unwrap();
    per_call.split(',').next().unwrap().parse().unwrap()
}

async fn reset_stats(world: &World) {
    let mut reset = cmd("CONFIG");
    world
        .redis
        .command::<()>(reset.arg("RESETSTAT").to_owned())
        .await
        .unwrap();
}

async fn hold_many(world: &World, id: EventId, from: u32, count: u32) {
    let rules = HoldRules::default();
    for n in from..from + count {
        let seats: Vec<u32> = (4 * n..4 * n + 4).collect();
        let request = ask(n.into(), select(&seats, &[]));
        world.holds.hold(id, &request, &rules).await.unwrap();
    }
}

/// What Redis itself counts, in a stadium that is half full.
#[tokio::test]
async fn every_script_is_quick() {
    const CALLS: u32 = 1000;
    let world = World::start(TimeSource::Test).await;
    let id = event(1);
    world.open(id, &stock(60_000, &[]), &[]).await;
    let holds = &world.holds;
    let mut figures = Vec::new();

    reset_stats(&world).await;
    hold_many(&world, id, 0, CALLS).await;
    figures.push(("hold, 4 seats", script_micros(&world).await));
    reset_stats(&world).await;
    for n in 0..u128::from(CALLS) {
        holds
            .commit(id, reservation(n), fan(n), order(n))
            .await
            .unwrap();
    }
    figures.push(("commit", script_micros(&world).await));
    reset_stats(&world).await;
    for n in 0..CALLS {
        let seats: Vec<u32> = (4 * n..4 * n + 4).collect();
        let sold = SoldOrder {
            order: order(n.into()),
            reservation: reservation(n.into()),
            fan: fan(n.into()),
            selection: select(&seats, &[]),
        };
        holds.settle(id, &sold).await.unwrap();
    }
    figures.push(("settle", script_micros(&world).await));
    hold_many(&world, id, CALLS, CALLS).await;
    reset_stats(&world).await;
    for n in u128::from(CALLS)..u128::from(2 * CALLS) {
        holds.release(id, reservation(n), fan(n)).await.unwrap();
    }
    figures.push(("free", script_micros(&world).await));
    hold_many(&world, id, 2 * CALLS, CALLS).await;
    world.set_now(id, START + 600_000).await;
    reset_stats(&world).await;
    let one = ask(900_000, select(&[59_000, 59_001], &[]));
    holds.hold(id, &one, &HoldRules::default()).await.unwrap();
    figures.push(("hold that ends 20 due ones", script_micros(&world).await));
    reset_stats(&world).await;
    while holds.sweep(id).await.unwrap().more {}
    figures.push(("sweep of 50 due ones", script_micros(&world).await));
    println!("microseconds of Redis a call: {figures:#?}");
    let slow: Vec<_> = figures.iter().filter(|f| f.1 > 5_000.0).collect();
    assert!(slow.is_empty(), "{slow:?}");
}

#[tokio::test]
async fn a_lost_memory_is_no_free_seat() {
    let world = World::start(TimeSource::Test).await;
    world.open(event(1), &stock(8, &[]), &[]).await;
    let mut unlink = cmd("UNLINK");
    unlink.arg(of_event(event(1), "seats"));
    world.redis.command::<i64>(unlink).await.unwrap();
    assert_eq!(world.holds.seats(event(1), 8).await.unwrap(), None);
    let refused = world
        .holds
        .hold(event(1), &ask(1, select(&[1], &[])), &HoldRules::default())
        .await;
    let seats = vec![SeatIndex(1)];
    assert_eq!(
        refused,
        Err(HoldError::Unavailable {
            seats,
            tiers: vec![]
        })
    );
}
