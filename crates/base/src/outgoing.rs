//! Asking other services over HTTP (Stripe, CAPTCHAs, fetched documents; outgoing webhooks
//! resolve names themselves): TLS with ring, answers
//! bounded in size and time, redirects not followed, forms as browsers send them.

use std::fmt::Write as _;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

pub type Outgoing = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

pub fn client() -> Outgoing {
    Client::builder(TokioExecutor::new()).build(connector(HttpConnector::new()))
}

/// Connections to anywhere, over TLS or plain; which of both may be is the caller's matter.
pub fn connector<R>(mut tcp: HttpConnector<R>) -> HttpsConnector<HttpConnector<R>> {
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    HttpsConnectorBuilder::new()
        .with_webpki_roots()
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp)
}

/// Why there is no answer. None of it names what was sent.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    #[error("it did not answer within {0:?}")]
    Late(Duration),
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    #[error("its answer cannot be read to its end: {0}")]
    Unreadable(String),
}

/// The answer's status and body of at most `max_bytes`, if it comes `within`.
pub async fn ask(
    client: &Outgoing,
    request: Request<Full<Bytes>>,
    max_bytes: usize,
    within: Duration,
) -> Result<(StatusCode, Bytes), NoAnswer> {
    let asking = async {
        let answer = client.request(request).await;
        let answer = answer.map_err(|error| NoAnswer::Unreachable(causes(&error)))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), max_bytes).collect().await;
        match body {
            Ok(body) => Ok((status, body.to_bytes())),
            Err(error) => Err(NoAnswer::Unreadable(causes(error.as_ref()))),
        }
    };
    let answer = tokio::time::timeout(within, asking).await;
    answer.unwrap_or(Err(NoAnswer::Late(within)))
}

/// An error and what caused it, as one text.
pub fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a String cannot fail.
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

/// application/x-www-form-urlencoded.
pub fn form(pairs: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        if !text.is_empty() {
            text.push('&');
        }
        escape(name, &mut text);
        text.push('=');
        escape(value, &mut text);
    }
    text
}

fn escape(part: &str, text: &mut String) {
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::form;

    #[test]
    fn forms_carry_anything() {
        let pairs = [("metadata[order_id]", "a b&c=ü"), ("x", "1.5-_~")];
        assert_eq!(
            form(&pairs),
            "metadata%5Border_id%5D=a%20b%26c%3D%C3%BC&x=1.5-_~"
        );
    }
}
