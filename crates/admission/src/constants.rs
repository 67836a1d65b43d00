//! The law's constants of each event, as an admin set them: durable and audited in
//! Postgres, from where the leader takes them over within about a second.

use sqlx::PgPool;
use usher_base::EventId;

use crate::control::{Constants, ConstantsError};
use crate::pg::constants as table;

#[derive(Debug, thiserror::Error)]
pub enum ConstantsChangeError {
    #[error(transparent)]
    Invalid(#[from] ConstantsError),
    #[error("the change could not be made durable: {0}")]
    Database(#[from] sqlx::Error),
}

#[derive(Clone)]
pub struct EventConstants {
    pool: PgPool,
}

impl EventConstants {
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Those set last; none where nobody set any.
    pub async fn get(&self, event: EventId) -> Result<Constants, sqlx::Error> {
        let known = table::read(&self.pool, event).await?;
        Ok(known.unwrap_or_default())
    }

    /// Replaces what is set, with who said so; what is left out is as usual again.
    /// Returns what was set before.
    pub async fn put(
        &self,
        event: EventId,
        constants: &Constants,
        who: &str,
    ) -> Result<Constants, ConstantsChangeError> {
        constants.validate()?;
        let before = table::write(&self.pool, event, constants, who).await?;
        Ok(before.unwrap_or_default())
    }
}
