//! Puts a role together: opens what it needs and nothing else, and starts what
//! runs beside the requests.

use std::sync::Arc;

use anyhow::Context as _;
use sqlx::PgPool;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use usher_admission::control::Tuning;
use usher_admission::signals::PrometheusSources;
use usher_admission::{Calibrations, EventConstants, Gate, Leader, Policies};
use usher_base::redis::{Hints, Redis, Script, TimeSource};
use usher_base::signing::SigningKeys;
use usher_base::{Clock, SystemClock};
use usher_booking::catalog::{Catalog, CatalogStore};
use usher_booking::holds::Holds;
use usher_booking::orders::Orders;
use usher_booking::payments::stripe::{StripeClient, StripeProvider};
use usher_booking::payments::{GuardedProvider, PaymentProvider, TestProvider};
use usher_booking::pg::operators::Operators;
use usher_booking::pg::webhooks::Endpoints;
use usher_booking::pg::{WRITER_CONNECTIONS, Writer};
use usher_booking::webhooks::{self, Patience, Targets, Webhooks};
use usher_edge::{
    AddressLimit, Arrived, Captcha, CaptchaSettings, CodeTurns, CookieJar, Counted, Desk, Draws,
    Edge, EdgeSettings, EventStores, Events, FanLimits, FirstKey, JoinPace, Live, LiveOptions,
    Load, PuzzleUnderLoad, StreamSlots, TrustedProxies,
};
use usher_queue::pg::Store as LineStore;
use usher_queue::{EdgeId, Line, Tokens};

use crate::background;
use crate::beacon::BeaconWatch;
use crate::config::{Config, PaymentProviderName};
use crate::fence::{self, Fence};
use crate::fetch::Fetcher;
use crate::lifecycle::Lifecycle;
use crate::postgres::{self, Pools, PostgresError};
use crate::prometheus::PrometheusWatch;
use crate::role::Role;
use crate::signals::{self, SignalSource};

/// Requests that a booking node is believed to work on at once before anything
/// was seen; the limit moves from there four times a second.
const SERVERS_GUESS: f64 = 64.0;

/// A role that is ready to serve.
pub struct Parts {
    pub edge: Arc<Edge>,
    /// Of roles with Postgres.
    pub events: Option<Arc<Events>>,
    /// What runs beside the requests; waited for when the process ends.
    pub tasks: TaskTracker,
}

fn scripts() -> Vec<&'static Script> {
    [
        usher_queue::SCRIPTS,
        usher_booking::SCRIPTS,
        usher_edge::SCRIPTS,
    ]
    .concat()
}

/// Connections, then what runs beside requests, then what requests share.
pub async fn assemble(config: &Config, role: Role, life: &Lifecycle) -> anyhow::Result<Parts> {
    let settings = edge_settings(config)?;
    let keys = config.signing_key_set()?;
    let keys = SigningKeys::from_jwk_set(&keys, &config.public_url)
        .context("the setting `signing_keys` is not usable")?;
    let keys = Arc::new(keys);
    let redis = open_redis(config).await?;
    let line = Line::new(redis.clone());
    let catalog = Catalog::new(redis.clone());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let tasks = TaskTracker::new();
    let (mut events, mut desk) = (None, None);
    if role.needs_postgres() {
        let pools = Pools::open(config).await?;
        let whole = restore(config, &pools, &line, &catalog, &clock, life, &tasks).await?;
        if role.books() {
            let opened = open_desk(config, &pools.requests, &line, &clock, &whole).await?;
            run_booking(&tasks, &whole, &opened, &pools, &line, life);
            let hooks = webhooks(config, &opened, &clock).await?;
            background::run_webhooks(&tasks, hooks, life);
            desk = Some(opened);
        }
        let pool = pools.background;
        if role.leads() {
            let stop = life.draining.clone();
            let leader = Leader::new(line.clone(), pool.clone(), Arc::clone(&clock), stop.clone())
                .with_draws(Arc::clone(&keys));
            tasks.spawn(Arc::new(leader).run(stop.clone()));
            watch_prometheus(config, &pool, &redis, &tasks, &stop);
            tasks.spawn(beacons(config, pool).run(stop));
        }
        events = Some(whole);
    } else {
        let published = redis.follow_epoch().await;
        published.context("Redis does not answer")?;
        tasks.spawn(fence::follow(redis.clone(), life.closing.clone()));
    }
    let edge = Arc::new(Edge {
        settings,
        tokens: Tokens::new(Arc::clone(&keys)),
        first_key: FirstKey::new(&config.admin_api_key),
        keys,
        holds: Holds::new(redis.clone()),
        live: Arc::new(Live::default()),
        join_limit: AddressLimit::new(Counted::Joins, config.joins_per_address_per_minute),
        network_join_limit: AddressLimit::new(
            Counted::JoinsOfNetwork,
            config.joins_per_network_per_minute,
        ),
        join_pace: JoinPace::default(),
        captcha: captcha(config),
        request_limit: AddressLimit::new(Counted::Requests, config.requests_per_address_per_minute),
        fan_limits: FanLimits::new(redis.clone()),
        streams: StreamSlots::new(config.max_streams),
        draining: life.draining.clone(),
        clock,
        redis,
        line,
        catalog,
        desk,
    });
    let hints = Hints::listen(&config.redis_url).await;
    let hints = hints.context("Redis does not answer")?;
    follow_events(&edge, hints, &tasks, life.closing.clone());
    Ok(Parts {
        edge,
        events,
        tasks,
    })
}

