//! Carries one payment from wherever it stands to wherever it can get now: the
//! handler of a commit, a page that follows, and the reconciler all come here.
//! The rule is `payments::next_step`; this asks, does and records.

use usher_base::Timestamp;

use super::{Order, OrderState, Orders};
use crate::failpoints::{Point, reach};
use crate::payments::{
    Call, Charge, Circumstances, KEY_LIFE, PaymentState, ProviderError, Standing, Step, next_step,
};
use crate::pg::close::{self, Closing};
use crate::pg::decide::{self, Decided};
use crate::pg::paid::{Captured, MadePaid};
use crate::tickets::TicketNumber;

/// Steps of one drive; the longest way through the rule takes seven.
const MAX_STEPS: usize = 12;
/// The recorded failure when the provider does not understand the charge.
const REJECTED: &str = "payment_rejected";
/// The recorded failure when the time to pay ran out.
pub const PAYMENT_TOO_LATE: &str = "payment_too_late";

/// How far a payment got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Driven {
    /// Paid by us, now.
    Paid {
        tickets: Vec<TicketNumber>,
    },
    /// Paid before, or failed by somebody else: read the order.
    Elsewhere,
    Failed {
        reason: String,
    },
    AwaitsFan {
        client_secret: String,
    },
    Refunded,
    /// Nothing more can be done now.
    Waits,
    Done,
}

/// The payment as it is carried along.
struct Journey<'a> {
    order: &'a Order,
    charge: Charge,
    recorded: PaymentState,
    standing: Option<Standing>,
}

impl Journey<'_> {
    fn circumstances(&self, now: Timestamp) -> Circumstances {
        Circumstances {
            too_late: self.order.pay_by <= now,
            key_forgotten: now.since(self.order.created_at) >= KEY_LIFE,
            cancelled: self.order.state == OrderState::Cancelled,
        }
    }

    /// A payment that was pending has never been near the provider.
    fn decided(&mut self, state: PaymentState) {
        if self.recorded == PaymentState::Pending {
            self.standing = Some(Standing::Absent);
        }
        self.recorded = state;
    }
}

impl Orders {
    /// `order` as it was read, or as it was just recorded.
    pub(super) async fn drive(&self, order: &Order) -> Result<Driven, sqlx::Error> {
        let (Some(payment), Some(charge)) = (&order.payment, order.charge()) else {
            return Ok(Driven::Done);
        };
        let mut journey = Journey {
            order,
            charge,
            recorded: payment.state,
            standing: None,
        };
        for _ in 0..MAX_STEPS {
            let at = journey.circumstances(self.clock.now());
            let step = next_step(journey.recorded, journey.standing.as_ref(), at);
            if let Some(end) = self.take(step, &mut journey).await? {
                return Ok(end);
            }
        }
        tracing::error!(order = %order.id, "a payment goes round in circles");
        Ok(Driven::Waits)
    }

    /// One step; `Some` when it was the last.
    async fn take(
        &self,
        step: Step,
        journey: &mut Journey<'_>,
    ) -> Result<Option<Driven>, sqlx::Error> {
        let call = match step {
            Step::DecideCapture => return Ok(self.decide_capture(journey).await),
            Step::DecideVoid => return self.decide_void(journey).await,
            Step::LookUp => Call::LookUp,
            Step::Authorise => Call::Authorise,
            Step::Capture => Call::Capture,
            Step::Void => Call::Void,
            Step::Refund => Call::Refund,
            Step::RecordPaid => return Ok(Some(self.record_paid(journey).await)),
            Step::RecordFailed { reason } => {
                return self.record_failed(journey, Closing::Failed, reason).await;
            }
            Step::RecordVoided => {
                let reason = PAYMENT_TOO_LATE.to_owned();
                return self.record_failed(journey, Closing::Voided, reason).await;
            }
            Step::RecordRefunded => {
                reach(Point::BeforeRecordRefund);
                close::refunded(&self.pool, journey.order).await?;
                reach(Point::AfterRecordRefund);
                return Ok(Some(Driven::Refunded));
            }
            Step::RecordAction { client_secret } => {
                return self.record_action(journey, client_secret).await;
            }
            Step::AwaitFan { client_secret } => {
                return Ok(Some(Driven::AwaitsFan { client_secret }));
            }
            Step::Wait => return Ok(Some(Driven::Waits)),
            Step::Done => return Ok(Some(Driven::Done)),
        };
        let answered = self.ask(journey, call).await;
        Ok((!answered).then_some(Driven::Waits))
    }

