//! The leader: one task an event and process, of which one at a time holds the
//! event's lease and lets people in. The others stand by and take over within
//! two seconds of its end; what a deposed leader still tries, Redis refuses.

mod announce;
mod claims;
mod clerk;
mod lane_states;
mod lanes;
mod law;
mod lease;
mod release;
mod round;
mod seconds;
mod sequence;
mod settings;
mod tally;
mod term;
mod tidy;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use usher_base::redis::Redis;
use usher_base::signing::SigningKeys;
use usher_base::{Clock, EventId};
use usher_queue::Line;
use usher_queue::pg::{LineRow, Recorder, Store};

pub(crate) use law::Kept;
pub(crate) use settings::LawSettings;
use settings::SettingsOfAll;

/// How often the events' settings are read.
const DISCOVER_EVERY: Duration = Duration::from_secs(1);
/// One reading takes no longer.
const DISCOVER_WITHIN: Duration = Duration::from_secs(2);

/// Leads this process's part of all events.
pub struct Leader {
    redis: Redis,
    line: Line,
    store: Store,
    recorder: Arc<Recorder>,
    pool: PgPool,
    clock: Arc<dyn Clock>,
    law_settings: SettingsOfAll,
    /// To sign the lists of draws with; without them lotteries wait.
    keys: Option<Arc<SigningKeys>>,
}

/// An event that is led, or stood by for.
struct Led {
    /// The settings as Postgres had them last; dropped when the event is closed.
    rows: watch::Sender<LineRow>,
    task: JoinHandle<()>,
}

impl Leader {
    pub fn new(line: Line, pool: PgPool, clock: Arc<dyn Clock>, stop: CancellationToken) -> Self {
        Self {
            redis: line.redis().clone(),
            line,
            store: Store::new(pool.clone()),
            recorder: Arc::new(Recorder::start(pool.clone(), stop)),
            pool,
            clock,
            law_settings: SettingsOfAll::default(),
            keys: None,
        }
    }

    /// The same for events that are drawn: their lists are signed with `keys`.
    pub fn with_draws(self, keys: Arc<SigningKeys>) -> Self {
        Self {
            keys: Some(keys),
            ..self
        }
    }

    /// Leads, or stands by for, every event that is not closed.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut led: HashMap<EventId, Led> = HashMap::new();
        let mut interval = tokio::time::interval(DISCOVER_EVERY);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = interval.tick() => {}
                () = stop.cancelled() => break,
            }
            led.retain(|_, one| !one.task.is_finished());
            self.law_settings.refresh(&self.pool).await;
            let read = self.store.live_lines();
            let read = tokio::select! {
                read = tokio::time::timeout(DISCOVER_WITHIN, read) => read,
                () = stop.cancelled() => break,
            };
            match read {
                Ok(Ok(lines)) => self.follow(&mut led, lines, &stop),
                // Those known are led on without Postgres.
                Ok(Err(error)) => tracing::warn!(%error, "the events' settings cannot be read"),
                Err(_) => tracing::warn!("the events' settings were not read in time"),
            }
        }
        for one in led.into_values() {
            // Each resigns its lease as it ends.
            let _ = one.task.await;
        }
    }

    fn follow(
        self: &Arc<Self>,
        led: &mut HashMap<EventId, Led>,
        lines: Vec<LineRow>,
        stop: &CancellationToken,
    ) {
        let live: HashSet<EventId> = lines.iter().map(|line| line.event).collect();
        led.retain(|event, _| live.contains(event));
        for line in lines {
            if let Some(known) = led.get(&line.event) {
                known.rows.send_replace(line);
                continue;
            }
            let event = line.event;
            let (rows, read_rows) = watch::channel(line);
            let (leader, stop) = (Arc::clone(self), stop.clone());
            let task = tokio::spawn(term::serve(leader, read_rows, stop));
            led.insert(event, Led { rows, task });
        }
    }
}
