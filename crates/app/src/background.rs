//! What a booking node does beside requests, each second: end holds that are
//! due, finish orders that were left, publish what happened and what is left; and
//! from time to time, forget what is over.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use usher_admission::StockReport;
use usher_base::{Clock as _, EventId, SystemClock};
use usher_booking::Relay;
use usher_booking::holds::Holds;
use usher_booking::orders::Orders;
use usher_booking::webhooks::Webhooks;
use usher_edge::Edge;
use usher_queue::Line;

use crate::lifecycle::Lifecycle;
use usher_edge::Events;

/// Events that another process made or took away.
const DISCOVER_EVERY: Duration = Duration::from_secs(2);
const EVERY: Duration = Duration::from_secs(1);
const PRUNE_NOTICES_EVERY: Duration = Duration::from_secs(3_600);
const MEASURE_WEBHOOKS_EVERY: Duration = Duration::from_secs(10);
const TIDY_EVERY: Duration = Duration::from_secs(30);
/// Rounds at once when one did not take all that was due.
const MAX_ROUNDS: usize = 20;

pub fn run_booking(
    tasks: &TaskTracker,
    events: &Arc<Events>,
    orders: Arc<Orders>,
    pool: PgPool,
    line: &Line,
    life: &Lifecycle,
) {
    let stop = &life.closing;
    let holds = Holds::new(line.redis().clone());
    let (known, sweeper) = (Arc::clone(events), holds.clone());
    tasks.spawn(each_second(stop.clone(), move || {
        sweep(Arc::clone(&known), sweeper.clone())
    }));
    let known = Arc::clone(events);
    tasks.spawn(every(DISCOVER_EVERY, stop.clone(), move || {
        discover(Arc::clone(&known))
    }));
    let pruned = Arc::clone(&orders);
    tasks.spawn(every(PRUNE_NOTICES_EVERY, stop.clone(), move || {
        prune_notices(Arc::clone(&pruned))
    }));
    let known = Arc::clone(events);
    tasks.spawn(each_second(stop.clone(), move || {
        reconcile(Arc::clone(&known), Arc::clone(&orders))
    }));
    let (known, redis) = (Arc::clone(events), line.redis().clone());
    tasks.spawn(each_second(stop.clone(), move || {
        report_stock(Arc::clone(&known), holds.clone(), redis.clone())
    }));
    let relay = Arc::new(Relay {
        pool,
        redis: line.redis().clone(),
    });
    tasks.spawn(each_second(stop.clone(), move || {
        publish(Arc::clone(&relay))
    }));
}

/// Outgoing webhooks: turns begun each second, run beside each other.
pub fn run_webhooks(tasks: &TaskTracker, webhooks: Webhooks, life: &Lifecycle) {
    let webhooks = Arc::new(webhooks);
    let (telling, turns, stop) = (Arc::clone(&webhooks), tasks.clone(), life.closing.clone());
    tasks.spawn(each_second(stop.clone(), move || {
        tell(Arc::clone(&telling), turns.clone(), stop.clone())
    }));
    let measured = Arc::clone(&webhooks);
    tasks.spawn(every(
        MEASURE_WEBHOOKS_EVERY,
        life.closing.clone(),
        move || measure_webhooks(Arc::clone(&measured)),
    ));
    tasks.spawn(every(
        PRUNE_NOTICES_EVERY,
        life.closing.clone(),
        move || prune_dead_letters(Arc::clone(&webhooks)),
    ));
}

async fn tell(webhooks: Arc<Webhooks>, turns: TaskTracker, stop: CancellationToken) {
    if let Err(error) = webhooks.run_once(&turns, &stop).await {
        tracing::debug!(%error, "webhooks are not sent this time");
    }
}

async fn measure_webhooks(webhooks: Arc<Webhooks>) {
    if let Err(error) = webhooks.measure().await {
        tracing::debug!(%error, "webhooks are not counted this time");
    }
}

async fn prune_dead_letters(webhooks: Arc<Webhooks>) {
    if let Err(error) = webhooks.prune().await {
        tracing::debug!(%error, "old dead letters are not forgotten this time");
    }
}

pub async fn each_second<F: Future<Output = ()>>(stop: CancellationToken, work: impl Fn() -> F) {
    every(EVERY, stop, work).await;
}

pub async fn every<F: Future<Output = ()>>(
    period: Duration,
    stop: CancellationToken,
    work: impl Fn() -> F,
) {
    let mut interval = tokio::time::interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = interval.tick() => work().await,
            () = stop.cancelled() => return,
        }
    }
}

async fn discover(events: Arc<Events>) {
    if let Err(error) = events.discover().await {
        tracing::debug!(%error, "events are not discovered this time");
    }
}

async fn sweep(events: Arc<Events>, holds: Holds) {
    for event in events.known() {
        for _ in 0..MAX_ROUNDS {
            match holds.sweep(event).await {
                Ok(swept) if swept.more => {}
                Ok(_) => break,
                Err(error) => {
                    tracing::debug!(%error, %event, "holds are not swept this time");
                    break;
                }
            }
        }
    }
}

async fn reconcile(events: Arc<Events>, orders: Arc<Orders>) {
    let known = events.known();
    for _ in 0..MAX_ROUNDS {
        match orders.reconcile(&known).await {
            Ok(round) if round.is_full() => {}
            Ok(_) => return,
            Err(error) => return tracing::debug!(%error, "orders are not reconciled this time"),
        }
    }
}

async fn publish(relay: Arc<Relay>) {
    for _ in 0..MAX_ROUNDS {
        match relay.run_once().await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => return tracing::debug!(%error, "the outbox is not published this time"),
        }
    }
}

async fn prune_notices(orders: Arc<Orders>) {
    if let Err(error) = orders.prune_notices().await {
        tracing::debug!(%error, "old webhooks are not forgotten this time");
    }
}

/// Goes on without Postgres: what is free is in Redis, and what was sold stays sold.
async fn report_stock(events: Arc<Events>, holds: Holds, redis: usher_base::redis::Redis) {
    let mut postgres_answers = true;
    for event in events.known() {
        // Asked for one event in vain, it is not asked for the others.
        postgres_answers = postgres_answers && events.look_at_sold(event).await;
        if let Some(report) = stock_of(&events, &holds, event).await
            && let Err(error) = report.publish(&redis, event).await
        {
            tracing::debug!(%error, %event, "the stock is not published this time");
        }
    }
}

async fn stock_of(events: &Events, holds: &Holds, event: EventId) -> Option<StockReport> {
    let size = events.size(event)?;
    let bits = holds.seats(event, size.seats).await.ok()??;
    let places = holds.places_left(event, size.tiers).await.ok()?;
    let live = holds.live(event).await.ok()?;
    let sold = events.last_sold(event)?;
    let places_left: u64 = places.iter().map(|left| u64::from(*left)).sum();
    let free = u64::from(bits.counts().available) + places_left;
    Some(StockReport {
        at: SystemClock.now(),
        free,
        held: size
            .for_sale
            .saturating_sub(free)
            .saturating_sub(sold.tickets),
        sold: sold.tickets,
        orders_total: sold.orders,
        holds: live,
    })
}

/// Forgets addresses that are at rest, until the process drains.
pub async fn tidy(edge: Arc<Edge>) {
    let mut interval = tokio::time::interval(TIDY_EVERY);
    loop {
        tokio::select! {
            _ = interval.tick() => {
                edge.join_limit.tidy();
                edge.network_join_limit.tidy();
                edge.request_limit.tidy();
            }
            () = edge.draining.cancelled() => return,
        }
    }
}
