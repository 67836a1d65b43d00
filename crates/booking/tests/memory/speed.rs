//! How long each script keeps Redis busy.

use redis::cmd;
use usher_base::EventId;
use usher_base::redis::TimeSource;
use usher_booking::holds::{HoldRules, SoldOrder};

use crate::support::{START, World, event, fan, order, reservation, select};
use crate::{ask, stock};

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
