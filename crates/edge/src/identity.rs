//! Who asks: the fan behind a cookie or a client's join id, the place behind a
//! queue token, the session behind an access token.

use axum::http::{HeaderMap, StatusCode};
use ring::digest::{SHA256, digest};
use usher_base::signing::TokenError;
use usher_base::{EventId, FanId};
use usher_queue::{AccessClaims, QueueClaims};

use crate::cookies;
use crate::error::{ApiError, ApiResult};
use crate::live::LiveEvent;
use crate::state::Edge;

/// Shorter join ids could be guessed, longer ones are no ids.
const JOIN_ID_CHARS: std::ops::RangeInclusive<usize> = 16..=64;

/// The same client and event give the same fan, so that a join whose reply was
/// lost can be repeated.
pub fn fan_of_join_id(event: EventId, join_id: &str) -> ApiResult<FanId> {
    if !JOIN_ID_CHARS.contains(&join_id.chars().count()) {
        return Err(ApiError::invalid(
            "client_join_id must have 16 to 64 characters.",
        ));
    }
    Ok(derived("usher-join-1", event, join_id))
}

/// A browser is another fan in each event, so that the published records of two
/// draws cannot be laid side by side.
pub fn fan_of_browser(event: EventId, browser: FanId) -> FanId {
    derived("usher-fan-1", event, &browser.to_string())
}

fn derived(purpose: &str, event: EventId, secret: &str) -> FanId {
    let hash = digest(&SHA256, format!("{purpose} {event} {secret}").as_bytes());
    let mut id = [0; 16];
    id.copy_from_slice(&hash.as_ref()[..16]);
    FanId::from_bytes(id)
}

pub fn queue_token_required() -> ApiError {
    let message = "Join the line first; then show its queue token.";
    ApiError::new(StatusCode::UNAUTHORIZED, "queue_token_required", message)
}

impl Edge {
    /// The place that the request's queue token proves.
    pub fn queue_claims_of(&self, event: EventId, headers: &HeaderMap) -> ApiResult<QueueClaims> {
        let cookie = cookies::read(headers, &cookies::queue(event));
        let token = cookies::bearer(headers).or(cookie);
        self.queue_claims(event, token.ok_or_else(queue_token_required)?)
    }

    pub fn queue_claims(&self, event: EventId, token: &str) -> ApiResult<QueueClaims> {
        let now = self.clock.now();
        Ok(QueueClaims::verify(&self.tokens, event, token, now)?)
    }

    /// The session that the request's access token opens, if it is not over.
    pub fn access_of(&self, live: &LiveEvent, headers: &HeaderMap) -> ApiResult<AccessClaims> {
        let cookie = cookies::read(headers, &cookies::access(live.id));
        let token = cookies::bearer(headers)
            .or(cookie)
            .ok_or_else(access_required)?;
        let verified = AccessClaims::verify(&self.tokens, live.id, token, self.clock.now());
        let claims = verified.map_err(|error| match error {
            // Such as a queue token, which never opens the shop.
            TokenError::WrongType => access_required(),
            other => other.into(),
        })?;
        if live.has_ended(&claims.session) {
            return Err(access_required());
        }
        Ok(claims)
    }
}

pub fn access_required() -> ApiError {
    let message = "Your time inside has not begun or is over; join the line to be let in.";
    ApiError::new(StatusCode::UNAUTHORIZED, "access_required", message)
}
