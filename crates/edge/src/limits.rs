//! How often one client address or network may join, or ask anything of the shop. Counted
//! in this process's memory by governor, before anything reaches Redis, so that
//! a flood costs the fans who already wait nothing.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};

use crate::address::{limit_key, network_key};
use crate::error::ApiError;
use crate::state::Edge;

/// Past this many remembered addresses, those at rest are forgotten at once.
const MAX_REMEMBERED_ADDRESSES: usize = 200_000;

/// What one limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    Joins,
    /// Of a whole network, so that a block of addresses is not as many clients.
    JoinsOfNetwork,
    Requests,
}

impl Counted {
    const fn limit(self) -> &'static str {
        match self {
            Self::Joins => "joins per address and minute",
            Self::JoinsOfNetwork => "joins per network and minute",
            Self::Requests => "requests per address and minute",
        }
    }

    fn key(self, client: IpAddr) -> IpAddr {
        match self {
            Self::Joins | Self::Requests => limit_key(client),
            Self::JoinsOfNetwork => network_key(client),
        }
    }
}

pub struct AddressLimit {
    counted: Counted,
    limiter: DefaultKeyedRateLimiter<IpAddr>,
}

impl AddressLimit {
    pub fn new(counted: Counted, per_minute: u32) -> Self {
        let per_minute = NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN);
        Self {
            counted,
            limiter: DefaultKeyedRateLimiter::keyed(Quota::per_minute(per_minute)),
        }
    }

    /// Takes one from the address's allowance, or says when to come back.
    pub fn check(&self, client: IpAddr) -> Result<(), ApiError> {
        let checked = self.limiter.check_key(&self.counted.key(client));
        checked.map_err(|not_until| {
            let wait = not_until.wait_time_from(DefaultClock::default().now());
            too_many(self.counted, wait)
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

/// Middleware of what is asked again and again: the catalog and the shop.
pub async fn per_address(
    State(edge): State<Arc<Edge>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let client = edge.settings.proxies.client(peer, request.headers());
    match edge.request_limit.check(client) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

fn too_many(counted: Counted, wait: Duration) -> ApiError {
    let message = "Too much is asked from this address; wait a moment and try again.";
    ApiError::new(
        StatusCode::TOO_MANY_REQUESTS,
        "rate_limit_exceeded",
        message,
    )
    .retry_after(wait)
    .detail("limit", counted.limit())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_address_is_limited_and_another_is_not() {
        let limit = AddressLimit::new(Counted::Joins, 2);
        let (a, b) = ("1.2.3.4".parse().unwrap(), "1.2.3.5".parse().unwrap());
        assert!(limit.check(a).is_ok() && limit.check(a).is_ok());
        assert_eq!(
            limit.check(a).unwrap_err().status(),
            StatusCode::TOO_MANY_REQUESTS
        );
        assert!(limit.check(b).is_ok());
        let of_network = AddressLimit::new(Counted::JoinsOfNetwork, 2);
        assert!(of_network.check(a).is_ok() && of_network.check(b).is_ok());
        assert!(of_network.check(a).is_err() && of_network.check(b).is_err());
        assert!(of_network.check("1.2.4.4".parse().unwrap()).is_ok());
    }
}
