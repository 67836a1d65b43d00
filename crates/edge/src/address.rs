//! The address a request truly comes from: the peer's, or, behind proxies that
//! the operator named as trusted, the last address that none of them added.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::http::HeaderMap;
use ipnet::IpNet;

/// Entries of X-Forwarded-For that are looked at; a longer list is a joke.
const MAX_HOPS: usize = 16;
/// A household or phone gets a /64 of IPv6: that is one client.
const IPV6_CLIENT_PREFIX: u32 = 64;
/// What one site or one rented server block has: of IPv6 a /48, of IPv4 a /24.
const IPV6_NETWORK_PREFIX: u32 = 48;
const IPV4_NETWORK_PREFIX: u32 = 24;

#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Networks such as `10.0.0.0/8`, or single addresses.
    pub fn parse(texts: &[String]) -> Result<Self, String> {
        let parse = |text: &String| {
            text.parse::<IpNet>()
                .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
                .map_err(|_| format!("`{text}` is not a network such as 10.0.0.0/8"))
        };
        texts.iter().map(parse).collect::<Result<_, _>>().map(Self)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Walks X-Forwarded-For from its end, where our own proxy wrote, and stops
    /// at the first address that is not one of our proxies.
    pub fn client(&self, peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.ip().to_canonical();
        if !self.trusts(client) {
            return client;
        }
        let header = headers.get_all("x-forwarded-for").iter();
        // A line that is no text ends the walk like a hop that is no address: left out, it
        // would make what the client wrote before it look like our proxy's word.
        let hops: Vec<&str> = header
            .flat_map(|value| value.to_str().unwrap_or_default().split(','))
            .collect();
        for hop in hops.iter().rev().take(MAX_HOPS) {
            let Ok(address) = hop.trim().parse::<IpAddr>() else {
                return client;
            };
            client = address.to_canonical();
            if !self.trusts(client) {
                return client;
            }
        }
        client
    }
}

/// What limits count: the address, or the /64 that an IPv6 client has to itself.
pub fn limit_key(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6(first_of(v6, IPV6_CLIENT_PREFIX)),
    }
}

/// The network that an address belongs to, as its first address.
pub fn network_key(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX << (32 - IPV4_NETWORK_PREFIX);
            IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
        }
        IpAddr::V6(v6) => IpAddr::V6(first_of(v6, IPV6_NETWORK_PREFIX)),
    }
}

fn first_of(address: Ipv6Addr, prefix: u32) -> Ipv6Addr {
    Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << (128 - prefix)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use axum::http::HeaderValue;

    use super::*;

    fn client(trusted: &[&str], peer: &str, forwarded: &str) -> String {
        let trusted: Vec<String> = trusted.iter().map(|t| (*t).to_owned()).collect();
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", forwarded.parse().unwrap());
        let peer = SocketAddr::new(peer.parse().unwrap(), 1);
        let proxies = TrustedProxies::parse(&trusted).unwrap();
        proxies.client(peer, &headers).to_string()
    }

    #[test]
    fn a_stranger_cannot_choose_an_address() {
        assert_eq!(client(&[], "1.2.3.4", "9.9.9.9"), "1.2.3.4");
        assert_eq!(client(&["10.0.0.0/8"], "1.2.3.4", "9.9.9.9"), "1.2.3.4");
    }

    #[test]
    fn a_trusted_proxy_is_believed_only_for_what_it_added() {
        let trusted = ["10.0.0.0/8"];
        assert_eq!(client(&trusted, "10.0.0.1", "9.9.9.9"), "9.9.9.9");
        assert_eq!(
            client(&trusted, "10.0.0.1", "6.6.6.6, 9.9.9.9, 10.0.0.2"),
            "9.9.9.9"
        );
        assert_eq!(client(&trusted, "10.0.0.1", "nonsense"), "10.0.0.1");
    }

    #[test]
    fn nobody_hides_what_a_proxy_added_behind_a_line_that_is_no_text() {
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", "6.6.6.6".parse().unwrap());
        let spoiled = HeaderValue::from_bytes(b"\xff, 9.9.9.9").unwrap();
        headers.append("x-forwarded-for", spoiled);
        let proxies = TrustedProxies::parse(&["10.0.0.0/8".to_owned()]).unwrap();
        let peer = "10.0.0.1:1".parse().unwrap();
        assert_eq!(proxies.client(peer, &headers).to_string(), "10.0.0.1");
    }

    #[test]
    fn neighbours_are_of_one_network() {
        let key = |text: &str| network_key(text.parse().unwrap());
        assert_eq!(key("203.0.113.7"), key("203.0.113.250"));
        assert_ne!(key("203.0.113.7"), key("203.0.114.7"));
        assert_eq!(key("2001:db8:0:1::"), key("2001:db8:0:ffff::"));
        assert_ne!(key("2001:db8:0::"), key("2001:db8:1::"));
    }

    #[test]
    fn ipv6_clients_are_counted_by_their_64() {
        let key = |text: &str| limit_key(text.parse().unwrap());
        assert_eq!(key("2001:db8::1:2"), key("2001:db8::ffff"));
        assert_ne!(key("2001:db8:0:1::"), key("2001:db8:0:2::"));
    }
}
