//! Where webhooks may go. Operators name any address, and this machine can
//! reach what they cannot; so addresses of private networks and of this machine
//! are refused unless a setting allows them, where they are written and again
//! where a name is resolved, just before the connection: a name that changes
//! its mind in between (DNS rebinding) gains nothing.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::Uri;
use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;

const MAX_URL_CHARS: usize = 500;

/// The rule of this deployment; also what resolves names for the client.
#[derive(Clone, Copy, Debug)]
pub struct Targets {
    /// Also private networks, this machine, and plain HTTP.
    pub private: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTarget {
    #[error(
        "The url must be an address such as https://shop.example/hooks, at most 500 characters long."
    )]
    NotAnAddress,
    #[error("The url must begin with https://, so that nobody on the way reads what is sent.")]
    NotSecret,
    #[error("The url must not hold a user name or password; the signature shows who sends.")]
    Login,
    #[error("The url points into a private network; webhooks go to public addresses only.")]
    Private,
}

impl Targets {
    /// What can be said of an address before a name in it is resolved.
    pub fn check(self, url: &str) -> Result<Uri, BadTarget> {
        let uri: Uri = url.parse().map_err(|_| BadTarget::NotAnAddress)?;
        let authority = uri.authority().ok_or(BadTarget::NotAnAddress)?;
        if url.len() > MAX_URL_CHARS || authority.host().is_empty() {
            return Err(BadTarget::NotAnAddress);
        }
        if authority.as_str().contains('@') {
            return Err(BadTarget::Login);
        }
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if self.private => {}
            Some("http") => return Err(BadTarget::NotSecret),
            _ => return Err(BadTarget::NotAnAddress),
        }
        let host = authority.host().trim_matches(['[', ']']);
        match host.parse() {
            Ok(ip) if !self.may_reach(ip) => Err(BadTarget::Private),
            _ => Ok(uri),
        }
    }

    fn may_reach(self, ip: IpAddr) -> bool {
        self.private || is_public(ip)
    }

    async fn resolve(self, name: Name) -> io::Result<std::vec::IntoIter<SocketAddr>> {
        // The connector puts its own port in place of this one.
        let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
        let may: Vec<_> = found.filter(|at| self.may_reach(at.ip())).collect();
        if may.is_empty() {
            return Err(io::Error::other(
                "its name leads into a private network or nowhere",
            ));
        }
        Ok(may.into_iter())
    }
}

impl Service<Name> for Targets {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        Box::pin(self.resolve(name))
    }
}

fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

/// Everything but what IANA keeps for special purposes.
fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_multicast()
        || ip.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19));
    !special
}

/// Global unicast only, and what carries a v4 address in it by that address.
fn is_public_v6(ip: Ipv6Addr) -> bool {
    if let Some(inside) = ip.to_ipv4_mapped() {
        return is_public_v4(inside);
    }
    let [a, b, ..] = ip.segments();
    let is_global_unicast = a & 0xe000 == 0x2000;
    // Teredo and other protocol assignments, documentation, 6to4.
    let special = (a == 0x2001 && (b < 0x0200 || b == 0x0db8)) || a == 0x2002 || a == 0x3fff;
    is_global_unicast && !special
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const PUBLIC: Targets = Targets { private: false };

    #[test]
    fn private_networks_and_this_machine_are_refused() {
        for ip in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "192.0.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "[::1]",
            "[::]",
            "[fe80::1]",
            "[fd00::1]",
            "[::ffff:127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
            "[2001::1]",
            "[ff02::1]",
        ] {
            let refused = PUBLIC.check(&format!("https://{ip}:8443/x"));
            assert_eq!(refused, Err(BadTarget::Private), "{ip}");
            let all = Targets { private: true };
            assert!(all.check(&format!("http://{ip}/x")).is_ok(), "{ip}");
        }
        for ip in ["8.8.8.8", "172.32.0.1", "[2606:4700::1111]"] {
            assert!(PUBLIC.check(&format!("https://{ip}/x")).is_ok(), "{ip}");
        }
    }

    #[test]
    fn only_addresses_over_tls_without_login_are_taken() {
        assert!(PUBLIC.check("https://shop.example/hooks?id=7").is_ok());
        for (bad, why) in [
            ("http://shop.example/", BadTarget::NotSecret),
            ("https://me:word@shop.example/", BadTarget::Login),
            ("file:///etc/passwd", BadTarget::NotAnAddress),
            ("shop.example", BadTarget::NotAnAddress),
            ("/hooks", BadTarget::NotAnAddress),
        ] {
            assert_eq!(PUBLIC.check(bad), Err(why), "{bad}");
        }
        let long = format!("https://shop.example/{}", "x".repeat(500));
        assert_eq!(PUBLIC.check(&long), Err(BadTarget::NotAnAddress));
    }

    #[tokio::test]
    async fn a_name_that_leads_home_is_not_resolved() {
        let home = || "localhost".parse::<Name>().unwrap();
        assert!(PUBLIC.resolve(home()).await.is_err());
        assert!(Targets { private: true }.resolve(home()).await.is_ok());
    }
}
