//! What a shop says of its customer: a JWT that the shop signed with its own key.
//! Which algorithm a key may be used with follows from the key, never from the
//! token, so that no token can choose a weaker one.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::Value;

use super::provider;
use super::token::{CLOCK_SKEW_SECONDS, decode_error, header_error};
use crate::Timestamp;

/// A longer text is not looked into; an RS256 signature of 4096 bits is 683 of them.
pub const MAX_ASSERTION_BYTES: usize = 4_096;
/// A shop changes its key by naming two for a while.
const MAX_SHOP_KEYS: usize = 8;
const MAX_SUBJECT_BYTES: usize = 255;
/// An assertion says who somebody is now: one that is good for longer is refused.
const MAX_LIFETIME_SECONDS: i64 = 24 * 3_600;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShopKeyError {
    #[error("the shop's keys are no JWK, JWK set or PEM public key")]
    Unreadable,
    #[error(
        "a shop's key must be RSA (RS256, 2048 bits or more), P-256 (ES256) or Ed25519 (EdDSA)"
    )]
    Unsupported,
    #[error("a shop has 1 to {MAX_SHOP_KEYS} keys")]
    Count,
}

/// Why an assertion was refused, each with a code of its own in the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssertionError {
    #[error("the shop's assertion cannot be read")]
    Malformed,
    #[error("the shop's assertion names an algorithm that its key is not for")]
    Algorithm,
    #[error("the shop's assertion names a key that this event does not know")]
    UnknownKey,
    #[error("the signature of the shop's assertion is not valid")]
    Signature,
    #[error("the shop's assertion has expired; go back to the shop and come again")]
    Expired,
    #[error("the shop's assertion is not valid yet; the shop's clock may be ahead")]
    NotYet,
    #[error("the shop's assertion is for another event")]
    WrongAudience,
    #[error("the shop's assertion must end within a day of now")]
    TooLong,
    #[error("the shop's assertion needs a `sub` of 1 to {MAX_SUBJECT_BYTES} bytes")]
    Subject,
}

impl AssertionError {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Malformed => "assertion_malformed",
            Self::Algorithm => "assertion_algorithm",
            Self::UnknownKey => "assertion_unknown_key",
            Self::Signature => "assertion_signature",
            Self::Expired => "assertion_expired",
            Self::NotYet => "assertion_not_yet_valid",
            Self::WrongAudience => "assertion_wrong_event",
            Self::TooLong => "assertion_too_long",
            Self::Subject => "assertion_subject",
        }
    }
}

struct ShopKey {
    kid: Option<String>,
    algorithm: Algorithm,
    decoding: DecodingKey,
}

/// The public keys of one shop.
pub struct ShopKeys(Vec<ShopKey>);

#[derive(Deserialize)]
struct Claims {
    sub: Option<String>,
    aud: Option<Value>,
    exp: Option<i64>,
    nbf: Option<i64>,
    iat: Option<i64>,
}

impl ShopKeys {
    /// From a JWK set, a single JWK, or one public key as PEM.
    pub fn parse(text: &str) -> Result<Self, ShopKeyError> {
        provider::install();
        let text = text.trim();
        let keys = if text.starts_with("-----BEGIN") {
            vec![from_pem(text.as_bytes())?]
        } else {
            let json: Value = serde_json::from_str(text).map_err(|_| ShopKeyError::Unreadable)?;
            let keys = match json.get("keys").and_then(Value::as_array) {
                Some(keys) => keys.clone(),
                None => vec![json],
            };
            keys.into_iter().map(from_jwk).collect::<Result<_, _>>()?
        };
        if !(1..=MAX_SHOP_KEYS).contains(&keys.len()) {
            return Err(ShopKeyError::Count);
        }
        Ok(Self(keys))
    }

