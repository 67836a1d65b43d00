//! What usher asks of a payment provider. Every call is named by the order's
//! id, so that a call whose reply was lost can be made again.

use futures::future::BoxFuture;
use usher_base::OrderId;

use super::Standing;

/// An amount in minor units of an ISO 4217 currency.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Money {
    pub amount: i64,
    pub currency: String,
}

/// One attempt at payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    pub order: OrderId,
    /// The provider's own word for card, wallet, ...; never card data.
    pub method: String,
    pub money: Money,
    /// The provider's id of the payment, once it has told one.
    pub reference: Option<String>,
}

/// Where the payment stands after a call, and its id at the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub standing: Standing,
    pub reference: Option<String>,
}

/// Why a call told nothing about the payment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// Timed out, cut, or the provider failed: it may or may not have happened.
    #[error("the payment provider's answer is not known: {0}")]
    Unknown(String),
    /// The breaker is open.
    #[error("the payment provider is out of order; try again in {} s", .retry_after.as_secs())]
    Unavailable { retry_after: std::time::Duration },
    /// The provider understood the call and rejects it: a mistake of ours.
    #[error("the payment provider rejects the call: {0}")]
    Rejected(String),
}

/// A provider says by webhook that something happened to a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The provider's own id of the notice, the same when it is sent again.
    pub id: String,
    pub kind: String,
    /// The provider's id of the payment.
    pub reference: Option<String>,
    pub order: Option<OrderId>,
}

pub type Answer<'a> = BoxFuture<'a, Result<Report, ProviderError>>;

/// `test` and `stripe`.
pub trait PaymentProvider: Send + Sync + 'static {
    /// As in `/webhooks/{provider}` and in the recorded payment.
    fn name(&self) -> &'static str;

    /// Whether a missing answer to this charge was asked for by its fan, and so
    /// says nothing of the provider's health.
    fn fails_on_purpose(&self, _charge: &Charge) -> bool {
        false
    }

    /// Sets the money aside. Called again with the same order it tells what
    /// became of the first call.
    fn authorise<'a>(&'a self, charge: &'a Charge) -> Answer<'a>;

    /// Takes the money that was set aside.
    fn capture<'a>(&'a self, charge: &'a Charge) -> Answer<'a>;

    /// Lets go of money that was set aside or never came.
    fn void<'a>(&'a self, charge: &'a Charge) -> Answer<'a>;

    /// Gives taken money back, all of it.
    fn refund<'a>(&'a self, charge: &'a Charge) -> Answer<'a>;

    /// Where the payment stands; changes nothing.
    fn look_up<'a>(&'a self, charge: &'a Charge) -> Answer<'a>;
}
