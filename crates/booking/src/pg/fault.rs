//! What a failed transaction means: did an order break a rule, or was Postgres
//! only away for a moment? Nothing else in the crate reads SQL states.

use std::time::{Duration, Instant};

/// Between two tries while Postgres is away.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Whether `error` says that the data break a rule: asking again is useless.
pub fn breaks_a_rule(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|e| e.code());
    // 22: data exception, 23: integrity constraint.
    code.is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
}

/// Whether somebody else kept a lock for too long: nothing has happened.
pub fn is_locked(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|e| e.code());
    // lock_not_available: the connection's lock_timeout has passed.
    code.is_some_and(|code| code == "55P03")
}

/// Whether a statement ran into its time limit.
pub fn took_too_long(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|e| e.code());
    // query_canceled: the statement_timeout has passed.
    code.is_some_and(|code| code == "57014")
}

/// The constraint that was broken, if it was one.
pub fn constraint(error: &sqlx::Error) -> Option<&str> {
    error.as_database_error()?.constraint()
}

/// Waits between tries, growing, until it has been enough.
pub struct Patience {
    until: Instant,
    pause: Duration,
}

impl Patience {
    pub fn of(limit: Duration) -> Self {
        Self {
            until: Instant::now() + limit,
            pause: FIRST_PAUSE,
        }
    }

    /// False when patience is over.
    pub async fn wait(&mut self) -> bool {
        if Instant::now() + self.pause > self.until {
            return false;
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        true
    }
}
