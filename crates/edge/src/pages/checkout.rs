//! `/e/{id}/checkout/{reservation_id}`: what is held, for how long, and paying for it.

use askama::Template;

use super::assets::{self, Entry};
use super::model::{EventHead, LineItem, Moment, Money};

/// One way to pay, as the payment provider offers it.
#[derive(Debug, Clone)]
pub struct PaymentMethod {
    /// What is sent as `payment_method_id`.
    pub id: String,
    pub label: String,
    /// What will happen, in one sentence.
    pub explanation: String,
}

impl PaymentMethod {
    /// All that the built-in test provider knows (DESIGN section 6).
    pub fn of_the_test_provider() -> Vec<Self> {
        [
            (
                "pm_test_success",
                "Succeeds",
                "The payment goes through at once.",
            ),
            (
                "pm_test_declined",
                "Is declined",
                "The bank says no; you keep your tickets and can try again.",
            ),
            (
                "pm_test_action",
                "Needs confirmation",
                "The bank waits for a confirmation, which nobody gives here: after 15 minutes the payment is given up.",
            ),
            (
                "pm_test_slow",
                "Is slow",
                "The payment goes through after some seconds.",
            ),
            (
                "pm_test_timeout",
                "Times out",
                "The provider does not answer; the outcome is looked up, which takes about half a minute.",
            ),
            (
                "pm_test_lost_reply",
                "Loses the reply",
                "Paid, but the answer is lost; the outcome is looked up, which takes about half a minute.",
            ),
        ]
        .into_iter()
        .map(|(id, label, explanation)| Self {
            id: id.to_owned(),
            label: label.to_owned(),
            explanation: explanation.to_owned(),
        })
        .collect()
    }
}

#[derive(Debug, Clone, Template)]
#[template(path = "checkout.html")]
pub struct CheckoutPage {
    pub head: EventHead,
    pub reservation_id: String,
    pub items: Vec<LineItem>,
    pub total: Money,
    /// When the hold ends, unless it is extended.
    pub expires_at: Moment,
    pub extensions_remaining: u32,
    /// What one extension adds, in seconds.
    pub extension_seconds: u32,
    pub payment_methods: Vec<PaymentMethod>,
    /// No money moves: the page says so plainly.
    pub test_mode: bool,
    /// The server's clock when the page was made.
    pub now: Moment,
}
