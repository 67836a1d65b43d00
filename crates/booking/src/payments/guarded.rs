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
        self.note(call, &result, asked.elapsed());
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

    fn note(&self, call: Call, result: &Result<Report, ProviderError>, took: Duration) {
        let mut breaker = self.breaker();
        let outcome = match result {
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
