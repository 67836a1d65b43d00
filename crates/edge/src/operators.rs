//! Who may steer an on-sale: whoever shows an operator's API key, as a bearer
//! token or, once signed in at the console, as a sealed cookie.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use ring::digest::{SHA256, digest};
use subtle::ConstantTimeEq as _;
use usher_base::Timestamp;
use usher_base::signing::SigningKeys;

use crate::cookies;
use crate::error::ApiError;
use crate::state::Edge;

/// A console session lasts one long working day.
pub const CONSOLE_SECONDS: u32 = 12 * 3600;
const PURPOSE: &str = "console";
/// Characters of the key's hash that stand in the audit log in its place.
const KEY_NAME_CHARS: usize = 8;

/// A request that showed a valid key; `name` stands in the audit log.
#[derive(Clone, Debug)]
pub struct Operator {
    pub name: String,
}

/// The key of this deployment's first operator, kept as its hash.
pub struct OperatorKeys {
    hash: Option<[u8; 32]>,
}

impl OperatorKeys {
    /// An empty key means that nobody can sign in.
    pub fn new(api_key: &str) -> Self {
        Self {
            hash: (!api_key.is_empty()).then(|| sha256(api_key)),
        }
    }

    /// Constant-time: hashes of equal length are compared, never the keys.
    pub fn check(&self, shown: &str) -> Option<Operator> {
        let hash = self.hash?;
        bool::from(sha256(shown).ct_eq(&hash)).then(|| self.operator(&hash))
    }

    fn operator(&self, hash: &[u8; 32]) -> Operator {
        let name = &hex::encode(hash)[..KEY_NAME_CHARS];
        Operator {
            name: format!("key {name}"),
        }
    }

    /// The cookie's value after signing in. It dies with the key.
    pub fn session(&self, keys: &SigningKeys, now: Timestamp) -> Option<String> {
        let ends = now.seconds() + i64::from(CONSOLE_SECONDS);
        let value = format!("{ends}-{}", hex::encode(self.hash?));
        // Only a hash of the hash leaves the server.
        let value = format!("{ends}-{}", hex::encode(sha256(&value)));
        Some(keys.seal_cookie(PURPOSE, &value))
    }

    fn check_session(&self, keys: &SigningKeys, cookie: &str, now: Timestamp) -> Option<Operator> {
        let hash = self.hash?;
        let (ends, proof) = keys.open_cookie(PURPOSE, cookie)?.split_once('-')?;
        let expected = hex::encode(sha256(&format!("{ends}-{}", hex::encode(hash))));
        let alive = ends.parse::<i64>().ok()? > now.seconds();
        let genuine = bool::from(proof.as_bytes().ct_eq(expected.as_bytes()));
        (alive && genuine).then(|| self.operator(&hash))
    }

    /// The operator behind a request, by bearer key or console cookie.
    pub fn identify(
        &self,
        headers: &HeaderMap,
        keys: &SigningKeys,
        now: Timestamp,
    ) -> Option<Operator> {
        if let Some(shown) = cookies::bearer(headers) {
            return self.check(shown);
        }
        let cookie = cookies::read(headers, cookies::CONSOLE)?;
        self.check_session(keys, cookie, now)
    }
}

fn sha256(text: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    hash
}

impl FromRequestParts<Arc<Edge>> for Operator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, edge: &Arc<Edge>) -> Result<Self, ApiError> {
        let now = edge.clock.now();
        let found = edge.operators.identify(&parts.headers, &edge.keys, now);
        found.ok_or_else(|| {
            let message = "Sign in at /console, or send an operator's API key as bearer token.";
            ApiError::new(StatusCode::UNAUTHORIZED, "operator_required", message)
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rand::SeedableRng as _;
    use usher_base::signing::generate_jwk_set;

    const KEY: &str = "an-operators-key-of-24-characters";
    const NOW: Timestamp = Timestamp::from_millis(1_795_255_200_000);

    fn signing_keys() -> SigningKeys {
        let set = generate_jwk_set(&mut rand::rngs::StdRng::seed_from_u64(1));
        SigningKeys::from_jwk_set(&set, "x").unwrap()
    }

    #[test]
    fn only_the_right_key_is_taken() {
        assert!(OperatorKeys::new(KEY).check(KEY).is_some());
        assert!(OperatorKeys::new(KEY).check("another").is_none());
        assert!(OperatorKeys::new("").check("").is_none());
    }

    #[test]
    fn a_session_ends_with_its_time_or_with_the_key() {
        let (signing, operators) = (signing_keys(), OperatorKeys::new(KEY));
        let cookie = operators.session(&signing, NOW).unwrap();
        let later = NOW.plus(std::time::Duration::from_secs(13 * 3600));
        assert!(operators.check_session(&signing, &cookie, NOW).is_some());
        assert!(operators.check_session(&signing, &cookie, later).is_none());
        let changed = OperatorKeys::new("another-key-of-24-characters");
        assert!(changed.check_session(&signing, &cookie, NOW).is_none());
    }
}
