//! Which lanes an event has, for edges, which have no Postgres to ask.

use std::collections::HashMap;

use usher_base::EventId;
use usher_base::redis::keys as base_keys;
use usher_base::{Lane, Timestamp};

use super::Line;
use crate::reply::Read;

/// What an edge has to know of a line before it can read its board.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// The first is the one that fans get who name none.
    pub lanes: Vec<Lane>,
    pub opens_at: Option<Timestamp>,
}

impl Line {
    /// The lanes that have numbers to give, `main` first. Empty while the event
    /// has no line.
    pub async fn outline(&self, event: EventId) -> Read<Outline> {
        let mut read = redis::cmd("HGETALL");
        read.arg(base_keys::meta(event));
        let meta: HashMap<String, String> = self.redis.command(read).await?;
        let named = meta.keys().filter_map(|field| field.strip_prefix("block:"));
        let mut lanes: Vec<Lane> = named.filter_map(|lane| lane.parse().ok()).collect();
        let main = Lane::main();
        lanes.sort_by_key(|lane| (*lane != main, lane.clone()));
        let opens_at = meta.get("opens_at").and_then(|ms| ms.parse().ok());
        Ok(Outline {
            lanes,
            opens_at: opens_at.map(Timestamp::from_millis),
        })
    }
}
