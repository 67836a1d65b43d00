//! Getting a public document over HTTP: bounded in size and time, over TLS or
//! from this machine itself. Redirects are not followed.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::Uri;
use hyper::body::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

pub struct Fetcher(Client<HttpsConnector<HttpConnector>, Empty<Bytes>>);

impl Fetcher {
    pub fn new() -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_webpki_roots()
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        Self(Client::builder(TokioExecutor::new()).build(connector))
    }

    /// The body of a document of at most `max_bytes`, if it comes `within`.
    pub async fn get(
        &self,
        url: &str,
        max_bytes: usize,
        within: Duration,
    ) -> anyhow::Result<Bytes> {
        self.fetch(checked(url)?, max_bytes, within).await
    }

    /// The same of an address that stands in the settings: whether the way to it is
    /// safe is for whoever set it.
    pub async fn get_as_configured(
        &self,
        url: &str,
        max_bytes: usize,
        within: Duration,
    ) -> anyhow::Result<Bytes> {
        let uri = url.parse();
        let uri = uri.with_context(|| format!("{url} is no address"))?;
        self.fetch(uri, max_bytes, within).await
    }

    async fn fetch(&self, uri: Uri, max_bytes: usize, within: Duration) -> anyhow::Result<Bytes> {
        let url = uri.to_string();
        let answer = tokio::time::timeout(within, self.body(uri, max_bytes)).await;
        answer.with_context(|| format!("{url} did not answer within {within:?}"))?
    }

    async fn body(&self, uri: Uri, max_bytes: usize) -> anyhow::Result<Bytes> {
        let shown = uri.to_string();
        let answer = self.0.get(uri).await;
        let answer = answer.with_context(|| format!("{shown} cannot be reached"))?;
        let status = answer.status();
        ensure!(status.is_success(), "{shown} answers {status}");
        let body = Limited::new(answer.into_body(), max_bytes).collect().await;
        match body {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) => bail!("{shown} cannot be read to its end: {error}"),
        }
    }
}

/// Whoever sits on the way could change what comes without TLS.
pub fn checked(url: &str) -> anyhow::Result<Uri> {
    let uri: Uri = url
        .parse()
        .with_context(|| format!("{url} is no address"))?;
    let host = uri.host().unwrap_or_default();
    let is_here = matches!(host, "127.0.0.1" | "[::1]" | "localhost");
    let is_safe = match uri.scheme_str() {
        Some("https") => !host.is_empty(),
        Some("http") => is_here,
        _ => false,
    };
    ensure!(
        is_safe,
        "{url} must begin with https:// (http:// only on this machine)"
    );
    Ok(uri)
}

#[cfg(test)]
mod tests {
    use super::checked;

    #[test]
    fn only_tls_or_this_machine_is_asked() {
        for good in [
            "https://a.example/x",
            "http://127.0.0.1:80/x",
            "http://[::1]/",
        ] {
            assert!(checked(good).is_ok(), "{good}");
        }
        for bad in [
            "http://a.example/",
            "http://127.0.0.1.a.example/",
            "file:///x",
            "x",
        ] {
            assert!(checked(bad).is_err(), "{bad}");
        }
    }
}
