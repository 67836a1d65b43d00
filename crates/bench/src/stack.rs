//! The stack under load: a private Redis, a durable Postgres, usher with all
//! roles, and further edges where one process cannot hold all streams.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use sqlx::PgPool;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::Instant;
use usher_base::redis::{Redis, TimeSource};
use usher_base::{Epoch, EventId};
use usher_queue::pg::Store;
use usher_queue::{LineSettings, Room};
use usher_rehearsal::http::origin::Origin;
use usher_rehearsal::http::pool::{Pool, Reply};
use usher_rehearsal::http::request::Request;
use usher_sandbox::{Postgres, Redis as RedisServer, RedisOptions};

use crate::processes::{UsherProcess, usher_binary};

pub const API_KEY: &str = "benchmark-operator-key-0123456789";
const LOOK_EVERY: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(60);
const CONTROL_CONNECTIONS: usize = 4;
const ANSWER_BYTES: usize = 64 * 1024;

pub struct Stack {
    // Fields drop in this order: usher first, then its servers and their files.
    pub ushers: Vec<UsherProcess>,
    pub redis_server: RedisServer,
    pub postgres: Postgres,
    pub pool: PgPool,
    settings: Vec<(String, String)>,
    folder: TempDir,
}

impl Stack {
    /// The first process has all roles; further ones are edges.
    pub async fn start(processes: usize) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("postgres");
        let (postgres, redis_server) = tokio::try_join!(
            Postgres::persistent(&data),
            RedisServer::start(RedisOptions::default()),
        )?;
        let keys = Command::new(usher_binary()?).arg("keys").output().await?;
        let settings: Vec<(String, String)> = [
            ("LISTEN", "127.0.0.1:0"),
            ("METRICS_LISTEN", "127.0.0.1:0"),
            ("REDIS_URL", &redis_server.url()),
            ("DATABASE_URL", &postgres.url()),
            ("SIGNING_KEYS", String::from_utf8(keys.stdout)?.trim()),
            ("ADMIN_API_KEY", API_KEY),
            ("LOG_FORMAT", "json"),
            // Each fan of the load has an address of their own.
            ("TRUSTED_PROXIES", "127.0.0.1"),
            ("MAX_STREAMS", "19000"),
        ]
        .map(|(key, value)| (format!("USHER_{key}"), value.to_owned()))
        .into();
        let mut ushers = Vec::new();
        for index in 0..processes.max(1) {
            let role = if index == 0 { "all" } else { "edge" };
            ushers.push(UsherProcess::serve(role, &settings).await?);
        }
        let pool = PgPool::connect(&postgres.url()).await?;
        Ok(Self {
            ushers,
            redis_server,
            postgres,
            pool,
            settings,
            folder,
        })
    }

    pub fn address(&self) -> &str {
        &self.ushers[0].address
    }

    pub async fn origin(&self) -> anyhow::Result<Origin> {
        Origin::resolve(&format!("http://{}", self.address())).await
    }

    /// An open event with so many seats, served by all processes.
    pub async fn event(&self, slug: &str, seats: u32, room: Room) -> anyhow::Result<EventId> {
        self.event_with_standing(slug, seats, 0, room).await
    }

    /// The same with standing places.
    pub async fn event_with_standing(
        &self,
        slug: &str,
        seats: u32,
        standing: u32,
        room: Room,
    ) -> anyhow::Result<EventId> {
        let file = self.folder.path().join(format!("{slug}.json"));
        std::fs::write(&file, draft(slug, seats, standing).to_string())?;
        let imported = Command::new(usher_binary()?)
            .args(["event", "import", "--open"])
            .arg(&file)
            .envs(self.settings.iter().cloned())
            .output()
            .await?;
        let told = String::from_utf8_lossy(&imported.stderr).into_owned();
        ensure!(imported.status.success(), "the event is not made: {told}");
        let event = String::from_utf8(imported.stdout)?.trim().parse();
        let event: EventId = event.ok().context("no event id was told")?;
        if room == Room::Off {
            let settings = LineSettings {
                room,
                ..LineSettings::default()
            };
            self.put_line(event, &settings).await?;
        }
        for usher in &self.ushers {
            wait_until_served(&usher.address, event).await?;
        }
        Ok(event)
    }

    pub async fn put_line(&self, event: EventId, settings: &LineSettings) -> anyhow::Result<()> {
        let store = Store::new(self.pool.clone());
        let schedule = usher_queue::Schedule::default();
        Ok(store.put_settings(event, settings, &schedule).await?)
    }

    /// Another process of this stack, with its servers and keys, and one setting of its own.
    pub async fn process(&self, role: &str, own: (&str, &str)) -> anyhow::Result<UsherProcess> {
        let mut settings = self.settings.clone();
        settings.push((format!("USHER_{}", own.0), own.1.to_owned()));
        UsherProcess::serve(role, &settings).await
    }

    /// Lets nobody in, or so many a minute.
    pub async fn set_rate(&self, event: EventId, per_minute: Option<u32>) -> anyhow::Result<()> {
        let policy = match per_minute {
            Some(rate) => json!({ "mode": "manual", "rate_per_minute": rate }),
            None => json!({ "mode": "paused" }),
        };
        self.set_policy(event, &policy).await
    }

    pub async fn set_policy(&self, event: EventId, policy: &Value) -> anyhow::Result<()> {
        let path = format!("/api/v1/admin/events/{event}/admission");
        let reply = call(self.address(), "PUT", &path, API_KEY, Some(policy)).await?;
        ensure!(
            reply.status == 200,
            "the policy is not taken: {}",
            reply.status
        );
        Ok(())
    }

    /// The operators' status, once there is a leader.
    pub async fn status(&self, event: EventId) -> anyhow::Result<Value> {
        let path = format!("/api/v1/admin/events/{event}/status");
        let reply = call(self.address(), "GET", &path, API_KEY, None).await?;
        Ok(serde_json::from_slice(&reply.body)?)
    }

    /// The client that usher itself uses, without usher around it.
    pub async fn client(&self) -> anyhow::Result<Redis> {
        let scripts = [usher_booking::SCRIPTS, usher_queue::SCRIPTS].concat();
        let url = self.redis_server.url();
        let redis = Redis::new(&url, &scripts, TimeSource::Server)?;
        let epoch: Epoch = usher_booking::pg::epoch::read(&self.pool).await?;
        redis.load_scripts(epoch).await?;
        Ok(redis)
    }
}