/// What a booking node does beside requests, and what it tells the leader.
fn run_booking(
    tasks: &TaskTracker,
    events: &Arc<Events>,
    desk: &Desk,
    pools: &Pools,
    line: &Line,
    life: &Lifecycle,
) {
    let orders = Arc::clone(&desk.orders);
    let relay_pool = pools.background.clone();
    background::run_booking(tasks, events, orders, relay_pool, line, life);
    let source = SignalSource {
        node: format!("booking-{:08x}", rand::random::<u32>()),
        recorders: Arc::clone(&desk.load.recorders),
        events: Arc::clone(events),
        redis: line.redis().clone(),
        pool: pools.requests.clone(),
    };
    let gate = Arc::clone(&desk.load.gate);
    signals::run(tasks, source, gate, &life.closing);
}

async fn webhooks(
    config: &Config,
    desk: &Desk,
    clock: &Arc<dyn Clock>,
) -> Result<Webhooks, PostgresError> {
    let pool = postgres::open_pool(&config.database_url, webhooks::CONNECTIONS).await?;
    let client = webhooks::Client::new(desk.webhook_targets);
    let patience = Patience::default();
    Ok(Webhooks::new(pool, client, patience, Arc::clone(clock)))
}

/// Where the setting names one.
fn watch_prometheus(
    config: &Config,
    pool: &PgPool,
    redis: &Redis,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) {
    if !config.prometheus_url.is_empty() {
        let sources = PrometheusSources::new(pool.clone());
        let url = config.prometheus_url.clone();
        PrometheusWatch::new(url, sources, redis.clone()).run(tasks, stop);
    }
}

fn beacons(config: &Config, pool: PgPool) -> BeaconWatch {
    BeaconWatch {
        store: LineStore::new(pool),
        servers: config.drand_servers.clone(),
        fetcher: Fetcher::new(),
    }
}

fn edge_settings(config: &Config) -> anyhow::Result<EdgeSettings> {
    let proxies = TrustedProxies::parse(&config.trusted_proxies)
        .map_err(|problem| anyhow::anyhow!("the setting `trusted_proxies`: {problem}"))?;
    Ok(EdgeSettings {
        public_url: config.public_url.clone(),
        jar: CookieJar {
            secure: config.public_url.starts_with("https://"),
        },
        proxies,
        puzzle_under_load: PuzzleUnderLoad {
            above_joins_per_second: config.puzzle_above_joins_per_second,
            hashes: config.puzzle_hashes_under_load,
        },
    })
}

/// Where the settings name a provider.
fn captcha(config: &Config) -> Option<Captcha> {
    let given = |url: &String| Some(url.clone()).filter(|url| !url.is_empty());
    let provider = config.captcha_provider.provider()?;
    Some(Captcha::new(CaptchaSettings {
        provider,
        site_key: config.captcha_site_key.clone(),
        secret_key: config.captcha_secret_key.clone(),
        script_url: given(&config.captcha_script_url),
        verify_url: given(&config.captcha_verify_url),
        hostnames: config.captcha_hosts(),
        tells_address: config.captcha_tells_address,
        unanswered: config.captcha_unanswered,
    }))
}

pub async fn open_redis(config: &Config) -> anyhow::Result<Redis> {
    let redis = Redis::new(&config.redis_url, &scripts(), TimeSource::Server)
        .context("the setting `redis_url` is not a Redis address")?;
    let ping = redis.command::<String>(redis::cmd("PING")).await;
    ping.map_err(|error| {
        anyhow::anyhow!(
            "Redis does not answer at `redis_url`: {error}; start it, or correct the setting"
        )
    })?;
    Ok(redis)
}

