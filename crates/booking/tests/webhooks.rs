//! Outgoing webhooks from real orders to real HTTP receivers that take, fail,
//! hang and recover: order, isolation, dead letters, and the outbox beneath.
#![allow(clippy::unwrap_used)]

#[path = "webhooks/receiver.rs"]
mod receiver;
#[path = "orders/shop.rs"]
#[allow(dead_code, reason = "shared with the tests of orders")]
mod shop;

use std::sync::Arc;
use std::time::Duration;

use ring::hmac;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use usher_base::SystemClock;
use usher_booking::Relay;
use usher_booking::pg::deliveries::{self, Attempt, Bounds, Turn};
use usher_booking::pg::store;
use usher_booking::pg::webhooks::{EndpointError, Endpoints, NewEndpoint};
use usher_booking::webhooks::{Client, Kinds, Patience, Secret, Targets, Webhooks};
use uuid::Uuid;

use receiver::{Manner, Receiver};
use shop::{OwnShop, Shop, confirmed, eventually, fan};

fn patience() -> Patience {
    Patience {
        first_pause: Duration::from_millis(20),
        longest_pause: Duration::from_millis(100),
        max_attempts: 1_000,
        ..Patience::default()
    }
}

/// A shop whose happenings are relayed and told, until it is dropped.
struct Teller {
    shop: OwnShop,
    endpoints: Endpoints,
    stop: CancellationToken,
    _stops: DropGuard,
}

