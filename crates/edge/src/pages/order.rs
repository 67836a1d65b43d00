//! `/orders` and `/orders/{order_number}`: a browser's orders, and what became of
//! one, with its tickets to show or print.

use askama::Template;

use super::assets::{self, Entry};
use super::model::{EventHead, LineItem, Moment, Money};

/// The states of an order, as fans are told them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderStatus {
    /// The outcome of the payment is not known yet.
    Pending,
    Confirmed,
    Failed,
    Cancelled,
    Refunded,
}

impl OrderStatus {
    /// The name as the API spells it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Confirmed => "confirmed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Refunded => "refunded",
        }
    }

    /// A word for a list.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Pending => "Checking the payment",
            Self::Confirmed => "Confirmed",
            Self::Failed => "Not paid",
            Self::Cancelled => "Cancelled",
            Self::Refunded => "Refunded",
        }
    }

    /// The phase whose colour says the same.
    pub const fn tone(self) -> &'static str {
        match self {
            Self::Pending => "paused",
            Self::Confirmed => "open",
            Self::Failed | Self::Cancelled | Self::Refunded => "closed",
        }
    }

    const fn headline(self) -> &'static str {
        match self {
            Self::Pending => "We are checking your payment",
            Self::Confirmed => "You have your tickets",
            Self::Failed => "The payment did not go through",
            Self::Cancelled => "This order was cancelled",
            Self::Refunded => "This order was refunded",
        }
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::Pending => {
                "This can take a few minutes. Your seats stay yours until it is decided; this page follows by itself."
            }
            Self::Confirmed => {
                "Bring the codes below on your phone or on paper. Each opens the door once."
            }
            Self::Failed => {
                "No money was taken. If your seats are still held you can try again from the checkout."
            }
            Self::Cancelled => "Its tickets no longer open the door.",
            Self::Refunded => "The money is on its way back; its tickets no longer open the door.",
        }
    }
}

/// One ticket.
#[derive(Debug, Clone)]
pub struct TicketView {
    pub ticket_number: String,
    /// `Stalls, row C, seat 12`, or the name of a standing tier.
    pub label: String,
    /// Address of the QR picture, on this site.
    pub qr_url: String,
    /// When it was scanned at the door.
    pub used_at: Option<Moment>,
}

#[derive(Debug, Clone, Template)]
#[template(path = "order.html")]
pub struct OrderPage {
    pub head: EventHead,
    pub order_number: String,
    pub status: OrderStatus,
    /// Of a cancelled one: it was not its fan who gave it back.
    pub by_organiser: bool,
    pub items: Vec<LineItem>,
    pub total: Money,
    /// Empty unless confirmed.
    pub tickets: Vec<TicketView>,
    pub confirmed_at: Option<Moment>,
    /// The event allows it, until some time before it begins.
    pub may_be_given_back: bool,
    /// This browser is still let in, and could buy more.
    pub is_inside: bool,
    /// It has just said that it needs no more.
    pub is_done: bool,
    pub test_mode: bool,
}

/// One order in the list.
#[derive(Debug, Clone)]
pub struct OrderLine {
    pub head: EventHead,
    pub order_number: String,
    pub status: OrderStatus,
    pub tickets: usize,
    pub total: Money,
    pub ordered_at: Moment,
}

#[derive(Debug, Clone, Template)]
#[template(path = "orders.html")]
pub struct OrdersPage {
    /// Newest first.
    pub orders: Vec<OrderLine>,
}
