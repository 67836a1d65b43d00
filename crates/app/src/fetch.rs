//! Getting a public document over HTTP: bounded in size and time, over TLS or
//! from this machine itself. Redirects are not followed.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Request, Uri};
use usher_base::outgoing::{self, Outgoing};

pub struct Fetcher(Outgoing);

impl Fetcher {
    pub fn new() -> Self {
        Self(outgoing::client())
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
        let request = Request::get(uri).body(Full::default())?;
        let answer = outgoing::ask(&self.0, request, max_bytes, within).await;
        let (status, body) = answer.with_context(|| url.clone())?;
        ensure!(status.is_success(), "{url} answers {status}");
        Ok(body)
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
