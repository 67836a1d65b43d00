//! A shop with one event on private servers: hold, commit, look at what came
//! of it in Redis and in Postgres.

use std::ops::Deref;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use usher_base::redis::{Redis, TimeSource};
use usher_base::{Clock, Epoch, EventId, FanId, ManualClock, OrderId, ReservationId, SystemClock};
use usher_booking::SCRIPTS;
use usher_booking::holds::{HoldRequest, HoldRules, HoldTag, Holds, Stock};
use usher_booking::inventory::{SeatIndex, SeatStatus, Selection, TierIndex};
use usher_booking::orders::{
    CommitError, CommitOutcome, CommitRequest, Item, Limits, Order, Orders, Place, Priced, Receipt,
};
use usher_booking::payments::{GuardedProvider, TestProvider};
use usher_booking::pg::{self, WRITER_CONNECTIONS, Writer};
use usher_sandbox::Sandbox;
use uuid::Uuid;

pub const SEATS: u32 = 100;
pub const TIER_CAPACITY: u32 = 50;
const PRICE: i64 = 5_000;

/// A node that sells one event.
pub struct Shop {
    pub redis: Redis,
    pub holds: Holds,
    pub pool: PgPool,
    pub orders: Arc<Orders>,
    pub provider: Arc<TestProvider>,
    pub clock: Arc<ManualClock>,
    pub event: EventId,
}

/// The same with the servers it runs on.
pub struct OwnShop {
    pub sandbox: Sandbox,
    shop: Shop,
}

impl Deref for OwnShop {
    type Target = Shop;

    fn deref(&self) -> &Shop {
        &self.shop
    }
}

impl Shop {
    /// Servers of its own, and an event on sale.
    pub async fn open() -> OwnShop {
        let sandbox = Sandbox::start().await.unwrap();
        let (redis, postgres) = (sandbox.redis.url(), sandbox.postgres.url());
        let shop = Self::over(&redis, &postgres, EventId::new(SystemClock.now())).await;
        shop.rebuild().await;
        OwnShop { sandbox, shop }
    }

    /// Over somebody's servers, in their first epoch.
    pub async fn over(redis: &str, postgres: &str, event: EventId) -> Self {
        let pool = pool_of(postgres, 10).await;
        let clock = Arc::new(ManualClock::at(SystemClock.now()));
        let redis = Redis::new(redis, SCRIPTS, TimeSource::Server).unwrap();
        redis.load_scripts(Epoch(1)).await.unwrap();
        let provider = TestProvider::new(pool.clone()).ripe_after(Duration::from_millis(1_500));
        let provider = Arc::new(provider);
        let guarded = GuardedProvider::new(provider.clone(), clock.clone());
        let orders = Orders::new(
            redis.clone(),
            pool.clone(),
            Writer::start(&pool_of(postgres, WRITER_CONNECTIONS).await),
            guarded.within(Duration::from_millis(800)),
            clock.clone(),
        );
        Self {
            holds: Holds::new(redis.clone()),
            redis,
            pool,
            orders,
            provider,
            clock,
            event,
        }
    }

    /// What the app does after Redis was lost: the epoch goes up, then Redis
    /// is filled from Postgres.
    pub async fn recover(&self) {
        let seen = pg::epoch::read(&self.pool).await.unwrap();
        let raised = pg::epoch::raise(&self.pool, seen, "test").await.unwrap();
        eventually("the scripts are loaded", async || {
            self.redis.load_scripts(raised.unwrap()).await.is_ok()
        })
        .await;
        self.rebuild().await;
    }

    pub async fn rebuild(&self) {
        assert!(self.redis.begin_rebuild(self.event).await.unwrap());
        let stock = Stock {
            seats: SEATS,
            blocked: vec![],
            tiers: vec![TIER_CAPACITY],
        };
        let live = pg::inventory_state(&self.pool, self.event).await.unwrap();
        let run = rand::random();
        let rebuilt = self.holds.rebuild(self.event, &stock, &live, run);
        rebuilt.await.unwrap();
        self.redis.open_rebuilt(self.event, false).await.unwrap();
    }

    pub async fn hold(&self, fan: FanId, seats: &[u32], standing: u32) -> ReservationId {
        let id = ReservationId::from_uuid(Uuid::new_v4());
        self.hold_as(id, fan, seats, standing).await;
        id
    }

    pub async fn hold_as(&self, id: ReservationId, fan: FanId, seats: &[u32], standing: u32) {
        let request = HoldRequest {
            id,
            fan,
            selection: select(seats, standing),
            ttl: Duration::from_secs(600),
            tag: HoldTag::of(b"test"),
        };
        let rules = HoldRules::default();
        self.holds.hold(self.event, &request, &rules).await.unwrap();
    }

    pub fn request(&self, fan: FanId, hold: ReservationId, key: &str, pm: &str) -> CommitRequest {
        CommitRequest {
            event: self.event,
            fan,
            reservation: hold,
            method: pm.to_owned(),
            idempotency_key: key.to_owned(),
            billing: serde_json::json!({ "name": "A Fan" }),
        }
    }

