//! How often one client address may join. Counted in this process's memory by
//! governor, before anything reaches Redis, so that a flood of joins costs the
//! fans who already wait nothing.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use axum::http::StatusCode;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};

use crate::address::limit_key;
use crate::error::ApiError;

/// Past this many remembered addresses, those at rest are forgotten at once.
const MAX_REMEMBERED_ADDRESSES: usize = 200_000;

pub struct JoinLimit {
    limiter: DefaultKeyedRateLimiter<IpAddr>,
}

impl JoinLimit {
    pub fn new(joins_per_minute: u32) -> Self {
        let per_minute = NonZeroU32::new(joins_per_minute).unwrap_or(NonZeroU32::MIN);
        Self {
            limiter: DefaultKeyedRateLimiter::keyed(Quota::per_minute(per_minute)),
        }
    }

    /// Takes one join from the address's allowance, or says when to come back.
    pub fn check(&self, client: IpAddr) -> Result<(), ApiError> {
        let checked = self.limiter.check_key(&limit_key(client));
        checked.map_err(|not_until| {
            let wait = not_until.wait_time_from(DefaultClock::default().now());
            too_many(wait)
        })
    }

    /// Forgets addresses that are at rest; called from time to time.
    pub fn tidy(&self) {
        if self.limiter.len() > MAX_REMEMBERED_ADDRESSES / 2 {
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
        }
    }
}

fn too_many(wait: Duration) -> ApiError {
    let message = "Too many joins from this address; wait a moment and try again.";
    ApiError::new(
        StatusCode::TOO_MANY_REQUESTS,
        "rate_limit_exceeded",
        message,
    )
    .retry_after(wait)
    .detail("limit", "joins per address and minute")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_address_is_limited_and_another_is_not() {
        let limit = JoinLimit::new(2);
        let (a, b) = ("1.2.3.4".parse().unwrap(), "1.2.3.5".parse().unwrap());
        assert!(limit.check(a).is_ok() && limit.check(a).is_ok());
        assert_eq!(
            limit.check(a).unwrap_err().status(),
            StatusCode::TOO_MANY_REQUESTS
        );
        assert!(limit.check(b).is_ok());
    }
}
