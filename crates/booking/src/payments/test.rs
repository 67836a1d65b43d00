//! The built-in provider for tests, rehearsals and the demo: it behaves by the
//! name of the payment method, well or badly, and keeps its own durable book,
//! so that what it says after a crash is true. No money moves.
//!
//! | method | what happens |
//! | --- | --- |
//! | `pm_test_success` | the money is there at once |
//! | `pm_test_declined` | the bank says no |
//! | `pm_test_action` | the fan has to confirm (`TestProvider::confirm`) |
//! | `pm_test_slow` | as success, but each answer takes two seconds |
//! | `pm_test_timeout` | taken, but the first answer never comes; ready after a while |
//! | `pm_test_lost_reply` | done each time, but only a look-up is ever answered |

use std::time::Duration;

use sqlx::PgPool;
use usher_base::OrderId;

use super::{Answer, Charge, PaymentProvider, ProviderError, Report, Standing};
use crate::pg::test_ledger::{Ledger, Opening};

const SLOW: Duration = Duration::from_secs(2);
/// Longer than anybody waits for a provider.
const NEVER: Duration = Duration::from_secs(3_600);
/// When a payment whose answer never came is ready, unless said otherwise.
const RIPE_AFTER: Duration = Duration::from_secs(8);

pub struct TestProvider {
    ledger: Ledger,
    ripe_after: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Success,
    Declined,
    Action,
    Slow,
    Timeout,
    LostReply,
}

impl Manner {
    fn of(charge: &Charge) -> Option<Self> {
        match charge.method.as_str() {
            "pm_test_success" => Some(Self::Success),
            "pm_test_declined" => Some(Self::Declined),
            "pm_test_action" => Some(Self::Action),
            "pm_test_slow" => Some(Self::Slow),
            "pm_test_timeout" => Some(Self::Timeout),
            "pm_test_lost_reply" => Some(Self::LostReply),
            _ => None,
        }
    }

    /// The state in which its payments begin.
    const fn opening(self) -> &'static str {
        match self {
            Self::Declined => "declined",
            Self::Action => "requires_action",
            Self::Timeout => "processing",
            Self::Success | Self::Slow | Self::LostReply => "authorised",
        }
    }
}

impl TestProvider {
    pub fn new(pool: PgPool) -> Self {
        Self {
            ledger: Ledger::new(pool),
            ripe_after: RIPE_AFTER,
        }
    }

    /// With another time until a `pm_test_timeout` is ready.
    pub fn ripe_after(mut self, span: Duration) -> Self {
        self.ripe_after = span;
        self
    }

    /// The fan confirms at the bank. False when nothing waits for that.
    pub async fn confirm(&self, order: OrderId) -> Result<bool, ProviderError> {
        let before = self.ledger.look_up(order).await;
        let waits = before.map_err(ProviderError::Unknown)?.as_deref() == Some("requires_action");
        if waits {
            self.advance(order, "authorised").await?;
        }
        Ok(waits)
    }

    async fn advance(&self, order: OrderId, to: &'static str) -> Result<Report, ProviderError> {
        let state = self.ledger.advance(order, to).await;
        let state = state.map_err(ProviderError::Unknown)?;
        Ok(report(order, state.as_deref()))
    }

    async fn open(&self, charge: &Charge) -> Result<Report, ProviderError> {
        let Some(manner) = Manner::of(charge) else {
            let reason = format!("unknown payment method {:?}", charge.method);
            return Err(ProviderError::Rejected(reason));
        };
        let ripe_after = (manner == Manner::Timeout).then_some(self.ripe_after);
        let opening = Opening {
            charge: charge.clone(),
            state: manner.opening(),
            ripe_after,
        };
        let state = self.ledger.open(opening).await;
        let state = state.map_err(ProviderError::Unknown)?;
        if manner == Manner::Timeout && state.as_deref() == Some("processing") {
            tokio::time::sleep(NEVER).await;
        }
        Ok(report(charge.order, state.as_deref()))
    }
}

/// What the manner does to an answer on its way back.
async fn deliver(charge: &Charge, report: Report) -> Result<Report, ProviderError> {
    match Manner::of(charge) {
        Some(Manner::Slow) => {
            tokio::time::sleep(SLOW).await;
            Ok(report)
        }
        Some(Manner::LostReply) => Err(ProviderError::Unknown("the reply was lost".into())),
        _ => Ok(report),
    }
}

fn report(order: OrderId, state: Option<&str>) -> Report {
    let standing = match state {
        None => Standing::Absent,
        Some("requires_action") => Standing::RequiresAction {
            client_secret: format!("test_secret_{order}"),
        },
        Some("authorised") => Standing::Authorised,
        Some("captured") => Standing::Captured,
        Some("declined") => Standing::Declined {
            reason: "card_declined".into(),
        },
        Some("voided") => Standing::Voided,
        Some("refunded") => Standing::Refunded,
        Some(_) => Standing::Processing,
    };
    let reference = state.map(|_| format!("test_{order}"));
    Report {
        standing,
        reference,
    }
}

impl PaymentProvider for TestProvider {
    fn name(&self) -> &'static str {
        "test"
    }

    fn fails_on_purpose(&self, charge: &Charge) -> bool {
        matches!(
            Manner::of(charge),
            Some(Manner::Timeout | Manner::LostReply)
        )
    }

    fn authorise<'a>(&'a self, charge: &'a Charge) -> Answer<'a> {
        Box::pin(async move { deliver(charge, self.open(charge).await?).await })
    }

    fn capture<'a>(&'a self, charge: &'a Charge) -> Answer<'a> {
        Box::pin(async move {
            let report = self.advance(charge.order, "captured").await?;
            deliver(charge, report).await
        })
    }

    fn void<'a>(&'a self, charge: &'a Charge) -> Answer<'a> {
        Box::pin(async move {
            let report = self.advance(charge.order, "voided").await?;
            deliver(charge, report).await
        })
    }

    fn refund<'a>(&'a self, charge: &'a Charge) -> Answer<'a> {
        Box::pin(async move {
            let report = self.advance(charge.order, "refunded").await?;
            deliver(charge, report).await
        })
    }

    fn look_up<'a>(&'a self, charge: &'a Charge) -> Answer<'a> {
        Box::pin(async move {
            let state = self.ledger.look_up(charge.order).await;
            let state = state.map_err(ProviderError::Unknown)?;
            Ok(report(charge.order, state.as_deref()))
        })
    }
}
