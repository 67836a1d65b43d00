//! How often one client address or network may join, or ask anything of the shop. Counted
//! in this process's memory by governor, before anything reaches Redis, so that
//! a flood costs the fans who already wait nothing.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use governor::clock::{Clock as _, DefaultClock};
use governor::{Quota, RateLimiter};

use crate::address::{limit_key, network_key};
use crate::error::ApiError;
use crate::remembered::Remembered;
use crate::state::Edge;

/// Addresses (or networks) that one limit remembers. Only who asked a moment ago or
/// is at its limit needs to be.
const MAX_REMEMBERED_ADDRESSES: usize = 200_000;
/// A full table is searched for addresses at rest at most this often: it is long.
const LEAST_BETWEEN_SEARCHES: Duration = Duration::from_secs(1);

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
    limiter: RateLimiter<IpAddr, Remembered, DefaultClock>,
    most: usize,
    searched_at: Mutex<Option<Instant>>,
}

impl AddressLimit {
    pub fn new(counted: Counted, per_minute: u32) -> Self {
        Self::remembering(MAX_REMEMBERED_ADDRESSES, counted, per_minute)
    }

    fn remembering(most: usize, counted: Counted, per_minute: u32) -> Self {
        let per_minute = NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_minute(per_minute);
        Self {
            counted,
            limiter: RateLimiter::new(quota, Remembered::at_most(most), DefaultClock::default()),
            most,
            searched_at: Mutex::default(),
        }
    }

    /// Takes one from the address's allowance, or says when to come back.
    pub fn check(&self, client: IpAddr) -> Result<(), ApiError> {
        if self.limiter.len() >= self.most && self.may_search() {
            self.limiter.retain_recent();
        }
        let checked = self.limiter.check_key(&self.counted.key(client));
        checked.map_err(|not_until| {
            let wait = not_until.wait_time_from(DefaultClock::default().now());
            too_many(self.counted, wait)
        })
    }

    /// Forgets addresses that are at rest; called from time to time.
    pub fn tidy(&self) {
        if self.limiter.len() > self.most / 2 {
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
        }
    }

    /// Whether the last search is long enough ago; whoever is told so searches.
    fn may_search(&self) -> bool {
        let Ok(mut searched_at) = self.searched_at.try_lock() else {
            return false;
        };
        let is_due = searched_at.is_none_or(|at| at.elapsed() >= LEAST_BETWEEN_SEARCHES);
        if is_due {
            *searched_at = Some(Instant::now());
        }
        is_due
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
    use std::net::Ipv4Addr;

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

    fn address(index: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from_bits(0x0A00_0000 + index))
    }

    #[test]
    fn a_flood_of_other_addresses_is_remembered_within_the_bound() {
        // One a minute: nobody is at rest before the test is over.
        let limit = AddressLimit::remembering(100, Counted::Joins, 1);
        let taken = (0..10_000).filter(|index| limit.check(address(*index)).is_ok());
        // The bound's own, and one for all the others together.
        assert_eq!(taken.count(), 101);
        assert_eq!(limit.limiter.len(), 101);
        assert!(
            limit.check(address(7)).is_err(),
            "who is known is counted on"
        );
    }

    #[test]
    fn room_is_made_for_strangers_when_others_are_at_rest() {
        // A thousand a second: whoever asked once is at rest a millisecond later.
        let limit = AddressLimit::remembering(100, Counted::Joins, 60_000);
        for index in 0..100 {
            assert!(limit.check(address(index)).is_ok());
        }
        std::thread::sleep(Duration::from_millis(5));
        assert!(limit.check(address(200)).is_ok());
        assert_eq!(limit.limiter.len(), 1, "those at rest are forgotten");
    }
}
