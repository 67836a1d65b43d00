//! Holds that end: the backlog of due ones, what is remembered of them and for how
//! long, and a Redis so full that only ending helps.

use redis::cmd;
use usher_base::redis::{CallError, TimeSource};
use usher_booking::holds::{
    HoldError, HoldRules, HoldTag, ReservationStatus, Settled, SoldOrder, TrailKind, Unpin,
    Unpinned,
};
use usher_booking::inventory::{SeatIndex, SeatStatus, TierIndex};

use crate::support::{START, World, at, event, fan, order, reservation, select};
use crate::{ask, stock};

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
