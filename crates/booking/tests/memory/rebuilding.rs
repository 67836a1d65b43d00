//! Redis has forgotten: what is rebuilt from Postgres, and what must wait for it.

use std::time::{Duration, Instant};

use redis::cmd;
use usher_base::Epoch;
use usher_base::redis::keys::of_event;
use usher_base::redis::{CallError, TimeSource};
use usher_booking::holds::{
    HoldError, HoldRules, RebuildError, Settled, SoldOrder, Unpin, Unpinned,
};
use usher_booking::inventory::SeatIndex;

use crate::support::{START, World, at, event, select};
use crate::{a_stadium, ask, stock};

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
