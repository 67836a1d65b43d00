//! Settings: one flat table of keys, each documented in `default.toml`.
//!
//! Flat, because then a key, its variable and its place in a file are one name.

mod load;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;
use usher_edge::{CaptchaProvider, Unanswered};

use crate::fetch::checked;
pub use load::{ConfigError, Sources, load};

/// The documented defaults, as `usher config --defaults` prints them.
pub const DEFAULTS: &str = include_str!("default.toml");

/// Keys whose values are never shown; they may also come as `USHER_<KEY>_FILE`.
const SECRETS: &[&str] = &[
    "redis_url",
    "database_url",
    "signing_keys",
    "admin_api_key",
    "stripe_secret_key",
    "stripe_webhook_secret",
    "captcha_secret_key",
];

/// An operator's key shorter than this could be guessed.
const MIN_ADMIN_KEY_CHARS: usize = 24;

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub listen: SocketAddr,
    pub metrics_listen: SocketAddr,
    pub public_url: String,
    pub redis_url: String,
    pub redis_replicated: bool,
    pub database_url: String,
    pub database_connections: u32,
    pub signing_keys: String,
    pub admin_api_key: String,
    pub trusted_proxies: Vec<String>,
    pub drand_servers: Vec<String>,
    pub prometheus_url: String,
    pub joins_per_address_per_minute: u32,
    pub joins_per_network_per_minute: u32,
    pub puzzle_above_joins_per_second: u32,
    pub puzzle_hashes_under_load: u32,
    pub captcha_provider: CaptchaProviderName,
    pub captcha_site_key: String,
    pub captcha_secret_key: String,
    pub captcha_hostnames: Vec<String>,
    pub captcha_unanswered: Unanswered,
    pub captcha_tells_address: bool,
    pub captcha_script_url: String,
    pub captcha_verify_url: String,
    pub requests_per_address_per_minute: u32,
    pub max_streams: usize,
    pub booking_max_in_flight: u32,
    pub booking_service_ms: u32,
    pub drain_seconds: u64,
    pub log_format: LogFormat,
    pub log_filter: String,
    pub payment_provider: PaymentProviderName,
    pub stripe_secret_key: String,
    pub stripe_webhook_secret: String,
    pub stripe_api_base: String,
    pub webhooks_to_private_networks: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Pretty,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PaymentProviderName {
    Test,
    Stripe,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CaptchaProviderName {
    None,
    #[serde(untagged)]
    Some(CaptchaProvider),
}

impl CaptchaProviderName {
    pub const fn provider(self) -> Option<CaptchaProvider> {
        match self {
            Self::None => None,
            Self::Some(provider) => Some(provider),
        }
    }
}

impl Config {
    /// The JWK set itself, read from its file when the key names one.
    pub fn signing_key_set(&self) -> Result<String, ConfigError> {
        let text = self.signing_keys.trim();
        if text.is_empty() {
            return Err(ConfigError::Missing {
                key: "signing_keys",
                remedy: "make one with `usher keys > keys.json` and set USHER_SIGNING_KEYS=keys.json",
            });
        }
        if text.starts_with('{') {
            return Ok(text.to_owned());
        }
        let path = PathBuf::from(text);
        std::fs::read_to_string(&path).map_err(|error| ConfigError::Unreadable { path, error })
    }

    /// What holds across keys, or that a type cannot say.
    fn validate(&self) -> Result<(), ConfigError> {
        let refuse = |key, problem| Err(ConfigError::Invalid { key, problem });
        if !self.public_url.starts_with("http://") && !self.public_url.starts_with("https://") {
            return refuse("public_url", "it must begin with http:// or https://");
        }
        if self.public_url.ends_with('/') {
            return refuse("public_url", "leave out the / at its end");
        }
        if !self.prometheus_url.is_empty() && !is_plain_address(&self.prometheus_url) {
            return refuse(
                "prometheus_url",
                "it must be http://host:port or https://host, perhaps with a path, and nothing else",
            );
        }
        // Restoring Redis needs one beside the one that holds its lock.
        if !(2..=500).contains(&self.database_connections) {
            return refuse("database_connections", "it must be from 2 to 500");
        }
        if !(4..=100_000).contains(&self.booking_max_in_flight) {
            return refuse("booking_max_in_flight", "it must be from 4 to 100000");
        }
        if !(1..=60_000).contains(&self.booking_service_ms) {
            return refuse("booking_service_ms", "it must be from 1 to 60000");
        }
        if self.puzzle_hashes_under_load > 5_000_000 {
            return refuse("puzzle_hashes_under_load", "it must be at most 5000000");
        }
        if self.drain_seconds > 600 {
            return refuse("drain_seconds", "it must be at most 600");
        }
        if !self.admin_api_key.is_empty() && self.admin_api_key.len() < MIN_ADMIN_KEY_CHARS {
            return refuse("admin_api_key", "it must have at least 24 characters");
        }
        self.validate_captcha()?;
        if self.payment_provider == PaymentProviderName::Stripe && self.stripe_secret_key.is_empty()
        {
            return refuse(
                "stripe_secret_key",
                "payment_provider is stripe, which needs it",
            );
        }
        Ok(())
    }
}

impl Config {
    fn validate_captcha(&self) -> Result<(), ConfigError> {
        let refuse = |key, problem| Err(ConfigError::Invalid { key, problem });
        for (key, url) in [
            ("captcha_script_url", &self.captcha_script_url),
            ("captcha_verify_url", &self.captcha_verify_url),
        ] {
            // The secret goes to one, and what comes from the other runs in the page.
            if !url.is_empty() && (!is_plain_address(url) || checked(url).is_err()) {
                return refuse(
                    key,
                    "it must be https://host and a path (http:// only on this machine), and nothing else",
                );
            }
        }
        if self.captcha_provider.provider().is_none() {
            return Ok(());
        }
        if self.captcha_site_key.is_empty() {
            return refuse("captcha_site_key", "captcha_provider needs it");
        }
        if self.captcha_secret_key.is_empty() {
            return refuse("captcha_secret_key", "captcha_provider needs it");
        }
        Ok(())
    }

    /// Where a CAPTCHA may have been solved.
    pub fn captcha_hosts(&self) -> Vec<String> {
        if !self.captcha_hostnames.is_empty() {
            return self.captcha_hostnames.clone();
        }
        let public = self.public_url.parse::<hyper::Uri>();
        let host = public.ok().and_then(|uri| uri.host().map(str::to_owned));
        host.into_iter().collect()
    }
}

/// An address without anything that could be read in two ways: no user, query or
/// fragment, no slash at its end.
fn is_plain_address(url: &str) -> bool {
    let has_scheme = url.starts_with("http://") || url.starts_with("https://");
    let is_odd = |c: char| c.is_control() || c.is_whitespace() || "@?#\\".contains(c);
    let parsed = url.parse::<hyper::Uri>();
    has_scheme && !url.contains(is_odd) && !url.ends_with('/') && parsed.is_ok()
}
