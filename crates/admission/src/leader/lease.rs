//! The lease of one term: kept alive beside the releases, so that neither waits
//! for the other, and known locally, so that a leader who slept stops by itself.
//! The last word is release.lua's, which compares the token.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rand::Rng as _;
use tokio::time::{Instant, MissedTickBehavior};
use usher_base::EventId;
use usher_base::redis::CallError;
use usher_queue::{LeaseToken, Line};

/// A lease ends this long after its last renewal.
const LEASE: Duration = Duration::from_secs(2);
const RENEW_EVERY: Duration = Duration::from_millis(500);

/// Unique to one term: a call of an earlier term of the same process that Redis
/// hears late is refused like a stranger's.
pub(super) fn new_token(line: &Line) -> LeaseToken {
    let epoch = line.redis().epoch();
    LeaseToken(format!("{epoch}-{:016x}", rand::rng().next_u64()))
}

pub(super) struct Lease {
    event: EventId,
    token: LeaseToken,
    held_until: Mutex<Instant>,
}

impl Lease {
    /// `None` while somebody else leads.
    pub async fn take(
        line: &Line,
        event: EventId,
        token: &LeaseToken,
    ) -> Result<Option<Self>, CallError> {
        let asked = Instant::now();
        let led = line.lead(event, token, LEASE).await?;
        Ok(led.then(|| Self {
            event,
            token: token.clone(),
            held_until: Mutex::new(asked + LEASE),
        }))
    }

    pub fn token(&self) -> &LeaseToken {
        &self.token
    }

    /// False once the time is over, even if this process slept through it.
    pub fn is_held(&self) -> bool {
        Instant::now() < *self.until()
    }

    /// Redis said that somebody else leads.
    pub fn lose(&self) {
        *self.until() = Instant::now();
    }

    /// Renews until the lease is lost, or Redis's memory is of another epoch: then
    /// what this term remembers (who was seen, which numbers) is not true any more.
    pub async fn keep(&self, line: &Line) {
        let epoch = line.redis().epoch();
        let mut interval = tokio::time::interval(RENEW_EVERY);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            let asked = Instant::now();
            match line.lead(self.event, &self.token, LEASE).await {
                Ok(true) if self.is_held() => *self.until() = asked + LEASE,
                // Somebody may have led in between: their term is not ours to go on with.
                Ok(_) | Err(CallError::Stale) => return self.lose(),
                Err(_) if self.is_held() => {}
                Err(_) => return,
            }
            if line.redis().epoch() != epoch {
                return self.lose();
            }
        }
    }

    /// Lets the next leader begin at once.
    pub async fn resign(&self, line: &Line) {
        self.lose();
        // Otherwise it ends by itself.
        let _ = line.resign(self.event, &self.token).await;
    }

    fn until(&self) -> std::sync::MutexGuard<'_, Instant> {
        self.held_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
