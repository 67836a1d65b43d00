//! Where requests go: a plain `http://host:port`, resolved once. Only http is
//! spoken; a target behind TLS is rehearsed at the address its proxy speaks to.

use std::net::SocketAddr;

use anyhow::{Context, bail};
use tokio_tungstenite::tungstenite::http::Uri;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub host: String,
    pub port: u16,
    pub address: SocketAddr,
}

impl Origin {
    /// Reads `http://host[:port]` and resolves it.
    pub async fn resolve(url: &str) -> anyhow::Result<Self> {
        let (host, port) = parse(url)?;
        let bare = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let address = tokio::net::lookup_host((bare.as_str(), port))
            .await
            .with_context(|| format!("cannot find the address of {host}; check its spelling"))?
            .next()
            .with_context(|| format!("{host} has no address; check its spelling"))?;
        Ok(Self {
            host,
            port,
            address,
        })
    }

    /// The value of the `Host` header.
    pub fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    pub fn is_loopback(&self) -> bool {
        self.address.ip().is_loopback()
    }
}

fn parse(url: &str) -> anyhow::Result<(String, u16)> {
    let uri: Uri = url
        .parse()
        .with_context(|| format!("{url} is no address; write it like http://127.0.0.1:8080"))?;
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") => {
            bail!(
                "rehearse speaks plain http only; name the address that your TLS proxy forwards to instead of {url}"
            )
        }
        _ => bail!("{url} is no address; write it like http://127.0.0.1:8080"),
    }
    if !matches!(uri.path(), "" | "/") {
        bail!("{url} carries a path; name only scheme, host and port");
    }
    let host = uri.host().context("the address names no host")?;
    Ok((host.to_owned(), uri.port_u16().unwrap_or(80)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_host_and_port_and_nothing_else() {
        assert_eq!(
            parse("http://127.0.0.1:8080").unwrap(),
            ("127.0.0.1".into(), 8080)
        );
        assert_eq!(
            parse("http://tickets.example/").unwrap(),
            ("tickets.example".into(), 80)
        );
        assert_eq!(parse("http://[::1]:9").unwrap(), ("[::1]".into(), 9));
        for wrong in ["https://a", "127.0.0.1:80", "http://a/b", "ftp://a", ""] {
            assert!(parse(wrong).is_err(), "{wrong} was taken");
        }
    }
}
