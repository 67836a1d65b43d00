//! The operator's word on its way: durable and audited in Postgres, mirrored in
//! Redis, where the leader reads it each tick. A pause is told to Redis first,
//! because it must bite even when Postgres does not answer.

use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use usher_base::EventId;
use usher_base::redis::{CallError, Hint, HintKind, Redis};
use usher_queue::Line;

use crate::control::{Mode, Policy, PolicyError};
use crate::pg::policies as table;
use crate::{cache, keys};

#[derive(Debug, thiserror::Error)]
pub enum PolicyChangeError {
    #[error(transparent)]
    Invalid(#[from] PolicyError),
    #[error("the change could not be made durable: {0}")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Redis(#[from] CallError),
}

/// A policy as Redis has it, with its revision in Postgres, so that of two who
/// write it at once the later one stays.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Mirrored {
    pub revision: u64,
    pub policy: Policy,
}

#[derive(Clone)]
pub struct Policies {
    pool: PgPool,
    line: Line,
}

impl Policies {
    pub fn new(pool: PgPool, line: Line) -> Self {
        Self { pool, line }
    }

    /// The policy set last; the default (auto) when none was.
    pub async fn get(&self, event: EventId) -> Result<Policy, sqlx::Error> {
        Ok(table::read(&self.pool, event).await?.policy)
    }

    /// Removes all that Redis has of an event that was deleted.
    pub async fn unlink(&self, event: EventId) -> Result<(), CallError> {
        self.redis().unlink(&keys::all_of_event(event)).await
    }

    /// Puts a policy in force, with who said so. Returns what was in force before. An
    /// error after a pause says that the pause is not durable; it is in force nevertheless.
    pub async fn put(
        &self,
        event: EventId,
        policy: &Policy,
        who: &str,
    ) -> Result<Policy, PolicyChangeError> {
        policy.validate()?;
        if policy.mode == Mode::Paused {
            let known = mirrored(self.redis(), event).await?;
            let ahead = Mirrored {
                // What Postgres is about to give it, so that nobody takes it back meanwhile.
                revision: known.map_or(1, |known| known.revision + 1),
                policy: policy.clone(),
            };
            self.mirror(event, &ahead).await?;
        }
        let (before, written) = table::write(&self.pool, event, policy, who).await?;
        self.mirror(event, &written).await?;
        // A lost hint costs a tick.
        let kind = HintKind::Changed;
        let _ = self.redis().hint(Hint { event, kind }).await;
        Ok(before.unwrap_or_default())
    }

    /// Writes Postgres's policy to Redis where that has none or an older one: after
    /// a loss, for a new event, or when two wrote at once.
    pub async fn restore(&self, event: EventId) -> Result<(), PolicyChangeError> {
        let durable = table::read(&self.pool, event).await?;
        let known = mirrored(self.redis(), event).await?;
        if known.is_none_or(|known| known.revision < durable.revision) {
            cache::keep(self.redis(), keys::policy(event), &durable).await?;
        }
        Ok(())
    }

    /// The policy first and then the mode: the leader, who sets the mode by the
    /// policy, must never find the new mode beside the old policy.
    async fn mirror(&self, event: EventId, mirrored: &Mirrored) -> Result<(), CallError> {
        cache::keep(self.redis(), keys::policy(event), mirrored).await?;
        let mode = mode_of(&mirrored.policy);
        self.line.set_mode(event, mode).await
    }

    fn redis(&self) -> &Redis {
        self.line.redis()
    }
}

/// What release.lua checks; an override that ends is lifted by the leader.
pub(crate) fn mode_of(policy: &Policy) -> usher_queue::Mode {
    match policy.mode {
        Mode::Auto => usher_queue::Mode::Auto,
        Mode::Manual => usher_queue::Mode::Manual,
        Mode::Paused => usher_queue::Mode::Paused,
    }
}

/// The mirror as the leader reads it.
pub(crate) async fn mirrored(redis: &Redis, event: EventId) -> Result<Option<Mirrored>, CallError> {
    cache::get(redis, keys::policy(event)).await
}
