//! How often one fan, and all fans of an event together, may do what costs the
//! shop something. Counted in Redis, so that the limit is the same however many
//! edges and booking nodes there are.

use std::time::Duration;

use axum::http::StatusCode;
use usher_base::redis::{Redis, Script};
use usher_base::{EventId, FanId};

use crate::error::ApiError;
use crate::keys;

const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

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

    const fn limit_of_all(self) -> &'static str {
        match self {
            Self::Browse => "looks per event and second",
            Self::Reserve => "reservations per event and second",
            Self::Commit => "payments per event and second",
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

    /// Takes a turn of the fan's and, where the event has such a limit, one of all
    /// fans': both or none. Or says when to come back. What cannot be counted is let
    /// through: without Redis there is nothing to be had anyway.
    pub async fn check(
        &self,
        event: EventId,
        fan: FanId,
        doing: Doing,
        of_all_per_second: Option<u32>,
    ) -> Result<(), ApiError> {
        let call = self.redis.script(&ALLOW);
        let mut call = call.key(keys::allowance(event, doing.key(), fan));
        if of_all_per_second.is_some() {
            call = call.key(keys::allowance_of_all(event, doing.key()));
        }
        call = call.arg(doing.per_minute()).arg(millis(MINUTE));
        if let Some(per_second) = of_all_per_second {
            call = call.arg(per_second).arg(millis(SECOND));
        }
        let (refused, wait_ms): (u32, u64) = match call.run().await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::debug!(%error, "an allowance cannot be counted at the moment");
                return Ok(());
            }
        };
        let wait = Duration::from_millis(wait_ms);
        match (refused, of_all_per_second) {
            (0, _) => Ok(()),
            (2, Some(per_second)) => Err(too_many_of_all(doing, per_second, wait)),
            _ => Err(too_many_of_one(doing, wait)),
        }
    }
}

fn millis(window: Duration) -> u64 {
    u64::try_from(window.as_millis()).unwrap_or(u64::MAX)
}

fn too_many_of_one(doing: Doing, wait: Duration) -> ApiError {
    let message = "That is more than one person does in a minute; wait a moment and try again.";
    too_many(message, doing.limit(), wait).detail("per_minute", doing.per_minute())
}

fn too_many_of_all(doing: Doing, per_second: u32, wait: Duration) -> ApiError {
    let message = "More people ask at this moment than this event takes; try again in a second.";
    too_many(message, doing.limit_of_all(), wait).detail("per_second", per_second)
}

fn too_many(message: &str, limit: &'static str, wait: Duration) -> ApiError {
    ApiError::new(
        StatusCode::TOO_MANY_REQUESTS,
        "rate_limit_exceeded",
        message,
    )
    .retry_after(wait)
    .detail("limit", limit)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use axum::response::IntoResponse as _;
    use usher_base::redis::TimeSource;
    use usher_base::{Epoch, Timestamp};
    use usher_sandbox::Sandbox;

    use super::*;

    fn fan(number: usize) -> FanId {
        FanId::from_bytes((number as u128).to_be_bytes())
    }

    #[tokio::test]
    async fn an_event_is_limited_alike_on_all_nodes_and_says_when_to_come_back() {
        let server = Sandbox::redis_only().await.unwrap();
        let node = || Redis::new(&server.url(), SCRIPTS, TimeSource::Server).unwrap();
        let nodes = [node(), node()];
        nodes[0].load_scripts(Epoch(1)).await.unwrap();
        nodes[1].load_scripts(Epoch(1)).await.unwrap();
        let nodes = nodes.map(FanLimits::new);
        let event = EventId::new(Timestamp::from_millis(1_000));
        let started = std::time::Instant::now();
        let mut taken = 0;
        let refused = loop {
            let node = &nodes[taken % 2];
            match node
                .check(event, fan(taken), Doing::Reserve, Some(20))
                .await
            {
                Ok(()) => taken += 1,
                Err(refused) => break refused.into_response(),
            }
        };
        // At once 20, and one more for each twentieth of a second since.
        let since = started.elapsed().as_secs_f64();
        assert!(
            taken >= 20 && taken as f64 <= 21.0 + since * 20.0,
            "{taken} in {since} s"
        );
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(refused.headers()["retry-after"], "1");
        let node = &nodes[0];
        let commits = node.check(event, fan(0), Doing::Commit, Some(20)).await;
        assert!(commits.is_ok(), "payments are counted apart");
        let unlimited = node.check(event, fan(0), Doing::Reserve, None).await;
        assert!(unlimited.is_ok());
    }

    #[tokio::test]
    async fn who_is_refused_for_all_fans_sake_keeps_the_own_turns() {
        let server = Sandbox::redis_only().await.unwrap();
        let redis = Redis::new(&server.url(), SCRIPTS, TimeSource::Server).unwrap();
        redis.load_scripts(Epoch(1)).await.unwrap();
        let limits = FanLimits::new(redis);
        let event = EventId::new(Timestamp::from_millis(1_000));
        let mut taken = 0;
        // One a second for all: nearly every try is refused, many more than a fan's five.
        for _ in 0..50 {
            let allowed = limits.check(event, fan(1), Doing::Commit, Some(1)).await;
            taken += u32::from(allowed.is_ok());
        }
        assert!(taken < Doing::Commit.per_minute(), "{taken}");
        let own = limits.check(event, fan(1), Doing::Commit, None).await;
        assert!(own.is_ok(), "the fan has turns left");
    }

    #[tokio::test]
    async fn a_limit_whose_turns_are_shorter_than_a_millisecond_is_one_too() {
        const PER_SECOND: u32 = 3_000;
        let server = Sandbox::redis_only().await.unwrap();
        let redis = Redis::new(&server.url(), SCRIPTS, TimeSource::Server).unwrap();
        redis.load_scripts(Epoch(1)).await.unwrap();
        let limits = FanLimits::new(redis);
        let event = EventId::new(Timestamp::from_millis(1_000));
        let started = std::time::Instant::now();
        let asked = (0..3 * PER_SECOND as usize)
            .map(|who| limits.check(event, fan(who), Doing::Reserve, Some(PER_SECOND)));
        let answers = futures::future::join_all(asked).await;
        let since = started.elapsed().as_secs_f64();
        let taken = answers.iter().filter(|answer| answer.is_ok()).count();
        let most = f64::from(PER_SECOND) * (1.0 + since) + 1.0;
        assert!(
            taken >= PER_SECOND as usize && taken as f64 <= most,
            "{taken} in {since} s"
        );
    }

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
            assert!(
                limits.check(event, fan, Doing::Commit, None).await.is_ok(),
                "{n}"
            );
        }
        let refused = b.check(event, fan, Doing::Commit, None).await.unwrap_err();
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
        assert!(a.check(event, other, Doing::Commit, None).await.is_ok());
        assert!(a.check(event, fan, Doing::Reserve, None).await.is_ok());
    }
}
