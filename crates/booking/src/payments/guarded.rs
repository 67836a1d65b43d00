//! A provider behind a time limit, bounded retries and a circuit breaker: what
//! the commit flow and the reconciler talk to.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use usher_base::Clock;

use super::breaker::Breaker;
use super::{Answer, Charge, PaymentProvider, ProviderError, Report, Standing, retry};

/// What is asked of the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Authorise,
    Capture,
    Void,
    Refund,
    LookUp,
}

impl Call {
    const fn name(self) -> &'static str {
        match self {
            Self::Authorise => "authorise",
            Self::Capture => "capture",
            Self::Void => "void",
            Self::Refund => "refund",
            Self::LookUp => "look_up",
        }
    }
}

#[derive(Clone)]
pub struct GuardedProvider {
    provider: Arc<dyn PaymentProvider>,
    clock: Arc<dyn Clock>,
    breaker: Arc<Mutex<Breaker>>,
    /// For all attempts of one call together.
    within: Duration,
}

impl GuardedProvider {
    pub fn new(provider: Arc<dyn PaymentProvider>, clock: Arc<dyn Clock>) -> Self {
        Self {
            provider,
            clock,
            breaker: Arc::default(),
            within: retry::WITHIN,
        }
    }

    /// With less patience than the usual ten seconds.
    pub fn within(mut self, limit: Duration) -> Self {
        self.within = limit.min(retry::WITHIN);
        self
    }

    pub fn name(&self) -> &'static str {
        self.provider.name()
    }

    /// While the breaker is open: how much longer. Nobody should begin to pay.
    pub fn out_of_order_for(&self) -> Option<Duration> {
        self.breaker().shut_for(self.clock.now())
    }

    /// Every call is idempotent by order, so an unknown outcome is asked again.
    pub async fn call(&self, call: Call, charge: &Charge) -> Result<Report, ProviderError> {
        if charge.money.amount == 0 {
            return Ok(free(call));
        }
        let started = Instant::now();
        let mut attempt = 1;
        loop {
            let result = self.attempt(call, charge, started).await;
            let Err(ProviderError::Unknown(reason)) = &result else {
                return result;
            };
            tracing::warn!(call = call.name(), order = %charge.order, attempt, reason, "payment call");
            let jitter = rand::random::<f64>();
            match retry::pause_after(attempt, started.elapsed(), jitter) {
                Some(pause) if started.elapsed() + pause < self.within => {
                    tokio::time::sleep(pause).await;
                }
                _ => return result,
            }
            attempt += 1;
        }
    }

    async fn attempt(
        &self,
        call: Call,
        charge: &Charge,
        started: Instant,
    ) -> Result<Report, ProviderError> {
        self.breaker()
            .admit(self.clock.now())
            .map_err(|retry_after| ProviderError::Unavailable { retry_after })?;
        let left = self.within.saturating_sub(started.elapsed());
        let asked = Instant::now();
        let result = match tokio::time::timeout(left, self.ask(call, charge)).await {
            Ok(result) => result,
            Err(_) => Err(ProviderError::Unknown("no answer in time".into())),
        };
        self.note(call, charge, &result, asked.elapsed());
        result
    }

    fn ask<'a>(&'a self, call: Call, charge: &'a Charge) -> Answer<'a> {
        match call {
            Call::Authorise => self.provider.authorise(charge),
            Call::Capture => self.provider.capture(charge),
            Call::Void => self.provider.void(charge),
            Call::Refund => self.provider.refund(charge),
            Call::LookUp => self.provider.look_up(charge),
        }
    }

    fn note(
        &self,
        call: Call,
        charge: &Charge,
        result: &Result<Report, ProviderError>,
        took: Duration,
    ) {
        let mut breaker = self.breaker();
        let outcome = match result {
            // One fan's choice must not close the till for everybody.
            Err(ProviderError::Unknown(_)) if self.provider.fails_on_purpose(charge) => "unknown",
            Err(ProviderError::Unknown(_)) => {
                breaker.failed(self.clock.now());
                "unknown"
            }
            Err(_) => "rejected",
            Ok(_) => {
                breaker.succeeded();
                "ok"
            }
        };
        metrics::histogram!("usher_payment_call_seconds",
            "provider" => self.name(), "call" => call.name(), "outcome" => outcome)
        .record(took.as_secs_f64());
    }

    fn breaker(&self) -> std::sync::MutexGuard<'_, Breaker> {
        // Plain numbers: whole even after a panic.
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nothing to pay: no provider has to be asked, and none would take it.
fn free(call: Call) -> Report {
    let standing = match call {
        Call::Authorise | Call::Capture | Call::LookUp => Standing::Captured,
        Call::Void => Standing::Voided,
        Call::Refund => Standing::Refunded,
    };
    Report {
        standing,
        reference: None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use usher_base::{ManualClock, OrderId, Timestamp};
    use uuid::Uuid;

    use super::*;
    use crate::payments::Money;

    /// Never answers; whether its fans wanted it so is its only difference.
    struct Silent {
        on_purpose: bool,
    }

    fn silence<'a>() -> Answer<'a> {
        Box::pin(async { Err(ProviderError::Unknown("silence".into())) })
    }

    impl PaymentProvider for Silent {
        fn name(&self) -> &'static str {
            "silent"
        }

        fn fails_on_purpose(&self, _: &Charge) -> bool {
            self.on_purpose
        }

        fn authorise<'a>(&'a self, _: &'a Charge) -> Answer<'a> {
            silence()
        }

        fn capture<'a>(&'a self, _: &'a Charge) -> Answer<'a> {
            silence()
        }

        fn void<'a>(&'a self, _: &'a Charge) -> Answer<'a> {
            silence()
        }

        fn refund<'a>(&'a self, _: &'a Charge) -> Answer<'a> {
            silence()
        }

        fn look_up<'a>(&'a self, _: &'a Charge) -> Answer<'a> {
            silence()
        }
    }

    async fn out_of_order_after_two_calls(on_purpose: bool) -> bool {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000_000)));
        let provider = GuardedProvider::new(Arc::new(Silent { on_purpose }), clock);
        let charge = Charge {
            order: OrderId::from_uuid(Uuid::nil()),
            method: "any".into(),
            money: Money {
                amount: 100,
                currency: "EUR".into(),
            },
            reference: None,
        };
        for _ in 0..2 {
            // Three attempts each: more than the breaker bears.
            provider.call(Call::Authorise, &charge).await.unwrap_err();
        }
        provider.out_of_order_for().is_some()
    }

    #[tokio::test]
    async fn a_silent_provider_is_left_alone() {
        assert!(out_of_order_after_two_calls(false).await);
    }

    #[tokio::test]
    async fn what_a_fan_chose_to_fail_closes_the_till_for_nobody_else() {
        assert!(!out_of_order_after_two_calls(true).await);
    }
}
