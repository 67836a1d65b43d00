//! Whose an order is: who shows its token or the cookie of the browser that
//! paid, or who is that browser. The last finds orders whose reply was lost, too.

use axum::http::{HeaderMap, HeaderValue, StatusCode};
use usher_base::{EventId, FanId};
use usher_booking::orders::{Order, OrderClaims, OrderNumber, order_token, verify_order_token};

use crate::cookies;
use crate::error::{ApiError, ApiResult};
use crate::identity::{access_required, fan_of_browser};
use crate::state::Edge;

/// How long the browser keeps the cookie that opens an order.
const ORDER_COOKIE_SECONDS: u32 = 400 * 24 * 3600;

impl Edge {
    /// The order of this number, if the request shows that it is theirs.
    pub async fn own_order(&self, headers: &HeaderMap, number: &str) -> ApiResult<Order> {
        let number = order_number(number)?;
        let shown = self.order_claims(headers, &number);
        match shown {
            // A commit that is still on its way has no row yet: it is not known, not absent.
            Ok(_) => {
                let found = self.find_order(&number).await?;
                found.ok_or_else(|| ApiError::not_found("order"))
            }
            // Strangers cost no look into Postgres.
            Err(refusal) if !self.is_somebody(headers) => Err(refusal),
            Err(refusal) => {
                let found = self.find_order(&number).await?;
                let is_theirs =
                    |order: &Order| self.fans_here(headers, order.event).contains(&order.fan);
                found.filter(is_theirs).ok_or(refusal)
            }
        }
    }

    /// Whether the request shows anybody of whom orders could be.
    pub fn is_somebody(&self, headers: &HeaderMap) -> bool {
        let events = self.catalog.all();
        cookies::browser(headers, &self.keys).is_some()
            || events
                .iter()
                .any(|known| !self.fans_here(headers, known.event.id).is_empty())
    }

    /// Whom the request shows to be in an event: its browser, and whom the shop vouched for.
    fn fans_here(&self, headers: &HeaderMap, event: EventId) -> Vec<FanId> {
        let browser = cookies::browser(headers, &self.keys);
        let browser = browser.map(|browser| fan_of_browser(event, browser));
        let vouched = self.subject_shown(event, headers);
        browser.into_iter().chain(vouched).collect()
    }

    async fn find_order(&self, number: &OrderNumber) -> ApiResult<Option<Order>> {
        let found = self.desk()?.orders.find(number).await;
        found.map_err(orders_unavailable)
    }

    pub fn order_claims(
        &self,
        headers: &HeaderMap,
        number: &OrderNumber,
    ) -> ApiResult<OrderClaims> {
        let cookie = cookies::read(headers, &cookies::order(number.as_str()));
        let token = cookies::bearer(headers).or(cookie).ok_or_else(|| {
            let message = "Show the order's token, or open it in the browser that bought it.";
            ApiError::new(StatusCode::UNAUTHORIZED, "order_token_required", message)
        })?;
        Ok(verify_order_token(
            &self.keys,
            token,
            number,
            self.clock.now(),
        )?)
    }

    /// The token of an order, and the cookie that carries it.
    pub fn order_token(&self, order: usher_base::OrderId, fan: FanId) -> (String, HeaderValue) {
        let token = order_token(&self.keys, order, fan, self.clock.now(), &mut rand::rng());
        let name = cookies::order(OrderNumber::of(order).as_str());
        let cookie = self.settings.jar.set(&name, &token, ORDER_COOKIE_SECONDS);
        (token, cookie)
    }

    /// The newest orders of who asks: of one event by its access token, else of all
    /// events by the browser, which is another fan in each, and by the shop's word.
    pub async fn own_orders(
        &self,
        headers: &HeaderMap,
        event: Option<EventId>,
    ) -> ApiResult<Vec<Order>> {
        let fans = match event {
            Some(event) => vec![self.access_of(&*self.live_event(event)?, headers)?.sub],
            None => {
                let events = self.catalog.all();
                let fans = events
                    .iter()
                    .flat_map(|known| self.fans_here(headers, known.event.id));
                fans.collect::<Vec<_>>()
            }
        };
        if event.is_none() && !self.is_somebody(headers) {
            return Err(access_required());
        }
        let found = self.desk()?.orders.of_fans(&fans).await;
        found.map_err(orders_unavailable)
    }
}

pub fn order_number(text: &str) -> ApiResult<OrderNumber> {
    text.parse().map_err(|_| ApiError::not_found("order"))
}

pub fn orders_unavailable(error: impl std::fmt::Display) -> ApiError {
    tracing::error!(%error, "an order cannot be read");
    let message = "Orders cannot be read right now; yours is safe. Try again in a few seconds.";
    let wait = std::time::Duration::from_secs(3);
    ApiError::unavailable("orders_unavailable", message, wait)
}
