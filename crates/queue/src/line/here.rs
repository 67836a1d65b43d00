//! Presence between edges and leader: each edge says whom it has connected, the
//! leader reads what all of them say.

use std::fmt;
use std::time::Duration;

use rand::Rng;
use usher_base::{EventId, Lane, Timestamp};

use super::Line;
use crate::bitmap::Bitmap;
use crate::keys;
use crate::reply::{Read, Reply, unexpected};
use crate::scripts;

/// An edge says anew every 2 s; what it said fades after this.
pub const HERE_FADES_AFTER: Duration = Duration::from_secs(6);
/// Edges that a snapshot reads at most.
const MAX_EDGES: usize = 64;

/// One edge process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EdgeId(u64);

impl EdgeId {
    pub fn random(rng: &mut impl Rng) -> Self {
        Self(rng.next_u64())
    }
}

impl fmt::Display for EdgeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Who is connected anywhere.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// By Redis's clock, before anything was read.
    pub taken_at: Timestamp,
    pub edges: usize,
    /// As many as the lanes asked for, in their order.
    pub lanes: Vec<Bitmap>,
}

impl Line {
    /// Says which waiting numbers this edge has connected or polled lately.
    pub async fn say_here(
        &self,
        event: EventId,
        edge: EdgeId,
        lanes: &[(Lane, Bitmap)],
    ) -> Read<()> {
        let edge = edge.to_string();
        let mut call = self
            .call(&scripts::HERE, event)
            .key(keys::edges(event))
            .arg(&edge)
            .arg(HERE_FADES_AFTER.as_secs() * 1000);
        for (lane, here) in lanes {
            call = call
                .key(keys::here(event, &edge, lane))
                .arg(here.to_bytes().as_slice());
        }
        let mut reply: Reply = call.run().await?;
        match reply.word()?.as_str() {
            "here" => Ok(()),
            other => Err(unexpected(other)),
        }
    }

    /// What all edges said, together.
    pub async fn snapshot(&self, event: EventId, lanes: &[Lane]) -> Read<Snapshot> {
        let call = self
            .call(&scripts::EDGES, event)
            .key(keys::edges(event))
            .arg(MAX_EDGES)
            .arg(HERE_FADES_AFTER.as_secs() * 1000);
        let mut reply: Reply = call.run().await?;
        let mut snapshot = Snapshot {
            taken_at: reply.time()?,
            edges: 0,
            lanes: vec![Bitmap::default(); lanes.len()],
        };
        let mut read = redis::cmd("MGET");
        while !reply.is_done() {
            let edge = reply.word()?;
            snapshot.edges += 1;
            for lane in lanes {
                read.arg(keys::here(event, &edge, lane));
            }
        }
        if snapshot.edges == 0 || lanes.is_empty() {
            return Ok(snapshot);
        }
        let said: Vec<Option<Vec<u8>>> = self.redis.command(read).await?;
        for of_edge in said.chunks(lanes.len()) {
            for (all, here) in snapshot.lanes.iter_mut().zip(of_edge) {
                all.add(&Bitmap::from_bytes(0, here.as_deref().unwrap_or_default()));
            }
        }
        Ok(snapshot)
    }
}
