//! How often one fan may do what costs the shop something. Counted in Redis, so
//! that the limit is the same however many edges and booking nodes there are.

use std::time::Duration;

use axum::http::StatusCode;
use usher_base::redis::{Redis, Script};
use usher_base::{EventId, FanId};

use crate::error::ApiError;
use crate::keys;

const WINDOW: Duration = Duration::from_secs(60);

static ALLOW: Script = Script::new("allow", include_str!("../../../lua/edge/allow.lua"));

/// What the binary loads besides the other crates' scripts.
pub static SCRIPTS: &[&Script] = &[&ALLOW];

/// A kind of call that is counted by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    Browse,
    Reserve,
    Commit,
}

impl Doing {
    pub const fn per_minute(self) -> u32 {
        match self {
            Self::Browse => 100,
            Self::Reserve => 10,
            Self::Commit => 5,
        }
    }

    const fn key(self) -> &'static str {
        match self {
            Self::Browse => "browse",
            Self::Reserve => "reserve",
            Self::Commit => "commit",
        }
    }

    /// As a refusal names it.
    const fn limit(self) -> &'static str {
        match self {
            Self::Browse => "looks per fan and minute",
            Self::Reserve => "reservations per fan and minute",
            Self::Commit => "payments per fan and minute",
        }
    }
}

/// The allowances of all fans.
#[derive(Clone)]
pub struct FanLimits {
    redis: Redis,
}

impl FanLimits {
    pub fn new(redis: Redis) -> Self {
        Self { redis }
    }

    /// Takes one turn, or says when to come back. What cannot be counted is let
    /// through: without Redis there is nothing to be had anyway.
    pub async fn check(&self, event: EventId, fan: FanId, doing: Doing) -> Result<(), ApiError> {
        let call = self
            .redis
            .script(&ALLOW)
            .key(keys::allowance(event, doing.key(), fan))
            .arg(doing.per_minute())
            .arg(WINDOW.as_secs() * 1_000);
        match call.run::<u64>().await {
            Ok(0) => Ok(()),
            Ok(wait_ms) => Err(too_many(doing, Duration::from_millis(wait_ms))),
            Err(error) => {
                tracing::debug!(%error, "an allowance cannot be counted at the moment");
                Ok(())
            }
        }
    }
}

fn too_many(doing: Doing, wait: Duration) -> ApiError {
    let message = "That is more than one person does in a minute; wait a moment and try again.";
    let code = "rate_limit_exceeded";
    ApiError::new(StatusCode::TOO_MANY_REQUESTS, code, message)
        .retry_after(wait)
        .detail("limit", doing.limit())
        .detail("per_minute", doing.per_minute())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use usher_base::redis::TimeSource;
    use usher_base::{Epoch, Timestamp};
    use usher_sandbox::Sandbox;

    use super::*;

    #[tokio::test]
    async fn one_fan_is_limited_alike_on_all_nodes_and_another_is_not() {
        let server = Sandbox::redis_only().await.unwrap();
        let node = || Redis::new(&server.url(), SCRIPTS, TimeSource::Server).unwrap();
        let nodes = [node(), node()];
        nodes[0].load_scripts(Epoch(1)).await.unwrap();
        nodes[1].load_scripts(Epoch(1)).await.unwrap();
        let [a, b] = nodes.map(FanLimits::new);
        let event = EventId::new(Timestamp::from_millis(1_000));
        let (fan, other) = (FanId::from_bytes([1; 16]), FanId::from_bytes([2; 16]));
        for n in 0..Doing::Commit.per_minute() {
            let limits = if n % 2 == 0 { &a } else { &b };
            assert!(limits.check(event, fan, Doing::Commit).await.is_ok(), "{n}");
        }
        let refused = b.check(event, fan, Doing::Commit).await.unwrap_err();
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
        assert!(a.check(event, other, Doing::Commit).await.is_ok());
        assert!(a.check(event, fan, Doing::Reserve).await.is_ok());
    }
}
