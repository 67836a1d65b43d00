//! `/console/orders` and `/console/orders/{number}`: an order found by what somebody at
//! the desk knows of it, and all that is known of it.

use askama::Template;

use super::assets::{self, Entry};
use super::model::{EventHead, Moment, Money};
use super::order::OrderStatus;

/// One order that was found.
#[derive(Debug, Clone)]
pub struct FoundLine {
    pub order_number: String,
    pub status: OrderStatus,
    pub event: String,
    pub name: String,
    pub email: String,
    pub places: Vec<String>,
    pub total: Money,
    pub ordered_at: Moment,
}

/// What was looked for, and a page of what was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// Oldest first.
    pub orders: Vec<FoundLine>,
    /// Where the next page begins.
    pub next: Option<String>,
}

#[derive(Debug, Clone, Template)]
#[template(path = "console_orders.html")]
pub struct FindPage {
    pub q: String,
    /// None before anything was looked for.
    pub found: Option<Found>,
    /// Why nothing could be looked for, in one sentence.
    pub problem: Option<String>,
}

/// One ticket, or one place of an order that has none yet.
#[derive(Debug, Clone)]
pub struct DeskPlace {
    pub label: String,
    pub price: Money,
    pub ticket: Option<DeskTicket>,
}

#[derive(Debug, Clone)]
pub struct DeskTicket {
    pub number: String,
    pub is_void: bool,
    pub used: Option<UsedAt>,
}

/// When and where a ticket was scanned, and by whom.
#[derive(Debug, Clone)]
pub struct UsedAt {
    pub at: Moment,
    pub gate: String,
    pub staff: String,
}

/// One line of the audit log.
#[derive(Debug, Clone)]
pub struct HistoryLine {
    pub at: Moment,
    /// As recorded: `order_cancelled`.
    pub action: String,
    pub actor: String,
}

impl HistoryLine {
    /// `Order cancelled`
    fn words(&self) -> String {
        let text = self.action.replace('_', " ");
        let mut letters = text.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters).collect()
    }
}

/// How the money stands.
#[derive(Debug, Clone)]
pub struct DeskPayment {
    pub provider: String,
    pub state: String,
    pub reference: Option<String>,
}

#[derive(Debug, Clone, Template)]
#[template(path = "console_order.html")]
pub struct DeskOrderPage {
    pub head: EventHead,
    pub order_number: String,
    pub status: OrderStatus,
    pub name: String,
    pub email: String,
    pub places: Vec<DeskPlace>,
    pub total: Money,
    pub payment: Option<DeskPayment>,
    /// Why it failed, as recorded.
    pub failure: Option<String>,
    pub ordered_at: Moment,
    pub decided_at: Option<Moment>,
    /// Newest first; none for roles that may not read the audit log.
    pub history: Option<Vec<HistoryLine>>,
    pub may_cancel: bool,
}