async fn wait_until_served(address: &str, event: EventId) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let path = format!("/e/{event}");
    while call(address, "GET", &path, "", None).await?.status != 200 {
        if Instant::now() > deadline {
            bail!("the event is not shown after {} s", PATIENCE.as_secs());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// One request of the benchmark itself, outside the load.
pub async fn call(
    address: &str,
    method: &str,
    path: &str,
    bearer: &str,
    body: Option<&Value>,
) -> anyhow::Result<Reply> {
    let origin = Origin::resolve(&format!("http://{address}")).await?;
    let pool = Pool::new(origin, CONTROL_CONNECTIONS);
    let json = body.map(Value::to_string);
    let mut bytes = Vec::new();
    Request {
        method,
        path,
        host: &pool.authority,
        bearer: (!bearer.is_empty()).then_some(bearer),
        from: None,
        json: json.as_deref().map(str::as_bytes),
    }
    .write(&mut bytes);
    Ok(pool.send(&bytes, ANSWER_BYTES).await?)
}

/// A hall in sections of 10,000: a hundred rows of a hundred.
fn draft(slug: &str, seats: u32, standing: u32) -> Value {
    const SECTION: u32 = 10_000;
    const ROW: u32 = 100;
    let sections: Vec<Value> = (0..seats.div_ceil(SECTION))
        .map(|index| {
            let rows = (seats - index * SECTION).min(SECTION).div_ceil(ROW);
            json!({
                "id": format!("s{index}"),
                "category": "all",
                "rows": [{ "row": format!("1-{rows}"), "seats": format!("1-{ROW}") }],
            })
        })
        .collect();
    let mut tiers = Vec::new();
    if standing > 0 {
        let tier = json!({ "code": "floor", "name": "Floor", "price": 3000, "capacity": standing });
        tiers.push(tier);
    }
    json!({
        "slug": slug,
        "title": slug,
        "category": "benchmark",
        "venue": { "name": "Hall", "city": "Berlin" },
        "start_time": "2035-01-01T20:00:00Z",
        "currency": "EUR",
        "prices": { "all": 5000 },
        "layout": { "sections": sections },
        "tiers": tiers,
    })
}