impl Teller {
    async fn start(patience: Patience, targets: Targets) -> Self {
        let teller = Self::silent().await;
        let client = Client::new(targets);
        let pool = teller.shop.pool.clone();
        let webhooks = Webhooks::new(pool, client, patience, Arc::new(SystemClock));
        let (webhooks, relay) = (Arc::new(webhooks), teller.relay());
        let stopped = teller.stop.clone();
        tokio::spawn(async move {
            let tasks = TaskTracker::new();
            while !stopped.is_cancelled() {
                relay.run_once().await.unwrap();
                webhooks.run_once(&tasks, &stopped).await.unwrap();
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        teller
    }

    /// Nothing is told but what a test tells.
    async fn silent() -> Self {
        let shop = Shop::open().await;
        let stop = CancellationToken::new();
        Self {
            endpoints: Endpoints::new(shop.pool.clone()),
            shop,
            _stops: stop.clone().drop_guard(),
            stop,
        }
    }

    fn relay(&self) -> Relay {
        Relay {
            pool: self.shop.pool.clone(),
            redis: self.shop.redis.clone(),
        }
    }

    async fn local() -> Self {
        Self::start(patience(), Targets { private: true }).await
    }

    async fn endpoint(&self, receiver: &Receiver, kinds: &[&str]) -> (Uuid, Secret) {
        let kinds: Vec<_> = kinds.iter().map(|kind| (*kind).to_owned()).collect();
        let new = NewEndpoint {
            event: self.shop.event,
            url: receiver.url.clone(),
            kinds: Kinds::parse(&kinds).unwrap(),
            secret: Secret::random(&mut rand::rng()),
        };
        let id = self.endpoints.add(&new, "ada").await.unwrap();
        (id, new.secret)
    }

    /// Sells a seat; the ids of all that happened so far.
    async fn sell(&self, seat: u8) -> Vec<i64> {
        let seats = [u32::from(seat)];
        let (_, outcome) = self.shop.buy(fan(seat), &seats, "pm_test_success").await;
        confirmed(outcome);
        let page = store::page(&self.shop.pool, self.shop.event, 0, 1_000).await;
        page.unwrap().iter().map(|event| event.id).collect()
    }
}

async fn took(receiver: &Receiver, ids: &[i64]) {
    eventually("the receiver took it", async || {
        receiver.taken().len() >= ids.len()
    })
    .await;
    assert_eq!(receiver.taken(), ids, "in order and once");
}

#[tokio::test]
async fn an_endpoint_hears_in_order_what_it_wants_and_can_tell_who_speaks() {
    let teller = Teller::local().await;
    let (all, some) = (
        Receiver::open(Manner::Take).await,
        Receiver::open(Manner::Take).await,
    );
    let (_, secret) = teller.endpoint(&all, &[]).await;
    teller.endpoint(&some, &["BookingConfirmed"]).await;
    teller.sell(1).await;
    let ids = teller.sell(2).await;
    took(&all, &ids).await;
    eventually("both bookings are told", async || some.taken().len() == 2).await;
    for heard in some.heard() {
        assert_eq!(heard.json()["kind"], "BookingConfirmed");
    }
    for heard in all.heard() {
        assert_eq!(heard.json()["id"], heard.id);
        let (time, v1) = heard.signature.split_once(",v1=").unwrap();
        let message = format!("{}.{}", &time[2..], heard.body);
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.shown().as_bytes());
        let v1 = hex::decode(v1).unwrap();
        hmac::verify(&key, message.as_bytes(), &v1).unwrap();
    }
}

#[tokio::test]
async fn one_that_hangs_or_fails_delays_no_other_and_hears_all_once_it_recovers() {
    let patience = Patience {
        answer_within: Duration::from_millis(500),
        lease: Duration::from_secs(2),
        ..patience()
    };
    let teller = Teller::start(patience, Targets { private: true }).await;
    let hangs = Receiver::open(Manner::Hang).await;
    let fails = Receiver::open(Manner::Fail).await;
    let takes = Receiver::open(Manner::Take).await;
    for receiver in [&hangs, &fails, &takes] {
        teller.endpoint(receiver, &[]).await;
    }
    teller.sell(1).await;
    let ids = teller.sell(2).await;
    took(&takes, &ids).await;
    assert!(hangs.taken().is_empty() && fails.taken().is_empty());
    eventually("both were asked again", async || {
        hangs.heard().len() > 1 && fails.heard().len() > 1
    })
    .await;
    for receiver in [&hangs, &fails] {
        let asked = receiver.heard();
        assert!(asked.iter().all(|heard| heard.id == ids[0]), "{asked:?}");
        receiver.is_now(Manner::Take);
        took(receiver, &ids).await;
    }
}

#[tokio::test]
async fn what_is_not_taken_becomes_a_dead_letter_that_can_be_sent_again() {
    let patience = Patience {
        max_attempts: 2,
        ..patience()
    };
    let teller = Teller::start(patience, Targets { private: true }).await;
    let receiver = Receiver::open(Manner::Fail).await;
    let (endpoint, _) = teller.endpoint(&receiver, &[]).await;
    let (event, ids) = (teller.shop.event, teller.sell(1).await);
    let dead = async || teller.endpoints.dead(event, None, 100).await.unwrap();
    eventually("all are dead", async || dead().await.len() == ids.len()).await;
    let letters = dead().await;
    assert_eq!(letters[0].attempts, 2);
    assert!(letters[0].last_error.contains("500"), "{letters:?}");
    let rest = teller.endpoints.dead(event, Some((endpoint, ids[0])), 100);
    assert_eq!(rest.await.unwrap().len(), ids.len() - 1);

    receiver.is_now(Manner::Take);
    let again = |id| teller.endpoints.redeliver(event, endpoint, id, "ada");
    assert_eq!(again(Some(ids[1])).await.unwrap(), 1);
    took(&receiver, &ids[1..2]).await;
    assert_eq!(again(None).await.unwrap(), ids.len() as u64 - 1);
    eventually("the rest is taken", async || {
        receiver.taken().len() == ids.len()
    })
    .await;
    assert!(matches!(again(None).await, Err(EndpointError::NotFound)));
    let audited = "SELECT count(*) FROM audit_log WHERE action = 'webhook_redelivered'";
    assert_eq!(teller.shop.count(audited).await, 2);
}

#[tokio::test]
async fn an_endpoint_that_is_long_gone_keeps_nothing_waiting() {
    let patience = Patience {
        max_age: Duration::ZERO,
        ..patience()
    };
    let teller = Teller::start(patience, Targets { private: true }).await;
    let receiver = Receiver::open(Manner::Fail).await;
    teller.endpoint(&receiver, &[]).await;
    teller.sell(1).await;
    eventually("nothing waits", async || {
        let list = teller.endpoints.list(teller.shop.event).await.unwrap();
        list[0].waiting == 0 && list[0].dead > 0
    })
    .await;
}

#[tokio::test]
async fn a_private_address_is_not_reached() {
    let teller = Teller::start(patience(), Targets { private: false }).await;
    let receiver = Receiver::open(Manner::Take).await;
    teller.endpoint(&receiver, &[]).await;
    teller.sell(1).await;
    eventually("it was tried", async || {
        let list = teller.endpoints.list(teller.shop.event).await.unwrap();
        list[0].failures > 1 && list[0].last_error.is_some()
    })
    .await;
    assert!(receiver.heard().is_empty());
}

/// Rows that Postgres read in a table, by any way, as its statistics tell.
const READ: &str =
    "SELECT (coalesce(sum(seq_tup_read), 0) + coalesce(sum(idx_tup_fetch), 0))::bigint
     FROM pg_stat_user_tables WHERE relname IN ('outbox', 'domain_events')";

#[tokio::test]
async fn the_relay_reads_only_what_is_pending() {
    let shop = Shop::open().await;
    // A long history, and no statistics of it, as in a sale's first minute.
    sqlx::query(
        "INSERT INTO domain_events (event_id, kind, payload)
         SELECT $1, 'TicketUsed', '{}' FROM generate_series(1, 50000)",
    )
    .bind(shop.event.uuid())
    .execute(&shop.pool)
    .await
    .unwrap();
    shop.sql("INSERT INTO outbox SELECT id FROM domain_events ORDER BY id DESC LIMIT 1200")
        .await;
    let before = settled(&shop).await;
    let pool = shop::pool_of(&shop.sandbox.postgres.url(), 1).await;
    let relay = Relay {
        pool: pool.clone(),
        redis: shop.redis.clone(),
    };
    let mut rounds = 1;
    while relay.run_once().await.unwrap() {
        rounds += 1;
    }
    assert_eq!(rounds, 3);
    for _ in 0..100 {
        assert!(!relay.run_once().await.unwrap());
    }
    // A connection that ends hands its statistics in.
    pool.close().await;
    let read = settled(&shop).await - before;
    // Each to be published, queued for webhooks, folded into views, and taken off.
    assert!((1_200..=5 * 1_200).contains(&read), "{read} rows were read");
}

/// The count once it no longer moves: statistics come a moment late.
async fn settled(shop: &Shop) -> i64 {
    shop.sql("SELECT pg_stat_force_next_flush()").await;
    let mut last = -1;
    eventually("the statistics settle", async || {
        let now = shop.count(READ).await;
        std::mem::replace(&mut last, now) == now
    })
    .await;
    last
}

/// What a sale brings, queued for an endpoint and told to nobody yet.
async fn queued() -> (Teller, Uuid, Vec<i64>) {
    let teller = Teller::silent().await;
    let receiver = Receiver::open(Manner::Take).await;
    let (endpoint, _) = teller.endpoint(&receiver, &[]).await;
    let ids = teller.sell(1).await;
    teller.relay().run_once().await.unwrap();
    (teller, endpoint, ids)
}

/// The turn at an event's only endpoint, which is free and has something to hear.
async fn turn_at(shop: &Shop, lease: Duration) -> Turn {
    let mut turns = deliveries::claim(&shop.pool, 10, lease).await.unwrap();
    assert_eq!(turns.len(), 1);
    turns.remove(0)
}

const BOUNDS: Bounds = Bounds {
    max_age: Duration::from_secs(60),
    max_waiting: 1_000,
};

#[tokio::test]
async fn who_lost_a_turn_writes_nothing_over_the_next_one() {
    let (teller, endpoint, ids) = queued().await;
    let pool = &teller.shop.pool;
    let slow = turn_at(&teller.shop, Duration::ZERO).await;
    let next = turn_at(&teller.shop, Duration::from_secs(60)).await;
    let attempt = Attempt {
        id: ids[0],
        error: "it did not answer".into(),
        is_last: true,
        pause: Duration::from_secs(60),
    };
    assert_eq!(
        deliveries::failed(pool, &slow, &attempt, BOUNDS)
            .await
            .unwrap(),
        0
    );
    deliveries::end_turn(pool, &slow, BOUNDS).await.unwrap();
    let lease = Duration::ZERO;
    assert!(!deliveries::taken(pool, &slow, ids[0], lease).await.unwrap());
    let free = deliveries::claim(pool, 10, lease).await.unwrap();
    assert!(free.is_empty(), "the next one's lease still holds");
    let waiting = deliveries::waiting(pool, endpoint).await.unwrap();
    let left: Vec<_> = waiting
        .iter()
        .map(|each| (each.event.id, each.attempts))
        .collect();
    let rest: Vec<_> = ids[1..].iter().map(|id| (*id, 0)).collect();
    assert_eq!(
        left, rest,
        "what was taken is gone, and nothing else happened"
    );
    assert!(deliveries::taken(pool, &next, ids[1], lease).await.unwrap());
}

#[tokio::test]
async fn one_that_answers_too_slowly_falls_only_so_far_behind() {
    let (teller, endpoint, ids) = queued().await;
    let pool = &teller.shop.pool;
    let turn = turn_at(&teller.shop, Duration::from_secs(60)).await;
    let bounds = Bounds {
        max_waiting: 1,
        ..BOUNDS
    };
    let dead = deliveries::end_turn(pool, &turn, bounds).await.unwrap();
    assert_eq!(dead, ids.len() as u64 - 1);
    let waiting = deliveries::waiting(pool, endpoint).await.unwrap();
    assert_eq!(
        waiting[0].event.id,
        *ids.last().unwrap(),
        "the newest is kept"
    );
    let letters = teller
        .endpoints
        .dead(teller.shop.event, None, 100)
        .await
        .unwrap();
    assert!(letters[0].last_error.contains("less than"), "{letters:?}");
    let turn = turn_at(&teller.shop, Duration::from_secs(60)).await;
    let bounds = Bounds {
        max_age: Duration::ZERO,
        ..BOUNDS
    };
    assert_eq!(deliveries::end_turn(pool, &turn, bounds).await.unwrap(), 1);
}
