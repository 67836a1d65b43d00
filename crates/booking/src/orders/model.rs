//! What an order is made of, as the commit flow, the writer and the reader of
//! a receipt all know it. Pure.

use serde::Serialize;
use usher_base::{Epoch, EventId, FanId, OrderId, ReservationId, Timestamp};

use super::{OrderNumber, OrderState};
use crate::inventory::{SeatIndex, TierIndex};
use crate::payments::{Charge, Money, PaymentState};

/// A numbered seat, or one place in a standing tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    Seat(SeatIndex),
    Tier(TierIndex),
}

/// One ticket of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Item {
    pub place: Place,
    /// As on the ticket: `Stalls, row C, seat 12`.
    pub label: String,
    pub price: i64,
}

/// What Postgres holds the order against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Tickets that one fan may buy at this event.
    pub per_fan: u32,
    /// Of every standing tier in the order.
    pub capacities: Vec<(TierIndex, u32)>,
}

/// An order about to be made durable.
#[derive(Clone, Debug)]
pub struct NewOrder {
    pub id: OrderId,
    pub request_hash: [u8; 32],
    pub event: EventId,
    pub fan: FanId,
    pub reservation: ReservationId,
    pub items: Vec<Item>,
    pub money: Money,
    pub provider: &'static str,
    pub method: String,
    pub billing: serde_json::Value,
    pub limits: Limits,
    /// The memory of Redis in which the hold was pinned.
    pub epoch: Epoch,
    pub pay_by: Timestamp,
}

/// Why Postgres refused an order. Nobody has paid anything then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("The seats had to be set aside anew after a fault. Please choose again.")]
    OtherEpoch,
    #[error("The time to pay is over. Please choose again.")]
    TooLate,
    #[error("One of these seats is already sold. Please choose others.")]
    SeatTaken,
    #[error("This section is sold out. Please choose another.")]
    TierFull,
    #[error("You have bought as many tickets as one person may.")]
    FanLimit,
    #[error("Another payment for these seats is under way.")]
    HoldBusy,
    #[error("This order cannot be taken. Please choose again.")]
    Invalid,
}

impl Refusal {
    const ALL: [Self; 7] = [
        Self::OtherEpoch,
        Self::TooLate,
        Self::SeatTaken,
        Self::TierFull,
        Self::FanLimit,
        Self::HoldBusy,
        Self::Invalid,
    ];

    /// As recorded and as the API spells it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::OtherEpoch => "inventory_restored",
            Self::TooLate => "commit_too_late",
            Self::SeatTaken => "seat_unavailable",
            Self::TierFull => "tier_sold_out",
            Self::FanLimit => "fan_limit_reached",
            Self::HoldBusy => "payment_under_way",
            Self::Invalid => "order_invalid",
        }
    }

    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|refusal| refusal.code() == code)
    }
}

/// A payment as recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    pub provider: String,
    pub method: String,
    pub state: PaymentState,
    pub money: Money,
    pub reference: Option<String>,
}

/// A recorded order, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    pub id: OrderId,
    pub number: OrderNumber,
    /// `None` when the request never arrived and the attempt was closed.
    pub request_hash: Option<[u8; 32]>,
    pub event: EventId,
    pub fan: FanId,
    pub reservation: ReservationId,
    pub state: OrderState,
    pub failure: Option<String>,
    pub money: Money,
    pub pay_by: Timestamp,
    pub created_at: Timestamp,
    pub decided_at: Option<Timestamp>,
    /// Whether Redis was told of the last decision.
    pub synced: bool,
    pub items: Vec<Item>,
    /// `None` when the order was refused before there was one.
    pub payment: Option<Payment>,
}

impl NewOrder {
    /// As it reads once it is recorded.
    pub fn to_order(&self, now: Timestamp) -> Order {
        let payment = Payment {
            provider: self.provider.to_owned(),
            method: self.method.clone(),
            state: PaymentState::Pending,
            money: self.money.clone(),
            reference: None,
        };
        Order {
            id: self.id,
            number: OrderNumber::of(self.id),
            request_hash: Some(self.request_hash),
            event: self.event,
            fan: self.fan,
            reservation: self.reservation,
            state: OrderState::Pending,
            failure: None,
            money: self.money.clone(),
            pay_by: self.pay_by,
            created_at: now,
            decided_at: None,
            synced: false,
            items: self.items.clone(),
            payment: Some(payment),
        }
    }
}

impl Order {
    /// As it reads once it is paid.
    pub fn paid(&mut self, now: Timestamp) {
        self.state = OrderState::Paid;
        self.decided_at = Some(now);
        if let Some(payment) = &mut self.payment {
            payment.state = PaymentState::Captured;
        }
    }

    /// As it reads once it has failed.
    pub fn failed(mut self, reason: &str) -> Self {
        self.state = OrderState::Failed;
        self.failure = Some(reason.to_owned());
        self
    }

    /// Whether it was paid and then cancelled.
    pub fn is_given_back(&self) -> bool {
        matches!(self.state, OrderState::Cancelled | OrderState::Refunded)
    }

    /// The seats, ascending.
    pub fn seats(&self) -> Vec<SeatIndex> {
        seats_of(&self.items)
    }

    /// The standing tiers and how many places of each, ascending.
    pub fn tiers(&self) -> Vec<(TierIndex, u32)> {
        tiers_of(&self.items)
    }

    /// What the provider is to be asked about; `None` without a payment.
    pub fn charge(&self) -> Option<Charge> {
        let payment = self.payment.as_ref()?;
        Some(Charge {
            order: self.id,
            method: payment.method.clone(),
            money: payment.money.clone(),
            reference: payment.reference.clone(),
        })
    }
}

pub fn seats_of(items: &[Item]) -> Vec<SeatIndex> {
    let mut seats: Vec<_> = items
        .iter()
        .filter_map(|item| match item.place {
            Place::Seat(seat) => Some(seat),
            Place::Tier(_) => None,
        })
        .collect();
    seats.sort_unstable();
    seats
}

pub fn tiers_of(items: &[Item]) -> Vec<(TierIndex, u32)> {
    let mut counts = std::collections::BTreeMap::new();
    for item in items {
        if let Place::Tier(tier) = item.place {
            *counts.entry(tier).or_insert(0) += 1;
        }
    }
    counts.into_iter().collect()
}
