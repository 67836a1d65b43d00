//! The catalog in Redis, where roles without Postgres read it: an index of
//! event -> revision, each event's document, each layout. `Catalog` keeps what
//! it has read in memory and asks only for what is newer; when Redis has
//! forgotten everything it goes on showing what it knew.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use usher_base::EventId;
use usher_base::redis::{CallError, Redis};

use super::{Event, OnSale};
use crate::keys;
use crate::layout::Layout;

/// Events that can be published at once.
pub const MAX_PUBLISHED_EVENTS: usize = 10_000;

#[derive(Clone)]
pub struct Catalog {
    redis: Redis,
    known: Arc<RwLock<HashMap<EventId, Arc<OnSale>>>>,
}

impl Catalog {
    pub fn new(redis: Redis) -> Self {
        Self {
            redis,
            known: Arc::default(),
        }
    }

    /// Shows the event to everybody; the index comes last, so that nobody
    /// learns of what cannot be read yet.
    pub async fn publish(&self, event: &Event, layout: Option<&Layout>) -> Result<(), CallError> {
        if let Some(layout) = layout {
            self.set(keys::layout(event.id), layout).await?;
        }
        self.set(keys::catalog(event.id), event).await?;
        let mut index = redis::cmd("HSET");
        index.arg(keys::PUBLISHED).arg(event.id.to_string());
        self.redis
            .command::<i64>(index.arg(event.revision).to_owned())
            .await
            .map(drop)
    }

    /// Takes an event that was deleted away, with its inventory.
    pub async fn unpublish(&self, event: EventId) -> Result<(), CallError> {
        let mut index = redis::cmd("HDEL");
        index.arg(keys::PUBLISHED).arg(event.to_string());
        self.redis.command::<i64>(index).await?;
        self.redis.unlink(&keys::all_of_event(event)).await
    }

    /// What was known at the last refresh.
    pub fn get(&self, event: EventId) -> Option<Arc<OnSale>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&event).cloned()
    }

    /// All of it, unsorted.
    pub fn all(&self) -> Vec<Arc<OnSale>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.values().cloned().collect()
    }

    /// Reads what is new; call it every few seconds. Returns the events that
    /// changed.
    pub async fn refresh(&self) -> Result<Vec<EventId>, CallError> {
        let mut get = redis::cmd("HGETALL");
        get.arg(keys::PUBLISHED);
        let index: HashMap<String, i64> = self.redis.command(get).await?;
        if index.is_empty() {
            // Nothing published, or all forgotten: keep what is shown.
            return Ok(Vec::new());
        }
        let mut published = HashMap::new();
        for (id, revision) in index.into_iter().take(MAX_PUBLISHED_EVENTS) {
            if let Ok(id) = id.parse::<EventId>() {
                published.insert(id, revision);
            }
        }
        let mut changed = Vec::new();
        for (id, revision) in &published {
            let known = self.get(*id);
            if known.as_ref().is_none_or(|k| k.event.revision != *revision)
                && let Some(read) = self.read(*id, known).await?
            {
                self.keep(Arc::new(read));
                changed.push(*id);
            }
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.retain(|id, _| published.contains_key(id));
        Ok(changed)
    }

    fn keep(&self, on_sale: Arc<OnSale>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(on_sale.event.id, on_sale);
    }

    async fn read(
        &self,
        id: EventId,
        known: Option<Arc<OnSale>>,
    ) -> Result<Option<OnSale>, CallError> {
        let Some(event) = self.fetch::<Event>(keys::catalog(id)).await? else {
            return Ok(None);
        };
        let Some(version) = event.layout_version.as_deref() else {
            let layout = None;
            return Ok(Some(OnSale { event, layout }));
        };
        // Immutable: the version that we have is the version that it is.
        let same = known.and_then(|known| known.layout.clone());
        let same = same.filter(|layout| layout.version() == version);
        let layout = match same {
            Some(layout) => Some(layout),
            None => self.fetch::<Layout>(keys::layout(id)).await?.map(Arc::new),
        };
        // A moment between two writes: the next refresh will find both.
        Ok(layout
            .filter(|layout| layout.version() == version)
            .map(|layout| OnSale {
                layout: Some(layout),
                event,
            }))
    }

    async fn set<T: serde::Serialize>(&self, key: String, value: &T) -> Result<(), CallError> {
        let json = serde_json::to_string(value).map_err(|e| CallError::Shape(e.to_string()))?;
        let mut set = redis::cmd("SET");
        set.arg(key).arg(json);
        self.redis.command(set).await
    }

    async fn fetch<T: serde::de::DeserializeOwned>(
        &self,
        key: String,
    ) -> Result<Option<T>, CallError> {
        let mut get = redis::cmd("GET");
        get.arg(key);
        let json: Option<String> = self.redis.command(get).await?;
        let parse = |json: String| serde_json::from_str(&json);
        let parsed = json.map(parse).transpose();
        parsed.map_err(|e| CallError::Shape(e.to_string()))
    }
}
