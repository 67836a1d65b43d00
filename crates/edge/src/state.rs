//! What every handler of this process shares. Built once by the app; a role
//! that lacks a part answers the routes of that part with "not served here".

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
use tokio_util::sync::CancellationToken;
use usher_base::redis::Redis;
use usher_base::signing::SigningKeys;
use usher_base::{Clock, EventId, FanId, Timestamp};
use usher_booking::catalog::{Catalog, OnSale};
use usher_booking::holds::Holds;
use usher_queue::{AccessClaims, Line, Tokens};

use crate::address::TrustedProxies;
use crate::allowances::FanLimits;
use crate::captcha::Captcha;
use crate::cookies::{self, CookieJar};
use crate::desk::Desk;
use crate::error::{ApiError, ApiResult};
use crate::limits::AddressLimit;
use crate::live::{EventView, Live, LiveEvent};
use crate::operators::FirstKey;
use crate::puzzle::{JoinPace, PuzzleUnderLoad};

pub struct EdgeSettings {
    pub public_url: String,
    pub jar: CookieJar,
    pub proxies: TrustedProxies,
    pub puzzle_under_load: PuzzleUnderLoad,
}

pub struct Edge {
    pub settings: EdgeSettings,
    pub clock: Arc<dyn Clock>,
    pub keys: Arc<SigningKeys>,
    pub tokens: Tokens,
    pub first_key: FirstKey,
    pub redis: Redis,
    pub line: Line,
    pub live: Arc<Live>,
    pub catalog: Catalog,
    pub holds: Holds,
    pub desk: Option<Desk>,
    pub join_limit: AddressLimit,
    pub network_join_limit: AddressLimit,
    pub join_pace: JoinPace,
    pub captcha: Option<Captcha>,
    pub request_limit: AddressLimit,
    pub fan_limits: FanLimits,
    pub streams: StreamSlots,
    pub draining: CancellationToken,
}

impl Edge {
    pub fn live_event(&self, event: EventId) -> ApiResult<Arc<LiveEvent>> {
        self.live
            .event(event)
            .ok_or_else(|| ApiError::not_found("event"))
    }

    /// The newest view, which is there from an event's first tick on.
    pub fn view(&self, live: &LiveEvent) -> ApiResult<Arc<EventView>> {
        live.view().ok_or_else(|| {
            let message =
                "Places are kept; the line cannot be reached for a moment. Try again shortly.";
            ApiError::unavailable("store_unavailable", message, Duration::from_secs(2))
        })
    }

    /// The browser's id, and the cookie that gives it one if it has none yet.
    /// Set with the page before the join, so that a join can be repeated.
    pub fn browser(&self, headers: &HeaderMap) -> (FanId, Option<HeaderValue>) {
        if let Some(known) = cookies::browser(headers, &self.keys) {
            return (known, None);
        }
        let new = FanId::random(&mut rand::rng());
        let sealed = self.keys.seal_cookie(cookies::BROWSER, &new.to_string());
        let cookie = self
            .settings
            .jar
            .set(cookies::BROWSER, &sealed, cookies::BROWSER_SECONDS);
        (new, Some(cookie))
    }

    /// A token for the session, and the cookie that carries it.
    pub fn access_token(
        &self,
        event: EventId,
        access: &AccessClaims,
        ends_at: Timestamp,
    ) -> (String, HeaderValue) {
        let now = self.clock.now();
        let token = access.issue(&self.tokens, event, now, ends_at, &mut rand::rng());
        let lifetime = u32::try_from(ends_at.since(now).as_secs()).unwrap_or(u32::MAX);
        let cookie = self
            .settings
            .jar
            .set(&cookies::access(event), &token, lifetime);
        (token, cookie)
    }

    pub fn on_sale(&self, event: EventId) -> ApiResult<Arc<OnSale>> {
        self.catalog
            .get(event)
            .ok_or_else(|| ApiError::not_found("event"))
    }

    pub fn rate_per_minute(&self, live: &LiveEvent) -> Option<u64> {
        let status = live.status()?;
        Some(status.rate_per_minute.round().max(0.0) as u64)
    }
}

/// How many streams this process takes.
pub struct StreamSlots {
    open: Arc<AtomicUsize>,
    max: usize,
}

/// One stream's place; given back when dropped.
pub struct StreamSlot(Arc<AtomicUsize>);

impl StreamSlots {
    pub fn new(max: usize) -> Self {
        Self {
            open: Arc::default(),
            max,
        }
    }

    pub fn take(&self) -> Option<StreamSlot> {
        let taken = self.open.fetch_add(1, Ordering::Relaxed);
        // Made before the check, so that a refused one gives its place back too.
        let slot = StreamSlot(Arc::clone(&self.open));
        if taken >= self.max {
            return None;
        }
        metrics::gauge!("usher_streams_open").set((taken + 1) as f64);
        Some(slot)
    }
}

impl Drop for StreamSlot {
    fn drop(&mut self) {
        let before = self.0.fetch_sub(1, Ordering::Relaxed);
        metrics::gauge!("usher_streams_open").set(before.saturating_sub(1) as f64);
    }
}