/// Makes Redis's memory whole, and keeps watching it.
async fn restore(
    config: &Config,
    pools: &Pools,
    line: &Line,
    catalog: &Catalog,
    clock: &Arc<dyn Clock>,
    life: &Lifecycle,
    tasks: &TaskTracker,
) -> anyhow::Result<Arc<Events>> {
    let events = Arc::new(open_events(config, pools, line, catalog));
    let fence = Fence {
        redis: line.redis().clone(),
        pool: pools.requests.clone(),
        events: Arc::clone(&events),
        clock: Arc::clone(clock),
    };
    fence.open().await?;
    let stop = life.closing.clone();
    tasks.spawn(async move { fence.watch(Arc::new(Notify::new()), stop).await });
    Ok(events)
}

/// All events, over stores of their own parts.
pub fn open_events(config: &Config, pools: &Pools, line: &Line, catalog: &Catalog) -> Events {
    let pool = &pools.requests;
    let stores = EventStores {
        sold: CatalogStore::new(pools.background.clone()),
        catalog: CatalogStore::new(pool.clone()),
        lines: LineStore::new(pool.clone()),
        policies: Policies::new(pool.clone(), line.clone()),
    };
    let replicated = config.redis_replicated;
    Events::new(stores, line.clone(), catalog.clone(), replicated)
}

async fn open_desk(
    config: &Config,
    pool: &PgPool,
    line: &Line,
    clock: &Arc<dyn Clock>,
    events: &Arc<Events>,
) -> anyhow::Result<Desk> {
    // Its own connections, so that a batch never waits behind a reader.
    let writer_pool = postgres::open_writer_pool(&config.database_url, WRITER_CONNECTIONS).await?;
    let provider: Arc<dyn PaymentProvider> = match config.payment_provider {
        // Its book is written in batches, too.
        PaymentProviderName::Test => Arc::new(TestProvider::new(writer_pool.clone())),
        PaymentProviderName::Stripe => {
            let client = StripeClient::new(&config.stripe_api_base, &config.stripe_secret_key)
                .context("the setting `stripe_api_base` is not usable")?;
            Arc::new(StripeProvider::new(client))
        }
    };
    let provider = GuardedProvider::new(provider, Arc::clone(clock));
    let writer = Writer::start(&writer_pool);
    let redis = line.redis().clone();
    Ok(Desk {
        events: Arc::clone(events),
        operators: Operators::new(pool.clone()),
        webhooks: Endpoints::new(pool.clone()),
        webhook_targets: Targets {
            private: config.webhooks_to_private_networks,
        },
        policies: Policies::new(pool.clone(), line.clone()),
        constants: EventConstants::new(pool.clone()),
        calibrations: Calibrations::new(pool.clone()),
        prometheus: (!config.prometheus_url.is_empty())
            .then(|| PrometheusSources::new(pool.clone())),
        lines: LineStore::new(pool.clone()),
        code_turns: CodeTurns::of_connections(config.database_connections),
        draws: Draws::default(),
        orders: Orders::new(redis, pool.clone(), writer, provider, Arc::clone(clock)),
        arrived: Arrived::default(),
        stripe_webhook_secret: config.stripe_webhook_secret.clone(),
        test_payments: config.payment_provider == PaymentProviderName::Test,
        load: Load::new(Arc::new(open_gate(config)?)),
    })
}

fn open_gate(config: &Config) -> anyhow::Result<Gate> {
    let tuning = Tuning {
        service_ms: config.booking_service_ms.into(),
        limit_max: config.booking_max_in_flight.into(),
        ..Tuning::default()
    };
    let gate = Gate::new(tuning, SERVERS_GUESS);
    gate.context("booking_service_ms or booking_max_in_flight is not usable")
}

fn follow_events(edge: &Arc<Edge>, hints: Hints, tasks: &TaskTracker, stop: CancellationToken) {
    let options = LiveOptions {
        line: edge.line.clone(),
        catalog: edge.catalog.clone(),
        holds: edge.holds.clone(),
        clock: Arc::clone(&edge.clock),
        edge: EdgeId::random(&mut rand::rng()),
        hints,
    };
    tasks.spawn(usher_edge::run_live(Arc::clone(&edge.live), options, stop));
    let edge = Arc::clone(edge);
    tasks.spawn(async move { background::tidy(edge).await });
}
