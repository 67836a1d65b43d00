//! A small HTTP client for Stripe's form-encoded API: HTTPS with ring to
//! api.stripe.com, or plain HTTP to a stand-in.

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::{Method, Request, StatusCode, Uri};
use serde_json::Value;
use usher_base::outgoing::{self, Outgoing, causes};

use crate::payments::ProviderError;

/// A longer answer is not read.
const MAX_ANSWER_BYTES: usize = 512 * 1024;
/// The version of the API that this client speaks.
const API_VERSION: &str = "2024-06-20";

pub struct StripeClient {
    http: Outgoing,
    base_url: String,
    authorization: String,
}

/// The base URL is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the payment provider's address is no http(s) URL: {0}")]
pub struct BadBaseUrl(String);

/// An answer that was understood.
pub enum Reply {
    Found(Value),
    /// 4xx: Stripe will not, and says why.
    Refused {
        status: u16,
        error: Value,
    },
}

impl StripeClient {
    /// `base_url`: `https://api.stripe.com`, or that of a stand-in.
    pub fn new(base_url: &str, secret_key: &str) -> Result<Self, BadBaseUrl> {
        let uri: Result<Uri, _> = base_url.parse();
        let usable = uri.is_ok_and(|uri| uri.scheme().is_some() && uri.host().is_some());
        if !usable {
            return Err(BadBaseUrl(base_url.to_owned()));
        }
        Ok(Self {
            http: outgoing::client(),
            base_url: base_url.trim_end_matches('/').to_owned(),
            authorization: format!("Bearer {secret_key}"),
        })
    }

    pub async fn post(
        &self,
        path: &str,
        form: &[(&str, &str)],
        idempotency_key: &str,
    ) -> Result<Reply, ProviderError> {
        let request = self
            .request(Method::POST, path)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("Idempotency-Key", idempotency_key);
        self.send(request, outgoing::form(form)).await
    }

    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Reply, ProviderError> {
        let path = format!("{path}?{}", outgoing::form(query));
        self.send(self.request(Method::GET, &path), String::new())
            .await
    }

    fn request(&self, method: Method, path: &str) -> hyper::http::request::Builder {
        Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base_url))
            .header(AUTHORIZATION, &self.authorization)
            .header("Stripe-Version", API_VERSION)
    }

    async fn send(
        &self,
        request: hyper::http::request::Builder,
        body: String,
    ) -> Result<Reply, ProviderError> {
        let request = request
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| ProviderError::Rejected(error.to_string()))?;
        let response = self.http.request(request).await.map_err(|e| unknown(&e))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES);
        let body = body.collect().await.map_err(|e| unknown(e.as_ref()))?;
        let json = serde_json::from_slice(&body.to_bytes());
        judge(status, json.unwrap_or(Value::Null))
    }
}

/// Busy, in conflict with a call still under way, or out of order: not known.
fn judge(status: StatusCode, mut json: Value) -> Result<Reply, ProviderError> {
    let passing = [StatusCode::CONFLICT, StatusCode::TOO_MANY_REQUESTS];
    if status.is_server_error() || passing.contains(&status) {
        return Err(ProviderError::Unknown(format!("stripe answers {status}")));
    }
    if !status.is_success() {
        return Ok(Reply::Refused {
            status: status.as_u16(),
            error: json["error"].take(),
        });
    }
    if json.is_null() {
        return Err(ProviderError::Unknown("stripe's answer is no JSON".into()));
    }
    Ok(Reply::Found(json))
}

fn unknown(error: &(dyn std::error::Error + 'static)) -> ProviderError {
    ProviderError::Unknown(causes(error))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_an_address_is_an_address() {
        assert!(StripeClient::new("https://api.stripe.com", "sk_test_1").is_ok());
        for bad in ["", "api.stripe.com", "/v1"] {
            assert!(StripeClient::new(bad, "sk_test_1").is_err(), "{bad}");
        }
    }

    #[test]
    fn what_may_pass_by_itself_is_not_known() {
        for status in [409, 429, 500, 503] {
            let status = StatusCode::from_u16(status).unwrap();
            assert!(matches!(
                judge(status, Value::Null),
                Err(ProviderError::Unknown(_))
            ));
        }
        let refused = judge(StatusCode::PAYMENT_REQUIRED, Value::Null).unwrap();
        assert!(matches!(refused, Reply::Refused { status: 402, .. }));
    }
}
