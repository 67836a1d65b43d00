//! Signing keys and what is signed with them.
//!
//! Tokens are Ed25519 JWTs with a `kid`, so that any gateway can verify them
//! with the public set at `/.well-known/jwks.json`. The first key of the set
//! signs, all of them verify: a key is rotated by putting a new one in front
//! and taking the old one out once its last token has expired, and nobody is
//! logged out. The same keys sign receipts and tickets (raw bytes), and a MAC
//! key derived from each guards cookies.

mod jwk;
mod provider;
mod shop;
mod token;
mod verified;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

pub use jwk::{KeyError, generate_jwk_set};
pub use shop::{AssertionError, MAX_ASSERTION_BYTES, ShopKeyError, ShopKeys};
pub use token::{Expected, TokenError};
pub use verified::VerifiedTokens;

const COOKIE_KEY_LABEL: &[u8] = b"usher-cookie-1";

/// One key of the set. Without the private half it only verifies.
struct Key {
    kid: String,
    public: [u8; 32],
    private: Option<Private>,
    decoding: jsonwebtoken::DecodingKey,
}

struct Private {
    pair: Ed25519KeyPair,
    cookie: hmac::Key,
    /// `base64url({"alg":"EdDSA",...}) + "."`, the same for every token.
    token_header: String,
}

/// The deployment's keys; the first one signs.
pub struct SigningKeys {
    keys: Vec<Key>,
    issuer: String,
}

impl SigningKeys {
    /// Reads a JWK set (RFC 7517) of Ed25519 keys; the first needs its private half.
    pub fn from_jwk_set(json: &str, issuer: &str) -> Result<Self, KeyError> {
        provider::install();
        let keys = jwk::parse(json)?;
        Ok(Self {
            keys,
            issuer: issuer.to_owned(),
        })
    }

    /// The public halves, as a JWK set.
    pub fn public_jwk_set(&self) -> serde_json::Value {
        let keys: Vec<_> = self.keys.iter().map(jwk::public_jwk).collect();
        serde_json::json!({ "keys": keys })
    }

    /// Signs bytes; the signature travels with the key's id.
    pub fn sign_bytes(&self, bytes: &[u8]) -> (&str, [u8; 64]) {
        let (key, private) = self.signer();
        let mut signature = [0; 64];
        signature.copy_from_slice(private.pair.sign(bytes).as_ref());
        (&key.kid, signature)
    }

    /// The public half of the key named `kid`.
    pub fn public_key(&self, kid: &str) -> Option<&[u8; 32]> {
        let key = self.keys.iter().find(|key| key.kid == kid)?;
        Some(&key.public)
    }

    /// Whether `signature` over `bytes` was made by the key named `kid`.
    pub fn verify_bytes(&self, kid: &str, bytes: &[u8], signature: &[u8]) -> bool {
        self.keys.iter().filter(|key| key.kid == kid).any(|key| {
            UnparsedPublicKey::new(&ED25519, &key.public)
                .verify(bytes, signature)
                .is_ok()
        })
    }

    /// `value.mac`: a cookie that nobody else can make.
    pub fn seal_cookie(&self, purpose: &str, value: &str) -> String {
        let (_, private) = self.signer();
        let tag = hmac::sign(&private.cookie, &cookie_message(purpose, value));
        format!("{value}.{}", URL_SAFE_NO_PAD.encode(tag))
    }

    /// The value of a cookie sealed for `purpose`, if the seal is ours.
    pub fn open_cookie<'c>(&self, purpose: &str, cookie: &'c str) -> Option<&'c str> {
        let (value, tag) = cookie.rsplit_once('.')?;
        let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
        let message = cookie_message(purpose, value);
        self.keys
            .iter()
            .filter_map(|key| key.private.as_ref())
            .any(|private| hmac::verify(&private.cookie, &message, &tag).is_ok())
            .then_some(value)
    }

    fn signer(&self) -> (&Key, &Private) {
        let key = &self.keys[0];
        let private = key.private.as_ref();
        (
            key,
            private.expect("parse() refuses a set whose first key cannot sign"),
        )
    }
}

/// Length before text, so that no purpose and value can pass for another pair.
fn cookie_message(purpose: &str, value: &str) -> Vec<u8> {
    let mut message = (purpose.len() as u64).to_be_bytes().to_vec();
    message.extend_from_slice(purpose.as_bytes());
    message.extend_from_slice(value.as_bytes());
    message
}

impl Private {
    fn new(seed: &[u8], kid: &str) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed)
            .map_err(|_| KeyError::Malformed("d is not a 32-byte Ed25519 seed"))?;
        let master = hmac::Key::new(hmac::HMAC_SHA256, seed);
        let cookie = hmac::Key::new(
            hmac::HMAC_SHA256,
            hmac::sign(&master, COOKIE_KEY_LABEL).as_ref(),
        );
        let header = serde_json::json!({ "alg": "EdDSA", "typ": "JWT", "kid": kid });
        Ok(Self {
            pair,
            cookie,
            token_header: format!("{}.", URL_SAFE_NO_PAD.encode(header.to_string())),
        })
    }

    fn public(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }
}

#[cfg(test)]
mod tests;