    pub async fn commit(&self, request: &CommitRequest) -> Result<CommitOutcome, CommitError> {
        self.orders.commit(request.clone(), price).await
    }

    pub async fn buy(&self, fan: FanId, seats: &[u32], pm: &str) -> (CommitRequest, CommitOutcome) {
        let hold = self.hold(fan, seats, 0).await;
        let request = self.request(fan, hold, "key", pm);
        let outcome = self.commit(&request).await.unwrap();
        (request, outcome)
    }

    /// Makes every unfinished order due and finishes what can be.
    pub async fn reconcile(&self) {
        self.hurry().await;
        self.orders.reconcile(&[self.event]).await.unwrap();
    }

    /// The same while no event is open in Redis.
    pub async fn reconcile_without_redis(&self) {
        self.hurry().await;
        self.orders.reconcile(&[]).await.unwrap();
    }

    async fn hurry(&self) {
        self.sql("UPDATE orders SET look_at = now() WHERE look_at IS NOT NULL")
            .await;
    }

    pub async fn order(&self, id: OrderId) -> Order {
        pg::read::order(&self.pool, id).await.unwrap().unwrap()
    }

    pub async fn seat(&self, seat: u32) -> SeatStatus {
        let seats = self.holds.seats(self.event, SEATS).await.unwrap();
        seats.unwrap().get(SeatIndex(seat))
    }

    pub async fn sql(&self, statement: &'static str) {
        sqlx::raw_sql(statement).execute(&self.pool).await.unwrap();
    }

    pub async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query)
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    /// What must hold whatever happened, once the reconciler has run.
    pub async fn check_books(&self) {
        let nothing = [
            (
                "a seat sold twice",
                "SELECT count(*) FROM (SELECT FROM order_items i JOIN orders o ON o.id = i.order_id
                 WHERE o.state = 'paid' AND seat_index IS NOT NULL
                 GROUP BY i.event_id, seat_index HAVING count(*) > 1) x",
            ),
            (
                "a paid order without its money, or money without its order",
                "SELECT count(*) FROM test_payments t FULL JOIN
                    (SELECT * FROM orders WHERE state = 'paid') o ON o.id = t.order_id
                 WHERE (o.id IS NOT NULL) <> (coalesce(t.state, '') = 'captured')",
            ),
            (
                "an order left pending",
                "SELECT count(*) FROM orders WHERE state = 'pending'",
            ),
            (
                "items that are live without a live order, or the other way round",
                "SELECT count(*) FROM order_items i JOIN orders o ON o.id = i.order_id
                 WHERE i.live <> (o.state IN ('pending', 'paid'))",
            ),
            (
                "a fan's count that is wrong",
                "SELECT count(*) FROM fan_bought f WHERE bought <> (SELECT count(*) FROM order_items i
                 JOIN orders o ON o.id = i.order_id
                 WHERE i.live AND o.fan_id = f.fan_id AND o.event_id = f.event_id)",
            ),
            (
                "a tier's count that is wrong",
                "SELECT count(*) FROM tier_sold t WHERE sold <> (SELECT count(*) FROM order_items i
                 WHERE i.live AND i.event_id = t.event_id AND i.tier_index = t.tier_index)",
            ),
            (
                "a paid order with another number of tickets than items",
                "SELECT count(*) FROM orders o WHERE state = 'paid' AND
                 (SELECT count(*) FROM tickets t WHERE t.order_id = o.id AND t.state <> 'cancelled')
                 <> (SELECT count(*) FROM order_items i WHERE i.order_id = o.id)",
            ),
        ];
        for (what, query) in nothing {
            assert_eq!(self.count(query).await, 0, "{what}");
        }
    }
}

pub fn price(selection: &Selection) -> Option<Priced> {
    let seats = selection.seats().iter().map(|seat| Item {
        place: Place::Seat(*seat),
        label: format!("Seat {}", seat.0),
        price: PRICE,
    });
    let standing = selection.tiers().iter().flat_map(|(tier, count)| {
        (0..*count).map(|_| Item {
            place: Place::Tier(*tier),
            label: "Standing".into(),
            price: PRICE,
        })
    });
    Some(Priced {
        items: seats.chain(standing).collect(),
        currency: "EUR".into(),
        limits: Limits {
            per_fan: 8,
            capacities: vec![(TierIndex(0), TIER_CAPACITY)],
        },
    })
}

pub fn select(seats: &[u32], standing: u32) -> Selection {
    let seats = seats.iter().copied().map(SeatIndex).collect();
    Selection::new(seats, [(TierIndex(0), standing)]).unwrap()
}

pub fn fan(n: u8) -> FanId {
    FanId::from_bytes([n; 16])
}

pub fn confirmed(outcome: CommitOutcome) -> Receipt {
    match outcome {
        CommitOutcome::Confirmed(receipt) => *receipt,
        other => panic!("not confirmed: {other:?}"),
    }
}

pub async fn pool_of(url: &str, connections: u32) -> PgPool {
    let options = PgConnectOptions::from_str(url).unwrap();
    let pool = PgPoolOptions::new().max_connections(connections);
    pool.connect_with(options).await.unwrap()
}

/// Waits for a condition, as long as a slow machine may need.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..600 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it never came about that {what}");
}
