//! The life of an order, as a table: every transition that exists is listed
//! here, and whatever is not listed cannot happen. Pure.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where an order stands. `Paid` is called "confirmed" to fans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// Durable, its seats are its own, its payment is under way.
    Pending,
    Paid,
    /// The payment came to nothing, or the order was refused; seats are free.
    Failed,
    /// Given back after it was paid; the refund is under way.
    Cancelled,
    Refunded,
}

/// What can happen to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderChange {
    Pay,
    Fail,
    Cancel,
    Refund,
}

impl OrderState {
    pub const ALL: [Self; 5] = [
        Self::Pending,
        Self::Paid,
        Self::Failed,
        Self::Cancelled,
        Self::Refunded,
    ];

    /// The state after `change`, or `None` where it cannot happen.
    pub const fn after(self, change: OrderChange) -> Option<Self> {
        match (self, change) {
            (Self::Pending, OrderChange::Pay) => Some(Self::Paid),
            (Self::Pending, OrderChange::Fail) => Some(Self::Failed),
            (Self::Paid, OrderChange::Cancel) => Some(Self::Cancelled),
            (Self::Cancelled, OrderChange::Refund) => Some(Self::Refunded),
            _ => None,
        }
    }

    /// Whether its seats belong to it, so that nobody else may have them.
    pub const fn keeps_seats(self) -> bool {
        matches!(self, Self::Pending | Self::Paid)
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Paid => "paid",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Refunded => "refunded",
        }
    }
}

impl fmt::Display for OrderState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a state")]
pub struct UnknownState(pub String);

impl FromStr for OrderState {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, UnknownState> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == text);
        found.ok_or_else(|| UnknownState(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use OrderChange::{Cancel, Fail, Pay, Refund};
    use OrderState::{Cancelled, Failed, Paid, Pending, Refunded};

    #[test]
    fn exactly_the_listed_transitions_exist() {
        let listed = [
            (Pending, Pay, Paid),
            (Pending, Fail, Failed),
            (Paid, Cancel, Cancelled),
            (Cancelled, Refund, Refunded),
        ];
        for state in OrderState::ALL {
            for change in [Pay, Fail, Cancel, Refund] {
                let expected = listed
                    .iter()
                    .find(|(from, by, _)| *from == state && *by == change)
                    .map(|(_, _, to)| *to);
                assert_eq!(state.after(change), expected, "{state} {change:?}");
            }
        }
    }

    #[test]
    fn seats_are_kept_from_pending_until_the_order_is_given_up() {
        let keeping: Vec<_> = OrderState::ALL
            .into_iter()
            .filter(|state| state.keeps_seats())
            .collect();
        assert_eq!(keeping, [Pending, Paid]);
    }

    #[test]
    fn names_survive_text() {
        for state in OrderState::ALL {
            assert_eq!(state.as_str().parse::<OrderState>().unwrap(), state);
        }
        assert!("confirmed".parse::<OrderState>().is_err());
    }
}