    /// The subject of an assertion for `audience` that one of these keys signed.
    pub fn subject(
        &self,
        assertion: &str,
        audience: &str,
        now: Timestamp,
    ) -> Result<String, AssertionError> {
        if assertion.len() > MAX_ASSERTION_BYTES {
            return Err(AssertionError::Malformed);
        }
        let header = decode_header(assertion).map_err(|e| refused(header_error(&e)))?;
        let named = |key: &&ShopKey| header.kid.is_none() || key.kid == header.kid;
        let mut candidates = self.0.iter().filter(named).peekable();
        if candidates.peek().is_none() {
            return Err(AssertionError::UnknownKey);
        }
        let mut last = AssertionError::Algorithm;
        for key in candidates.filter(|key| key.algorithm == header.alg) {
            match decode::<Claims>(assertion, &key.decoding, &signature_only(key.algorithm)) {
                Ok(data) => return judge(data.claims, audience, now),
                Err(error) => last = refused(decode_error(&error)),
            }
        }
        Err(last)
    }
}

fn judge(claims: Claims, audience: &str, now: Timestamp) -> Result<String, AssertionError> {
    let is_for_us = match &claims.aud {
        Some(Value::String(aud)) => aud == audience,
        Some(Value::Array(all)) => all.iter().any(|aud| aud == audience),
        _ => false,
    };
    if !is_for_us {
        return Err(AssertionError::WrongAudience);
    }
    let exp = claims.exp.ok_or(AssertionError::Malformed)?;
    let now = now.seconds();
    if exp.saturating_add(CLOCK_SKEW_SECONDS) <= now {
        return Err(AssertionError::Expired);
    }
    let begins = claims.nbf.into_iter().chain(claims.iat).max();
    if begins.is_some_and(|begins| begins > now.saturating_add(CLOCK_SKEW_SECONDS)) {
        return Err(AssertionError::NotYet);
    }
    if exp > now.saturating_add(MAX_LIFETIME_SECONDS) {
        return Err(AssertionError::TooLong);
    }
    let subject = claims.sub.unwrap_or_default();
    let fits = (1..=MAX_SUBJECT_BYTES).contains(&subject.len());
    fits.then_some(subject).ok_or(AssertionError::Subject)
}

fn from_jwk(json: Value) -> Result<ShopKey, ShopKeyError> {
    let jwk: Jwk = serde_json::from_value(json).map_err(|_| ShopKeyError::Unreadable)?;
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => Algorithm::RS256,
        AlgorithmParameters::EllipticCurve(of) if of.curve == EllipticCurve::P256 => {
            Algorithm::ES256
        }
        AlgorithmParameters::OctetKeyPair(of) if of.curve == EllipticCurve::Ed25519 => {
            Algorithm::EdDSA
        }
        _ => return Err(ShopKeyError::Unsupported),
    };
    let decoding = DecodingKey::from_jwk(&jwk).map_err(|_| ShopKeyError::Unreadable)?;
    Ok(ShopKey {
        kid: jwk.common.key_id,
        algorithm,
        decoding,
    })
}

fn from_pem(pem: &[u8]) -> Result<ShopKey, ShopKeyError> {
    let read = [
        (Algorithm::RS256, DecodingKey::from_rsa_pem(pem)),
        (Algorithm::ES256, DecodingKey::from_ec_pem(pem)),
        (Algorithm::EdDSA, DecodingKey::from_ed_pem(pem)),
    ];
    let found = read.into_iter().find_map(|(algorithm, key)| {
        key.ok().map(|decoding| ShopKey {
            kid: None,
            algorithm,
            decoding,
        })
    });
    found.ok_or(ShopKeyError::Unsupported)
}

/// Lifetime and audience are judged here, by our own clock.
fn signature_only(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    validation
}

fn refused(error: super::TokenError) -> AssertionError {
    match error {
        super::TokenError::Algorithm => AssertionError::Algorithm,
        super::TokenError::Signature => AssertionError::Signature,
        _ => AssertionError::Malformed,
    }
}

#[cfg(test)]
mod tests;
