//! One delivery over HTTP: a signed POST, bounded in what it reads. Redirects
//! are not followed; they would lead where nobody checked.

use std::error::Error;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use usher_base::{Timestamp, outgoing};

use super::signature::sign;
use super::{BadTarget, Endpoint, Targets};
use crate::pg::store::StoredEvent;

/// Of an endpoint's fault, as operators are shown it.
const MAX_REASON_CHARS: usize = 200;
const SENDER: &str = concat!("usher/", env!("CARGO_PKG_VERSION"));

pub struct Client {
    http: legacy::Client<HttpsConnector<HttpConnector<Targets>>, Full<Bytes>>,
    targets: Targets,
}

/// Why an endpoint has not taken a delivery.
#[derive(Debug, thiserror::Error)]
pub enum Undelivered {
    #[error(transparent)]
    Target(#[from] BadTarget),
    #[error("it answered {0}")]
    Refused(StatusCode),
    #[error("it did not answer within {0:?}")]
    Silent(Duration),
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
}

impl Client {
    pub fn new(targets: Targets) -> Self {
        let connector = outgoing::connector(HttpConnector::new_with_resolver(targets));
        Self {
            http: legacy::Client::builder(TokioExecutor::new()).build(connector),
            targets,
        }
    }

    /// Taken: any answer 2xx, whose body is not read.
    pub async fn post(
        &self,
        endpoint: &Endpoint,
        event: &StoredEvent,
        now: Timestamp,
    ) -> Result<(), Undelivered> {
        // Again, because the setting may have changed since it was made.
        let uri = self.targets.check(&endpoint.url)?;
        let body = serde_json::to_vec(event).expect("an event of the store is plain data");
        let request = Request::post(uri)
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, SENDER)
            .header("usher-delivery", event.id)
            .header("usher-signature", sign(&endpoint.secret, &body, now))
            .body(Full::new(Bytes::from(body)))
            .expect("a checked address and headers of our own make a request");
        let answer = self.http.request(request).await;
        match answer.map(|answer| answer.status()) {
            Ok(status) if status.is_success() => Ok(()),
            Ok(status) => Err(Undelivered::Refused(status)),
            Err(error) => Err(Undelivered::Unreachable(reason(&error))),
        }
    }
}

/// The innermost cause, which names what happened and not where.
fn reason(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string().chars().take(MAX_REASON_CHARS).collect()
}
