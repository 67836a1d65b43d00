//! The life of a payment, and what to do next about it. Pure.
//!
//! Two tables. `PaymentState::after` lists every transition that exists.
//! `next_step` compares what usher recorded with where the payment stands at
//! the provider and says what to do; the handler of a request and the
//! reconciler both follow it, so a crash anywhere is finished by the same rules.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::orders::UnknownState;

/// What usher has recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentState {
    /// The provider has not been called; it may be only after `Capturing`.
    Pending,
    /// The fan has to confirm at the bank.
    RequiresAction,
    /// Decided to take the money. From here only forward.
    Capturing,
    Captured,
    /// Decided not to take the money.
    Voiding,
    Voided,
    Failed,
    Refunded,
}

/// What can happen to a recorded payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaymentChange {
    Capture,
    AskFan,
    Captured,
    Fail,
    Void,
    Voided,
    Refund,
}

impl PaymentChange {
    pub const ALL: [Self; 7] = [
        Self::Capture,
        Self::AskFan,
        Self::Captured,
        Self::Fail,
        Self::Void,
        Self::Voided,
        Self::Refund,
    ];
}

impl PaymentState {
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::RequiresAction,
        Self::Capturing,
        Self::Captured,
        Self::Voiding,
        Self::Voided,
        Self::Failed,
        Self::Refunded,
    ];

    /// The state after `change`, or `None` where it cannot happen.
    pub const fn after(self, change: PaymentChange) -> Option<Self> {
        use PaymentChange as Change;
        match (self, change) {
            (Self::Pending | Self::RequiresAction, Change::Capture) => Some(Self::Capturing),
            (Self::Pending | Self::RequiresAction, Change::Void) => Some(Self::Voiding),
            (Self::Capturing, Change::AskFan) => Some(Self::RequiresAction),
            (Self::Capturing, Change::Captured) => Some(Self::Captured),
            (Self::Capturing, Change::Fail) => Some(Self::Failed),
            (Self::Voiding, Change::Voided) => Some(Self::Voided),
            (Self::Captured | Self::Failed | Self::Voided, Change::Refund) => Some(Self::Refunded),
            _ => None,
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::RequiresAction => "requires_action",
            Self::Capturing => "capturing",
            Self::Captured => "captured",
            Self::Voiding => "voiding",
            Self::Voided => "voided",
            Self::Failed => "failed",
            Self::Refunded => "refunded",
        }
    }
}

impl fmt::Display for PaymentState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for PaymentState {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, UnknownState> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == text);
        found.ok_or_else(|| UnknownState(text.to_owned()))
    }
}

/// Where a payment stands at the provider, as the provider says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The provider has never heard of it.
    Absent,
    /// Under way; ask again later.
    Processing,
    /// The fan has to confirm with this secret.
    RequiresAction {
        client_secret: String,
    },
    /// The money is set aside but not taken.
    Authorised,
    Captured,
    Declined {
        reason: String,
    },
    Voided,
    Refunded,
}

/// The facts besides the two states on which the next step hangs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// The order's `pay_by` has passed.
    pub too_late: bool,
    /// The provider may have forgotten the idempotency key (`KEY_LIFE`).
    pub key_forgotten: bool,
    /// The order was cancelled, so captured money goes back.
    pub cancelled: bool,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Decide for the money: compare-and-set to capturing.
    DecideCapture,
    /// Decide against it: compare-and-set to voiding.
    DecideVoid,
    /// At the provider.
    LookUp,
    Authorise,
    Capture,
    Void,
    Refund,
    /// In Postgres.
    RecordPaid,
    RecordAction {
        client_secret: String,
    },
    RecordFailed {
        reason: String,
    },
    RecordVoided,
    RecordRefunded,
    /// The fan still has to confirm.
    AwaitFan {
        client_secret: String,
    },
    /// Nothing to do until the provider knows more.
    Wait,
    /// Nothing to do any more.
    Done,
}

/// Providers remember an idempotency key for a day: after this long a payment
/// is looked up, never made again.
pub const KEY_LIFE: Duration = Duration::from_secs(23 * 3_600);
/// The reason recorded for an attempt that the provider never heard of.
pub const NEVER_ATTEMPTED: &str = "payment_not_attempted";
/// The reason recorded when the provider closed the payment by itself.
pub const CLOSED_BY_PROVIDER: &str = "payment_closed";

/// The rule. `standing` is `None` before the provider was asked.
pub fn next_step(recorded: PaymentState, standing: Option<&Standing>, at: Circumstances) -> Step {
    match (recorded, standing) {
        (PaymentState::Pending, _) if at.too_late => Step::DecideVoid,
        (PaymentState::Pending, _) => Step::DecideCapture,
        (PaymentState::Refunded, _) => Step::Done,
        (_, None) => Step::LookUp,
        (PaymentState::Capturing, Some(standing)) => while_capturing(standing, at),
        (PaymentState::RequiresAction, Some(standing)) => while_fan_confirms(standing, at),
        (PaymentState::Voiding, Some(standing)) => while_voiding(standing),
        (PaymentState::Captured, Some(standing)) => while_captured(standing, at),
        (PaymentState::Failed | PaymentState::Voided, Some(standing)) => once_closed(standing),
    }
}

fn while_capturing(standing: &Standing, at: Circumstances) -> Step {
    let failed = |reason: &str| Step::RecordFailed {
        reason: reason.to_owned(),
    };
    match standing {
        Standing::Absent if at.key_forgotten => failed(NEVER_ATTEMPTED),
        Standing::Absent => Step::Authorise,
        Standing::Processing => Step::Wait,
        Standing::RequiresAction { client_secret } => Step::RecordAction {
            client_secret: client_secret.clone(),
        },
        Standing::Authorised => Step::Capture,
        Standing::Captured => Step::RecordPaid,
        Standing::Declined { reason } => failed(reason),
        Standing::Voided | Standing::Refunded => failed(CLOSED_BY_PROVIDER),
    }
}

/// The fan holds a secret with which a declined payment can be tried again, so
/// only the provider's own "voided" ends it.
fn while_fan_confirms(standing: &Standing, at: Circumstances) -> Step {
    match standing {
        Standing::Authorised | Standing::Captured => Step::DecideCapture,
        Standing::Declined { .. } | Standing::Voided | Standing::Refunded | Standing::Absent => {
            Step::DecideVoid
        }
        Standing::RequiresAction { .. } | Standing::Processing if at.too_late => Step::DecideVoid,
        Standing::RequiresAction { client_secret } => Step::AwaitFan {
            client_secret: client_secret.clone(),
        },
        Standing::Processing => Step::Wait,
    }
}

/// The seats stay until the provider says that no money will come.
fn while_voiding(standing: &Standing) -> Step {
    match standing {
        Standing::Absent | Standing::Voided | Standing::Refunded => Step::RecordVoided,
        Standing::Captured => Step::Refund,
        Standing::Processing => Step::Wait,
        Standing::RequiresAction { .. } | Standing::Authorised | Standing::Declined { .. } => {
            Step::Void
        }
    }
}

fn while_captured(standing: &Standing, at: Circumstances) -> Step {
    match standing {
        Standing::Refunded => Step::RecordRefunded,
        Standing::Processing => Step::Wait,
        _ if at.cancelled => Step::Refund,
        _ => Step::Done,
    }
}

/// Money that arrives for an order whose seats are gone goes back.
fn once_closed(standing: &Standing) -> Step {
    match standing {
        Standing::Captured => Step::Refund,
        Standing::Refunded => Step::RecordRefunded,
        Standing::Authorised | Standing::RequiresAction { .. } => Step::Void,
        _ => Step::Done,
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
