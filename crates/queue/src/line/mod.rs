//! The line in Redis: one method per script, each idempotent, each with its own
//! typed answer. `Line` is a cheap handle; who stands where is only in Redis.

mod configure;
mod drawing;
mod ends;
mod fans;
mod here;
mod leader;
mod memory;

use usher_base::redis::{Invocation, Redis, Script};
use usher_base::{EventId, FanId, Lane};

use crate::keys;

pub use configure::{Identity, LineSettings, Mode, Room};
pub(crate) use drawing::{NUMBERS_PER_CALL, Numbering};
pub use ends::{Departed, Ended, Was};
pub use fans::{JoinOrder, Joined, MAX_FANS_PER_LOOKUP, OldPlace};
pub use here::{EdgeId, HERE_FADES_AFTER, Snapshot};
pub use leader::{
    LaneNews, LeaseToken, MAX_NUMBERS_PER_RELEASE, ReleaseOrder, Released, ReleasedFan,
    SWEEP_AT_MOST, Swept,
};
pub(crate) use memory::{Inside, LaneMemory};

/// Lanes that one event may have.
pub const MAX_LANES: usize = 16;

#[derive(Clone)]
pub struct Line {
    redis: Redis,
}

impl Line {
    pub fn new(redis: Redis) -> Self {
        Self { redis }
    }

    pub fn redis(&self) -> &Redis {
        &self.redis
    }

    fn call(&self, script: &'static Script, event: EventId) -> Invocation<'_> {
        self.redis.script(script).key(keys::meta(event))
    }
}

/// Fans travel as their 16 raw bytes: a million of them are a sixth smaller so.
fn raw(fan: &FanId) -> &[u8] {
    fan.bytes().as_slice()
}

fn names(lanes: &[Lane]) -> Vec<&str> {
    lanes.iter().map(Lane::as_str).collect()
}
