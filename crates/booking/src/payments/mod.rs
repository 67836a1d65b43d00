//! Payments: the rules (`state`), what a provider is asked (`provider`), how it
//! is called with care (`guarded`, `breaker`, `retry`), and the providers.

pub mod breaker;
mod guarded;
mod provider;
pub mod retry;
mod state;
pub mod stripe;
mod test;

pub use guarded::{Call, GuardedProvider};
pub use provider::{Answer, Charge, Money, Notice, PaymentProvider, ProviderError, Report};
pub use state::{
    CLOSED_BY_PROVIDER, Circumstances, KEY_LIFE, NEVER_ATTEMPTED, PaymentChange, PaymentState,
    Standing, Step, next_step,
};
pub use test::TestProvider;
