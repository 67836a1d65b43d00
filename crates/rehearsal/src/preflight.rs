//! Before the first fan: find the targets, the event and what it has to sell, and
//! read the operators' status while the rehearsal runs.

use std::time::Duration;

use anyhow::{Context, bail};
use serde::de::DeserializeOwned;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::args::RehearseArgs;
use crate::clock::RunClock;
use crate::guard;
use crate::http::origin::Origin;
use crate::http::pool::Pool;
use crate::http::request::Request;
use crate::report::model::StatusSeen;
use crate::score::stock::Facts;
use crate::wire;

/// Most bytes of a catalog answer or a seat map.
const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How often the operators' status is read.
const STATUS_EVERY: Duration = Duration::from_secs(5);
/// Fewest connections that one target gets of the process's budget.
const CONNECTIONS_MIN: usize = 16;

#[derive(Debug)]
pub struct Targets {
    pub edges: Vec<Origin>,
    pub booking: Origin,
}

impl Targets {
    pub async fn find(args: &RehearseArgs) -> anyhow::Result<Self> {
        let mut edges = Vec::new();
        for url in &args.targets {
            edges.push(Origin::resolve(url).await?);
        }
        let booking = match (&args.booking, edges.first()) {
            (Some(url), _) => Origin::resolve(url).await?,
            (None, Some(first)) => first.clone(),
            (None, None) => bail!("name at least one --target, like http://127.0.0.1:8080"),
        };
        for origin in edges.iter().chain([&booking]) {
            guard::check_owned(origin, &args.i_own_this_target)?;
        }
        Ok(Self { edges, booking })
    }

    /// Pools that share the process's budget of connections.
    pub fn pools(&self) -> (Vec<Pool>, Pool) {
        let each = (guard::CONNECTIONS_MAX as usize / (self.edges.len() + 1)).max(CONNECTIONS_MIN);
        let edges = self
            .edges
            .iter()
            .map(|origin| Pool::new(origin.clone(), each))
            .collect();
        (edges, Pool::new(self.booking.clone(), each))
    }

    fn single(&self) -> Option<Pool> {
        self.edges
            .first()
            .map(|origin| Pool::new(origin.clone(), 1))
    }
}

async fn get<T: DeserializeOwned>(
    pool: &Pool,
    path: &str,
    bearer: Option<&str>,
) -> anyhow::Result<T> {
    let mut bytes = Vec::new();
    Request {
        method: "GET",
        path,
        host: &pool.authority,
        bearer,
        ..Request::default()
    }
    .write(&mut bytes);
    let reply = pool
        .send(&bytes, BODY_BYTES_MAX)
        .await
        .with_context(|| format!("cannot ask {}", pool.authority))?;
    if reply.status != 200 {
        let refusal: wire::Refusal = serde_json::from_slice(&reply.body).unwrap_or_default();
        bail!(
            "{} answered {} {} to GET {path}",
            pool.authority,
            reply.status,
            refusal.error
        );
    }
    serde_json::from_slice(&reply.body)
        .with_context(|| format!("the answer to GET {path} is not the contract's"))
}

/// The event that was named, or the only one there is.
pub async fn find_event(targets: &Targets, named: Option<&str>) -> anyhow::Result<String> {
    if let Some(named) = named {
        return Ok(named.to_owned());
    }
    let pool = targets.single().context("no target")?;
    let list: wire::EventList = get(&pool, wire::EVENTS_PATH, None).await?;
    match list.data.as_slice() {
        [only] => Ok(only.id.clone()),
        [] => bail!("the target has no event to rehearse; create one first"),
        many => {
            let ids: Vec<&str> = many
                .iter()
                .take(20)
                .map(|event| event.id.as_str())
                .collect();
            bail!(
                "the target has several events; choose one with --event: {}",
                ids.join(", ")
            )
        }
    }
}

/// What the event says that it has to sell.
pub async fn read_facts(targets: &Targets, event: &str) -> anyhow::Result<Facts> {
    let pool = targets.single().context("no target")?;
    let about: wire::EventFacts = get(&pool, &wire::event_path(event), None).await?;
    // An event may have no map yet; then there are no tiers to compare with.
    let map: wire::SeatMap = get(&pool, &wire::seatmap_path(event), None)
        .await
        .unwrap_or_default();
    let tier_capacity = map
        .tiers
        .into_iter()
        .filter_map(|tier| Some((tier.id, tier.capacity?)))
        .collect();
    Ok(Facts {
        total_seats: about.availability.total_seats,
        tier_capacity,
    })
}

/// Reads the operators' status again and again until `stop`, first and last included.
#[derive(Debug)]
pub struct StatusWatch {
    pool: Pool,
    path: String,
    api_key: String,
}

impl StatusWatch {
    pub fn new(targets: &Targets, event: &str, api_key: &str) -> Self {
        let pool = Pool::new(targets.booking.clone(), 1);
        Self {
            pool,
            path: wire::status_path(event),
            api_key: api_key.to_owned(),
        }
    }

    pub async fn read(&self, clock: &RunClock) -> anyhow::Result<StatusSeen> {
        let status = get(&self.pool, &self.path, Some(&self.api_key)).await?;
        Ok(StatusSeen {
            at_ms: clock.now_ms(),
            status,
        })
    }

    /// Readings that fail are left out: the chart has a gap where usher was deaf.
    pub async fn watch(&self, clock: &RunClock, stop: &CancellationToken) -> Vec<StatusSeen> {
        let mut seen = Vec::new();
        let mut every = interval(STATUS_EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                () = stop.cancelled() => return seen,
                _ = every.tick() => seen.extend(self.read(clock).await.ok()),
            }
        }
    }
}
