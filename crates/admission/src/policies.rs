//! The operator's word on its way: durable and audited in Postgres, mirrored in
//! Redis, where the leader reads it each tick. A pause is told to Redis first,
//! because it must bite even when Postgres does not answer.

use sqlx::PgPool;
use usher_base::EventId;
use usher_base::redis::{CallError, Hint, HintKind, Redis};
use usher_queue::Line;

use crate::control::{Mode, Policy, PolicyError};
use crate::pg::policies as table;
use crate::{cache, keys};

/// The mirror is written anew by the leader long before it fades.
const FADES_AFTER_SECONDS: u64 = 24 * 3600;

#[derive(Debug, thiserror::Error)]
pub enum PolicyChangeError {
    #[error(transparent)]
    Invalid(#[from] PolicyError),
    #[error("the change could not be made durable: {0}")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Redis(#[from] CallError),
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
        Ok(table::read(&self.pool, event).await?.unwrap_or_default())
    }

    /// Puts a policy in force, with who said so.
    pub async fn put(
        &self,
        event: EventId,
        policy: &Policy,
        who: &str,
    ) -> Result<(), PolicyChangeError> {
        policy.validate()?;
        if policy.mode == Mode::Paused {
            self.mirror(event, policy).await?;
        }
        table::write(&self.pool, event, policy, who).await?;
        self.mirror(event, policy).await?;
        // A lost hint costs a tick.
        let kind = HintKind::Changed;
        let _ = self.redis().hint(Hint { event, kind }).await;
        Ok(())
    }

    /// Writes Postgres's policy to Redis again, after a loss or for a new event.
    pub async fn restore(&self, event: EventId) -> Result<(), PolicyChangeError> {
        let policy = self.get(event).await?;
        Ok(cache::put(
            self.redis(),
            keys::policy(event),
            &policy,
            FADES_AFTER_SECONDS,
        )
        .await?)
    }

    async fn mirror(&self, event: EventId, policy: &Policy) -> Result<(), CallError> {
        self.line.set_mode(event, mode_of(policy)).await?;
        cache::put(
            self.redis(),
            keys::policy(event),
            policy,
            FADES_AFTER_SECONDS,
        )
        .await
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
pub(crate) async fn mirrored(redis: &Redis, event: EventId) -> Result<Option<Policy>, CallError> {
    cache::get(redis, keys::policy(event)).await
}
