//! Time as the rehearsal counts it: milliseconds since its start, the same in all
//! of its processes, and the wall clock for what the server stamps.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

#[derive(Debug, Clone, Copy)]
pub struct RunClock {
    start: Instant,
    start_unix_ms: u64,
}

pub fn unix_ms_now() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl RunClock {
    /// A clock whose zero is the given instant, past or to come.
    pub fn starting_at(unix_ms: u64) -> Self {
        let (now, now_unix_ms) = (Instant::now(), unix_ms_now());
        let start = if unix_ms >= now_unix_ms {
            now + Duration::from_millis(unix_ms - now_unix_ms)
        } else {
            now.checked_sub(Duration::from_millis(now_unix_ms - unix_ms))
                .unwrap_or(now)
        };
        Self {
            start,
            start_unix_ms: unix_ms,
        }
    }

    pub fn now_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub fn instant(&self, at_ms: u64) -> Instant {
        self.start + Duration::from_millis(at_ms)
    }

    pub fn start_unix_ms(&self) -> u64 {
        self.start_unix_ms
    }

    /// How long ago the server stamped `at`; a stamp from the future is no lag.
    pub fn lag_since(&self, at: &str) -> Option<Duration> {
        let stamped = OffsetDateTime::parse(at, &Rfc3339)
            .ok()?
            .unix_timestamp_nanos();
        let now =
            i128::from(self.start_unix_ms) * 1_000_000 + self.start.elapsed().as_nanos() as i128;
        Some(Duration::from_nanos(
            u64::try_from(now - stamped).unwrap_or(0),
        ))
    }
}
