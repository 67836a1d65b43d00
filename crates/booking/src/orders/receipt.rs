//! What a fan sees of an order, and the token that lets them see it.

use std::time::Duration;

use rand::Rng;
use serde::{Deserialize, Serialize};
use usher_base::signing::{Expected, SigningKeys, TokenError};
use usher_base::{EventId, FanId, OrderId, ReservationId, Timestamp};

use super::{Order, OrderNumber, OrderState, Place};
use crate::payments::{Money, PaymentState};
use crate::tickets::TicketNumber;

const TOKEN_TYPE: &str = "order";
/// Tickets are bought long before the day.
const TOKEN_LIFE: Duration = Duration::from_secs(550 * 24 * 3_600);

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TicketView {
    pub ticket_number: TicketNumber,
    /// `active`, `used`, `cancelled`.
    pub status: String,
    pub place: Place,
    pub label: String,
    pub price: i64,
}

/// An order that was paid, whatever came later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Receipt {
    pub order_id: OrderId,
    pub order_number: OrderNumber,
    #[serde(skip)]
    pub event: EventId,
    #[serde(skip)]
    pub fan: FanId,
    #[serde(skip)]
    pub reservation: ReservationId,
    pub state: OrderState,
    pub payment: Option<PaymentState>,
    pub total: Money,
    pub tickets: Vec<TicketView>,
    pub confirmed_at: Timestamp,
}

impl Receipt {
    /// Of an order and its tickets' numbers and statuses, by position.
    pub fn of(order: &Order, tickets: impl IntoIterator<Item = (TicketNumber, String)>) -> Self {
        let view = |(item, (ticket_number, status)): (&super::Item, _)| TicketView {
            ticket_number,
            status,
            place: item.place,
            label: item.label.clone(),
            price: item.price,
        };
        Self {
            order_id: order.id,
            order_number: order.number.clone(),
            event: order.event,
            fan: order.fan,
            reservation: order.reservation,
            state: order.state,
            payment: order.payment.as_ref().map(|payment| payment.state),
            total: order.money.clone(),
            tickets: order.items.iter().zip(tickets).map(view).collect(),
            confirmed_at: order.decided_at.unwrap_or(order.created_at),
        }
    }
}

/// What an order token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderClaims {
    pub sub: FanId,
    pub order: OrderId,
}

/// A token that opens this one order, long after the session has ended.
pub fn order_token(
    keys: &SigningKeys,
    order: OrderId,
    fan: FanId,
    now: Timestamp,
    rng: &mut impl Rng,
) -> String {
    let number = OrderNumber::of(order);
    let claims = OrderClaims { sub: fan, order };
    keys.sign_token(opens(&number), &claims, now, now.plus(TOKEN_LIFE), rng)
}

pub fn verify_order_token(
    keys: &SigningKeys,
    token: &str,
    number: &OrderNumber,
    now: Timestamp,
) -> Result<OrderClaims, TokenError> {
    keys.verify_token(token, opens(number), now)
}

fn opens(number: &OrderNumber) -> Expected<'_> {
    Expected {
        typ: TOKEN_TYPE,
        audience: number.as_str(),
    }
}
