//! A fan by the shop's word: what an assertion proves, and the cookie that keeps it
//! for the browser. One subject is one fan, whatever tabs and devices.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue, StatusCode};
use ring::hmac;
use usher_base::signing::{AssertionError, ShopKeys};
use usher_base::{EventId, FanId};
use usher_queue::{Identity, IdentityRule};

use crate::cookies;
use crate::error::{ApiError, ApiResult, sentence};
use crate::live::{EventView, LiveEvent};
use crate::state::Edge;

/// A browser is known by the shop's word this long, then it has to bring it again.
const KNOWN_FOR_SECONDS: u32 = 24 * 3_600;

impl Edge {
    /// The fan whom the shop's assertion names.
    pub fn vouched(&self, live: &LiveEvent, assertion: &str) -> ApiResult<FanId> {
        let view = self.view(live)?;
        let rule = &view.board().state.identity;
        let keys = live.shop_keys(rule).ok_or_else(not_taken)?;
        let audience = live.id.to_string();
        let subject = keys
            .subject(assertion, &audience, self.clock.now())
            .map_err(refused)?;
        Ok(fan_of(rule, live.id, &subject))
    }

    /// The fan whom this browser was known as, where the shop's word counts.
    pub fn known_to_shop(&self, live: &LiveEvent, headers: &HeaderMap) -> Option<FanId> {
        if live.view().is_none_or(|view| mode(&view) == Identity::Off) {
            return None;
        }
        self.subject_shown(live.id, headers)
    }

    /// The fan in the cookie that an assertion left, whatever the event asks for now.
    pub fn subject_shown(&self, event: EventId, headers: &HeaderMap) -> Option<FanId> {
        let name = cookies::subject(event);
        let sealed = cookies::read(headers, &name)?;
        self.keys.open_cookie(&name, sealed)?.parse().ok()
    }

    pub fn subject_cookie(&self, event: EventId, fan: FanId) -> HeaderValue {
        let name = cookies::subject(event);
        let sealed = self.keys.seal_cookie(&name, &fan.to_string());
        self.settings.jar.set(&name, &sealed, KNOWN_FOR_SECONDS)
    }
}

pub fn mode(view: &EventView) -> Identity {
    view.board().state.identity.mode
}

/// Nobody takes a place in this line without the shop's word.
pub fn assertion_required() -> ApiError {
    let message = "This sale is for the shop's customers: come in from your account there.";
    ApiError::new(StatusCode::UNAUTHORIZED, "assertion_required", message)
}

fn not_taken() -> ApiError {
    let message = "This event does not ask who you are; join without an assertion.";
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    ApiError::new(status, "assertion_not_taken", message)
}

fn refused(error: AssertionError) -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, error.code(), sentence(&error))
}

/// Keyed, because fan ids become public with a draw and customers' numbers are few.
fn fan_of(rule: &IdentityRule, event: EventId, subject: &str) -> FanId {
    let key = hmac::Key::new(hmac::HMAC_SHA256, rule.secret.as_bytes());
    let tag = hmac::sign(
        &key,
        format!("usher-subject-1 {event} {subject}").as_bytes(),
    );
    let mut id = [0; 16];
    id.copy_from_slice(&tag.as_ref()[..16]);
    FanId::from_bytes(id)
}

/// The shop's keys as they were read last, so that they are parsed once.
pub struct ReadKeys {
    text: String,
    keys: Arc<ShopKeys>,
}

impl LiveEvent {
    /// None where the shop's word does not count.
    fn shop_keys(&self, rule: &IdentityRule) -> Option<Arc<ShopKeys>> {
        let text = rule.keys.as_ref().filter(|_| rule.mode != Identity::Off)?;
        if let Some(read) = self.shop.load().as_ref()
            && read.text == *text
        {
            return Some(Arc::clone(&read.keys));
        }
        // What cannot be read was refused when it was set.
        let keys = Arc::new(ShopKeys::parse(text).ok()?);
        self.shop.store(Some(Arc::new(ReadKeys {
            text: text.clone(),
            keys: Arc::clone(&keys),
        })));
        Some(keys)
    }
}
