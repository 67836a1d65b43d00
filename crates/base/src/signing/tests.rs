//! Each way a token can be wrong is refused with its own code; cookies and
//! signatures hold; keys rotate without logging anybody out.
#![allow(clippy::unwrap_used)]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::*;
use crate::Timestamp;

const NOW: Timestamp = Timestamp::from_millis(1_795_255_200_000);
const LATER: Timestamp = Timestamp::from_millis(1_795_255_260_000);
const TO_A: Expected<'_> = Expected {
    typ: "queue",
    audience: "event-a",
};

fn keys(seed: u64) -> SigningKeys {
    let set = generate_jwk_set(&mut StdRng::seed_from_u64(seed));
    SigningKeys::from_jwk_set(&set, "https://usher.example").unwrap()
}

fn token(keys: &SigningKeys) -> String {
    let mut rng = StdRng::seed_from_u64(1);
    keys.sign_token(TO_A, &json!({ "sub": "fan" }), NOW, LATER, &mut rng)
}

fn verify(keys: &SigningKeys, token: &str) -> Result<Value, TokenError> {
    keys.verify_token(token, TO_A, NOW)
}

fn with_part(token: &str, part: usize, text: &str) -> String {
    let mut parts: Vec<_> = token.split('.').map(str::to_owned).collect();
    parts[part] = URL_SAFE_NO_PAD.encode(text);
    parts.join(".")
}

#[test]
fn a_good_token_is_taken() {
    let keys = keys(1);
    let claims = verify(&keys, &token(&keys)).unwrap();
    assert_eq!(claims["sub"], "fan");
}

#[test]
fn each_fault_has_its_own_code() {
    let keys_a = keys(1);
    let good = token(&keys_a);
    let none = with_part(&good, 0, r#"{"alg":"none","typ":"JWT"}"#);
    let hs256 = with_part(&good, 0, r#"{"alg":"HS256","typ":"JWT","kid":"x"}"#);
    let stranger = with_part(&good, 0, r#"{"alg":"EdDSA","typ":"JWT","kid":"x"}"#);
    let forged = with_part(&good, 1, r#"{"sub":"me"}"#);
    let cases = [
        ("a.b.c".to_owned(), TokenError::Malformed),
        ("x".repeat(5_000), TokenError::Malformed),
        (none, TokenError::Algorithm),
        (hs256, TokenError::Algorithm),
        (stranger, TokenError::UnknownKey),
        (forged, TokenError::Signature),
        (token(&keys(2)), TokenError::UnknownKey),
    ];
    for (text, error) in cases {
        assert_eq!(verify(&keys_a, &text), Err(error), "{text}");
    }
}

#[test]
fn kind_audience_and_lifetime_are_judged() {
    let keys = keys(1);
    let good = token(&keys);
    let check = |typ, audience, now| {
        let expected = Expected { typ, audience };
        keys.verify_token::<Value>(&good, expected, now).map(drop)
    };
    let hour = std::time::Duration::from_secs(3600);
    let early = Timestamp::from_millis(NOW.millis() - 60_000);
    assert_eq!(check("queue", "event-a", LATER), Ok(()));
    assert_eq!(check("access", "event-a", NOW), Err(TokenError::WrongType));
    assert_eq!(
        check("queue", "event-b", NOW),
        Err(TokenError::WrongAudience)
    );
    assert_eq!(
        check("queue", "event-a", NOW.plus(hour)),
        Err(TokenError::Expired)
    );
    assert_eq!(check("queue", "event-a", early), Err(TokenError::NotYet));
}

#[test]
fn a_rotated_key_still_verifies_what_it_signed() {
    let mut rng = StdRng::seed_from_u64(1);
    let old: Value = serde_json::from_str(&generate_jwk_set(&mut rng)).unwrap();
    let new: Value = serde_json::from_str(&generate_jwk_set(&mut rng)).unwrap();
    let both = json!({ "keys": [new["keys"][0], old["keys"][0]] }).to_string();
    let issuer = "https://usher.example";
    let before = SigningKeys::from_jwk_set(&old.to_string(), issuer).unwrap();
    let after = SigningKeys::from_jwk_set(&both, issuer).unwrap();
    assert!(verify(&after, &token(&before)).is_ok());
    assert_eq!(verify(&before, &token(&after)), Err(TokenError::UnknownKey));
    let cookie = before.seal_cookie("fan", "abc");
    assert_eq!(after.open_cookie("fan", &cookie), Some("abc"));
}

#[test]
fn the_public_set_holds_no_private_half() {
    let text = keys(1).public_jwk_set().to_string();
    assert!(!text.contains("\"d\""), "{text}");
}

#[test]
fn a_set_that_cannot_sign_is_refused() {
    let public = keys(1).public_jwk_set().to_string();
    let refused = SigningKeys::from_jwk_set(&public, "x").err();
    assert_eq!(refused, Some(KeyError::NoPrivate));
}

#[test]
fn cookies_of_another_purpose_are_not_opened() {
    let keys = keys(1);
    let cookie = keys.seal_cookie("fan", "abc");
    assert_eq!(keys.open_cookie("fan", &cookie), Some("abc"));
    assert_eq!(keys.open_cookie("console", &cookie), None);
    assert_eq!(keys.open_cookie("fan", &cookie.replace("abc", "abd")), None);
}

#[test]
fn remembered_tokens_still_expire() {
    let keys = keys(1);
    let memory = VerifiedTokens::<Value>::new(2, 30);
    let good = token(&keys);
    let at = |seconds| NOW.plus(std::time::Duration::from_secs(seconds));
    assert!(memory.verify(&keys, &good, TO_A, at(0)).is_ok());
    assert!(memory.verify(&keys, &good, TO_A, at(29)).is_ok());
    let late = memory.verify(&keys, &good, TO_A, at(90));
    assert_eq!(late, Err(TokenError::Expired));
}

#[test]
fn a_token_signed_here_is_known_without_a_check() {
    let memory = VerifiedTokens::<Value>::new(2, 30);
    let at = |seconds| NOW.plus(std::time::Duration::from_secs(seconds));
    let mut rng = StdRng::seed_from_u64(9);
    let good = memory.issue(&keys(1), json!({"sub": "a"}), TO_A, at(0)..at(60), &mut rng);
    // Nobody but the memory could tell with the keys of another deployment.
    let stranger = keys(2);
    let known = memory.verify(&stranger, &good, TO_A, at(29));
    assert_eq!(known, Ok(json!({"sub": "a"})));
    let audience = "event-b";
    let elsewhere = Expected { audience, ..TO_A };
    assert!(memory.verify(&stranger, &good, elsewhere, at(29)).is_err());
    let anew = memory.verify(&keys(1), &good, TO_A, at(31));
    assert_eq!(anew, Ok(json!({"sub": "a"})));
}

proptest! {
    #[test]
    fn any_text_is_refused_without_a_panic(text in ".{0,200}") {
        prop_assert!(verify(&keys(1), &text).is_err());
    }

    #[test]
    fn any_changed_character_is_noticed(at in 0usize..300, with in "[A-Za-z0-9_-]") {
        let keys = keys(1);
        let good = token(&keys);
        let at = at % good.len();
        let mut bad = good.clone();
        bad.replace_range(at..=at, &with);
        // The last character of a part carries unused bits; those must be refused too.
        prop_assert!(bad == good || verify(&keys, &bad).is_err());
    }
}
