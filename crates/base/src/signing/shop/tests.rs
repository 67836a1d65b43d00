//! Assertions as shops sign them, with each kind of key, and each way to be wrong.
#![allow(clippy::unwrap_used)]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use serde_json::{Value, json};

use super::*;

const EVENT: &str = "018f0000-0000-7000-8000-000000000001";
const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn ed25519() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

fn ed25519_jwk(kid: &str) -> Value {
    let x = URL_SAFE_NO_PAD.encode(ed25519().public_key());
    json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x })
}

fn set(keys: Value) -> ShopKeys {
    ShopKeys::parse(&json!({ "keys": keys }).to_string()).unwrap()
}

fn claims() -> Value {
    json!({ "sub": "customer-4711", "aud": EVENT, "exp": 1_800_000_300 })
}

fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    format!("{}.{}", part(header), part(claims))
}

fn signed(header: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let text = unsigned(header, claims);
    let signature = URL_SAFE_NO_PAD.encode(sign(text.as_bytes()));
    format!("{text}.{signature}")
}

fn by_ed25519(header: &Value, claims: &Value) -> String {
    signed(header, claims, |text| {
        ed25519().sign(text).as_ref().to_vec()
    })
}

fn judged(keys: &ShopKeys, assertion: &str) -> Result<String, AssertionError> {
    keys.subject(assertion, EVENT, NOW)
}

#[test]
fn the_subject_of_a_good_assertion_is_told() {
    let keys = set(json!([ed25519_jwk("old"), ed25519_jwk("new")]));
    for header in [
        json!({ "alg": "EdDSA" }),
        json!({ "alg": "EdDSA", "kid": "new" }),
    ] {
        let assertion = by_ed25519(&header, &claims());
        assert_eq!(judged(&keys, &assertion).unwrap(), "customer-4711");
    }
    let several =
        json!({ "sub": "a", "aud": ["other", EVENT], "exp": 1_800_000_300, "iat": 1_800_000_004 });
    let assertion = by_ed25519(&json!({ "alg": "EdDSA" }), &several);
    assert_eq!(judged(&keys, &assertion).unwrap(), "a");
}

#[test]
fn elliptic_and_rsa_keys_verify_what_they_signed() {
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap();
    let point = pair.public_key().as_ref();
    let keys = set(json!([{
        "kty": "EC", "crv": "P-256",
        "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..]),
    }]));
    let sign = |text: &[u8]| pair.sign(&random, text).unwrap().as_ref().to_vec();
    let assertion = signed(&json!({ "alg": "ES256" }), &claims(), sign);
    assert_eq!(judged(&keys, &assertion).unwrap(), "customer-4711");

    // Made once with OpenSSL; the private key was not kept.
    let keys = ShopKeys::parse(include_str!("testdata/shop_rsa.pem")).unwrap();
    let assertion = include_str!("testdata/shop_rs256.jwt").trim();
    assert_eq!(judged(&keys, assertion).unwrap(), "customer-4711");
    let jwk = ShopKeys::parse(include_str!("testdata/shop_rsa.jwk")).unwrap();
    assert_eq!(judged(&jwk, assertion).unwrap(), "customer-4711");
    let ed = ShopKeys::parse(include_str!("testdata/shop_ed25519.pem")).unwrap();
    assert_eq!(judged(&ed, assertion), Err(AssertionError::Algorithm));
}

#[test]
fn each_wrong_assertion_has_its_own_reason() {
    use AssertionError as E;
    let keys = set(json!([ed25519_jwk("one")]));
    let header = json!({ "alg": "EdDSA", "kid": "one" });
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        by_ed25519(&header, &claims)
    };
    let good = by_ed25519(&header, &claims());
    let none = format!("{}.", unsigned(&json!({ "alg": "none" }), &claims()));
    let other_key = by_ed25519(&json!({ "alg": "EdDSA", "kid": "two" }), &claims());
    // A public key taken as a shared secret: the classic confusion.
    let shared = by_ed25519(&json!({ "alg": "HS256", "kid": "one" }), &claims());
    for (assertion, error) in [
        (with("exp", json!(1_799_999_995)), E::Expired),
        (with("exp", Value::Null), E::Malformed),
        (with("exp", json!(1_800_086_401)), E::TooLong),
        (with("nbf", json!(1_800_000_006)), E::NotYet),
        (with("aud", json!("another-event")), E::WrongAudience),
        (with("aud", Value::Null), E::WrongAudience),
        (with("sub", json!("")), E::Subject),
        (with("sub", json!("x".repeat(256))), E::Subject),
        (none, E::Algorithm),
        (shared, E::Algorithm),
        (other_key, E::UnknownKey),
        (good.replace("eyJhdWQ", "eyJhdWE"), E::Signature),
        ("no.token".to_owned(), E::Malformed),
        ("x".repeat(MAX_ASSERTION_BYTES + 1), E::Malformed),
    ] {
        assert_eq!(judged(&keys, &assertion), Err(error), "{assertion}");
    }
    assert!(judged(&keys, &good).is_ok());
}

#[test]
fn only_keys_that_can_be_trusted_are_taken() {
    let many: Vec<Value> = (0..9).map(|n| ed25519_jwk(&n.to_string())).collect();
    for (text, error) in [
        ("no key".to_owned(), ShopKeyError::Unreadable),
        (json!({ "keys": [] }).to_string(), ShopKeyError::Count),
        (json!({ "keys": many }).to_string(), ShopKeyError::Count),
        (
            json!({ "kty": "oct", "k": "c2VjcmV0" }).to_string(),
            ShopKeyError::Unsupported,
        ),
        (
            "-----BEGIN PUBLIC KEY-----\n".to_owned(),
            ShopKeyError::Unsupported,
        ),
    ] {
        assert_eq!(ShopKeys::parse(&text).err(), Some(error), "{text}");
    }
}
