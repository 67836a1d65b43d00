//! Reading, making and publishing JWK sets of Ed25519 keys (RFC 8037).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use rand::Rng;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Key, Private};

/// Keys a set may hold: one signs, the rest wait for their tokens to expire.
const MAX_KEYS: usize = 16;
const MAX_KID_CHARS: usize = 64;

/// Why a JWK set cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("the signing keys are not a JWK set: {0}")]
    NotASet(String),
    #[error("a signing key is malformed: {0}")]
    Malformed(&'static str),
    #[error("the first signing key has no private half (\"d\"), so nothing can be signed")]
    NoPrivate,
}

#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: String,
    kid: String,
    x: String,
    d: Option<String>,
}

pub(super) fn parse(json: &str) -> Result<Vec<Key>, KeyError> {
    let set: JwkSet = serde_json::from_str(json).map_err(|e| KeyError::NotASet(e.to_string()))?;
    if set.keys.is_empty() || set.keys.len() > MAX_KEYS {
        return Err(KeyError::Malformed("a set holds 1 to 16 keys"));
    }
    let keys = set.keys.into_iter().map(parse_key);
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    if keys[0].private.is_none() {
        return Err(KeyError::NoPrivate);
    }
    Ok(keys)
}

fn parse_key(jwk: Jwk) -> Result<Key, KeyError> {
    if jwk.kty != "OKP" || jwk.crv != "Ed25519" {
        return Err(KeyError::Malformed(
            "only kty OKP, crv Ed25519 is supported",
        ));
    }
    if jwk.kid.is_empty() || jwk.kid.len() > MAX_KID_CHARS {
        return Err(KeyError::Malformed("kid must have 1 to 64 characters"));
    }
    let public: [u8; 32] = decode(&jwk.x, "x is not base64url")?
        .try_into()
        .map_err(|_| KeyError::Malformed("x is not a 32-byte public key"))?;
    let private = match jwk.d {
        Some(seed) => Some(Private::new(
            &decode(&seed, "d is not base64url")?,
            &jwk.kid,
        )?),
        None => None,
    };
    if private.as_ref().is_some_and(|p| p.public() != public) {
        return Err(KeyError::Malformed("d and x are not halves of one key"));
    }
    Ok(Key {
        kid: jwk.kid,
        public,
        private,
        decoding: DecodingKey::from_ed_der(&public),
    })
}

fn decode(text: &str, otherwise: &'static str) -> Result<Vec<u8>, KeyError> {
    URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| KeyError::Malformed(otherwise))
}

pub(super) fn public_jwk(key: &Key) -> Value {
    json!({
        "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA",
        "kid": key.kid, "x": URL_SAFE_NO_PAD.encode(key.public),
    })
}

/// A fresh set with one key, as `usher keys` prints it.
pub fn generate_jwk_set(rng: &mut impl Rng) -> String {
    let mut seed = [0; 32];
    rng.fill_bytes(&mut seed);
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("a seed is any 32 bytes");
    let public = URL_SAFE_NO_PAD.encode(pair.public_key());
    let set = json!({ "keys": [{
        "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA",
        "kid": public[..8], "x": public, "d": URL_SAFE_NO_PAD.encode(seed),
    }]});
    set.to_string()
}
