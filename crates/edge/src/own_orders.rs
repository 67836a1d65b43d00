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
        let browser = cookies::browser(headers, &self.keys);
        match (self.order_claims(headers, &number), browser) {
            // A commit that is still on its way has no row yet: it is not known, not absent.
            (Ok(_), _) => {
                let found = self.find_order(&number).await?;
                found.ok_or_else(|| ApiError::not_found("order"))
            }
            (Err(refusal), None) => Err(refusal),
            (Err(refusal), Some(browser)) => {
                let found = self.find_order(&number).await?;
                let theirs =
                    found.filter(|order| fan_of_browser(order.event, browser) == order.fan);
                theirs.ok_or(refusal)
            }
        }
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

    /// The newest orders of who asks: of one event by its access token, else of
    /// all events by the browser, which is another fan in each.
    pub async fn own_orders(
        &self,
        headers: &HeaderMap,
        event: Option<EventId>,
    ) -> ApiResult<Vec<Order>> {
        let fans = match event {
            Some(event) => vec![self.access_of(&*self.live_event(event)?, headers)?.sub],
            None => {
                let browser = cookies::browser(headers, &self.keys).ok_or_else(access_required)?;
                let events = self.catalog.all();
                let fan = |event| fan_of_browser(event, browser);
                events.iter().map(|known| fan(known.event.id)).collect()
            }
        };
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