    /// Calls the provider; false when its answer is not known.
    async fn ask(&self, journey: &mut Journey<'_>, call: Call) -> bool {
        let (before, after) = points(call);
        reach(before);
        let result = self.provider.call(call, &journey.charge).await;
        reach(after);
        match result {
            Ok(report) => {
                journey.standing = Some(report.standing);
                if report.reference.is_some() {
                    journey.charge.reference = report.reference;
                }
                true
            }
            // It was understood and not done: no money will come of it.
            Err(ProviderError::Rejected(why)) if call == Call::Authorise => {
                tracing::error!(order = %journey.order.id, why, "the provider rejects a payment");
                let reason = REJECTED.to_owned();
                journey.standing = Some(Standing::Declined { reason });
                true
            }
            Err(error) => {
                tracing::warn!(order = %journey.order.id, %error, "a payment has to wait");
                false
            }
        }
    }

    async fn decide_capture(&self, journey: &mut Journey<'_>) -> Option<Driven> {
        reach(Point::BeforeDecide);
        let decided = self.writer.decide_capture(journey.order.id).await;
        reach(Point::AfterDecide);
        match decided {
            Decided::Won => {
                journey.decided(PaymentState::Capturing);
                None
            }
            Decided::Lost => Some(Driven::Elsewhere),
            Decided::Unknown => Some(Driven::Waits),
        }
    }

    async fn decide_void(&self, journey: &mut Journey<'_>) -> Result<Option<Driven>, sqlx::Error> {
        reach(Point::BeforeDecideVoid);
        let won = decide::void(&self.pool, journey.order.id).await?;
        reach(Point::AfterDecideVoid);
        if !won {
            return Ok(Some(Driven::Elsewhere));
        }
        journey.decided(PaymentState::Voiding);
        Ok(None)
    }

    async fn record_paid(&self, journey: &Journey<'_>) -> Driven {
        let count = journey.order.items.len();
        let tickets: Vec<_> = {
            let mut rng = rand::rng();
            (0..count).map(|_| TicketNumber::random(&mut rng)).collect()
        };
        reach(Point::BeforePay);
        let captured = Captured {
            order: journey.order.id,
            reference: journey.charge.reference.clone(),
            tickets: tickets.clone(),
        };
        let made = self.writer.pay(captured).await;
        reach(Point::AfterPay);
        match made {
            MadePaid::Now => Driven::Paid { tickets },
            MadePaid::Before | MadePaid::Closed => Driven::Elsewhere,
            MadePaid::Unknown => Driven::Waits,
        }
    }

    async fn record_failed(
        &self,
        journey: &Journey<'_>,
        closing: Closing,
        reason: String,
    ) -> Result<Option<Driven>, sqlx::Error> {
        reach(Point::BeforeFail);
        let reference = journey.charge.reference.as_deref();
        let failed = close::fail(&self.pool, journey.order, closing, &reason, reference).await?;
        reach(Point::AfterFail);
        Ok(Some(match failed {
            true => Driven::Failed { reason },
            false => Driven::Elsewhere,
        }))
    }

    async fn record_action(
        &self,
        journey: &Journey<'_>,
        client_secret: String,
    ) -> Result<Option<Driven>, sqlx::Error> {
        let reference = journey.charge.reference.as_deref();
        reach(Point::BeforeAskFan);
        let asked = decide::ask_fan(&self.pool, journey.order.id, reference).await?;
        reach(Point::AfterAskFan);
        Ok(Some(match asked {
            true => Driven::AwaitsFan { client_secret },
            false => Driven::Elsewhere,
        }))
    }
}

const fn points(call: Call) -> (Point, Point) {
    match call {
        Call::LookUp => (Point::BeforeLookUp, Point::AfterLookUp),
        Call::Authorise => (Point::BeforeAuthorise, Point::AfterAuthorise),
        Call::Capture => (Point::BeforeCapture, Point::AfterCapture),
        Call::Void => (Point::BeforeVoid, Point::AfterVoid),
        Call::Refund => (Point::BeforeRefund, Point::AfterRefund),
    }
}
