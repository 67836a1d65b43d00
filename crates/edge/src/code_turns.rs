//! Turns for looking an invite code up. A code's row is locked while it is counted, so fans
//! who type one code together wait for each other; without turns they would do so holding
//! every connection to Postgres that buyers and operators share.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::{ApiError, ApiResult};

/// Of the connections that requests share, codes take at most one in so many.
const SHARE: u32 = 4;
/// Fans who wait for their turn; a code takes some milliseconds.
const MAX_WAITING: usize = 500;
const WAIT_AT_MOST: Duration = Duration::from_secs(5);

pub struct CodeTurns {
    at_once: Semaphore,
    waiting: Semaphore,
}

impl CodeTurns {
    pub fn of_connections(connections: u32) -> Self {
        let at_once = (connections / SHARE).max(1);
        Self {
            at_once: Semaphore::new(at_once as usize),
            waiting: Semaphore::new(MAX_WAITING),
        }
    }

    /// One turn, given back when dropped.
    pub async fn take(&self) -> ApiResult<SemaphorePermit<'_>> {
        let _place = self.waiting.try_acquire().map_err(|_| too_many())?;
        let turn = tokio::time::timeout(WAIT_AT_MOST, self.at_once.acquire()).await;
        let turn = turn.map_err(|_| too_many())?;
        Ok(turn.expect("nobody closes this semaphore"))
    }
}

fn too_many() -> ApiError {
    let message = "Many people use their codes at this moment; try yours again in some seconds.";
    ApiError::unavailable("overloaded", message, Duration::from_secs(3))
}
