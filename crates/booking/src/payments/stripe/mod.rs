//! Stripe, by PaymentIntents with manual capture: authorising and taking money
//! are two calls, so that a payment which is decided against is let go of
//! without ever having been taken. Card data never reaches usher; the method
//! is an id that the fan's browser got from Stripe.
//!
//! Every call carries an idempotency key made of the order's id, and where an
//! answer leaves doubt the intent is read anew: what Stripe says about it now
//! counts, not what it said to a call.

mod client;
mod read;
mod webhook;

use usher_base::OrderId;

pub use client::{BadBaseUrl, StripeClient};
pub use webhook::{SIGNATURE_TOLERANCE, WebhookError, open_notice};

use super::{Answer, Charge, PaymentProvider, ProviderError, Report, Standing};
use client::Reply;

/// Where the order's id stands in an intent, so that it is found again.
const ORDER_FIELD: &str = "order_id";
/// The charge tells whether the money went back.
const WITH_CHARGE: (&str, &str) = ("expand[]", "latest_charge");

pub struct StripeProvider {
    client: StripeClient,
}

impl StripeProvider {
    pub fn new(client: StripeClient) -> Self {
        Self { client }
    }

    async fn create(&self, charge: &Charge) -> Result<Report, ProviderError> {
        let (amount, order) = (charge.money.amount.to_string(), charge.order.to_string());
        let currency = charge.money.currency.to_ascii_lowercase();
        let form = [
            ("amount", amount.as_str()),
            ("currency", currency.as_str()),
            ("payment_method", charge.method.as_str()),
            ("payment_method_types[]", "card"),
            ("capture_method", "manual"),
            ("confirm", "true"),
            ("metadata[order_id]", order.as_str()),
            WITH_CHARGE,
        ];
        let key = key(charge.order, "authorise");
        let reply = self.client.post("/v1/payment_intents", &form, &key).await?;
        match reply {
            Reply::Found(intent) => read::intent(&intent),
            Reply::Refused { status: 402, error } => Ok(read::declined(&error)),
            other => Err(rejected(other)),
        }
    }

    /// A call on the intent, then how it stands; a refusal may only mean that
    /// the call was made before.
    async fn act(
        &self,
        charge: &Charge,
        path: &str,
        form: &[(&str, &str)],
        action: &str,
    ) -> Result<Report, ProviderError> {
        let key = key(charge.order, action);
        let reply = self.client.post(path, form, &key).await?;
        let report = self.look(charge).await?;
        if let Reply::Refused { status, error } = reply {
            let why = read::message(&error);
            tracing::warn!(order = %charge.order, action, status, why, standing = ?report.standing,
                "stripe refuses a call");
        }
        Ok(report)
    }

    async fn look(&self, charge: &Charge) -> Result<Report, ProviderError> {
        let Some(reference) = &charge.reference else {
            return self.search(charge.order).await;
        };
        let path = format!("/v1/payment_intents/{reference}");
        match self.client.get(&path, &[WITH_CHARGE]).await? {
            Reply::Found(intent) => read::intent(&intent),
            refused => Err(rejected(refused)),
        }
    }

    /// By the order's id. The search lags about a minute, so "absent" leads to
    /// the same idempotent creation again, or hours later to the truth.
    async fn search(&self, order: OrderId) -> Result<Report, ProviderError> {
        let query = format!("metadata['{ORDER_FIELD}']:'{order}'");
        let parameters = [
            ("query", query.as_str()),
            ("expand[]", "data.latest_charge"),
        ];
        let path = "/v1/payment_intents/search";
        match self.client.get(path, &parameters).await? {
            Reply::Found(found) => match found["data"].get(0) {
                Some(intent) => read::intent(intent),
                None => Ok(absent()),
            },
            // A stand-in without search knows nothing of it.
            Reply::Refused { status: 404, .. } => Ok(absent()),
            refused => Err(rejected(refused)),
        }
    }

    async fn finish(&self, charge: &Charge, action: &str) -> Result<Report, ProviderError> {
        let Some(reference) = &charge.reference else {
            return self.search(charge.order).await;
        };
        let path = format!("/v1/payment_intents/{reference}/{action}");
        self.act(charge, &path, &[], action).await
    }

    async fn give_back(&self, charge: &Charge) -> Result<Report, ProviderError> {
        let Some(reference) = &charge.reference else {
            return self.search(charge.order).await;
        };
        let form = [("payment_intent", reference.as_str())];
        self.act(charge, "/v1/refunds", &form, "refund").await
    }
}

/// The same call for the same order is the same call.
fn key(order: OrderId, action: &str) -> String {
    format!("usher-{order}-{action}")
}

fn absent() -> Report {
    Report {
        standing: Standing::Absent,
        reference: None,
    }
}

fn rejected(reply: Reply) -> ProviderError {
    ProviderError::Rejected(match reply {
        Reply::Found(_) => "an answer without sense".to_owned(),
        Reply::Refused { status, error } => format!("{status} {}", read::message(&error)),
    })
}

impl PaymentProvider for StripeProvider {
    fn name(&self) -> &'static str {
        "stripe"
    }

    fn authorise<'a>(&'a self, charge: &'a Charge) -> Answer<'a> {
        Box::pin(self.create(charge))
    }

    fn capture<'a>(&'a self, charge: &'a Charge) -> Answer<'a> {
        Box::pin(self.finish(charge, "capture"))
    }

    fn void<'a>(&'a self, charge: &'a Charge) -> Answer<'a> {
        Box::pin(self.finish(charge, "cancel"))
    }

    fn refund<'a>(&'a self, charge: &'a Charge) -> Answer<'a> {
        Box::pin(self.give_back(charge))
    }

    fn look_up<'a>(&'a self, charge: &'a Charge) -> Answer<'a> {
        Box::pin(self.look(charge))
    }
}
