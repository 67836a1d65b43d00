//! Whatever is shown as a token: it is refused, or it is one of ours and reads back
//! the same. The first byte chooses what the rest is: the token itself, or claims under
//! a true signature, so that the parser behind the signature is reached as well.
#![no_main]

use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use usher_base::signing::{SigningKeys, generate_jwk_set};
use usher_base::{EventId, Timestamp};
use usher_queue::{AccessClaims, QueueClaims, Tokens, TransferGrant};

const NOW: Timestamp = Timestamp::from_millis(1_795_255_200_000);
static KEYS: LazyLock<Arc<SigningKeys>> = LazyLock::new(|| {
    let set = generate_jwk_set(&mut StdRng::seed_from_u64(1));
    let keys = SigningKeys::from_jwk_set(&set, "https://usher.example");
    Arc::new(keys.expect("a set that was just made"))
});
static TOKENS: LazyLock<Tokens> = LazyLock::new(|| Tokens::new(Arc::clone(&KEYS)));
/// Another process of the same deployment, which has to check what it did not sign.
static OTHER: LazyLock<Tokens> = LazyLock::new(|| Tokens::new(Arc::clone(&KEYS)));
static EVENT: LazyLock<EventId> = LazyLock::new(|| {
    let id = "01a1fd9f-1b80-7000-8000-000000000000";
    id.parse().expect("an event's id")
});

/// `claims` as a token that nobody but us can make.
fn signed(claims: &[u8]) -> String {
    let set = KEYS.public_jwk_set();
    let kid = set["keys"][0]["kid"].as_str().unwrap_or_default();
    let header = format!(r#"{{"alg":"EdDSA","typ":"JWT","kid":"{kid}"}}"#);
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims)
    );
    let (_, signature) = KEYS.sign_bytes(message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn judge(token: &str, is_ours: bool) {
    let (tokens, event, mut rng) = (&*TOKENS, *EVENT, StdRng::seed_from_u64(2));
    if let Ok(claims) = QueueClaims::verify(tokens, event, token, NOW) {
        assert!(is_ours, "a stranger's token was taken");
        let again = claims.issue(tokens, event, NOW, &mut rng);
        assert_eq!(QueueClaims::verify(&OTHER, event, &again, NOW), Ok(claims));
    }
    if let Ok(claims) = AccessClaims::verify(tokens, event, token, NOW) {
        assert!(is_ours, "a stranger's token was taken");
        let until = NOW.plus(std::time::Duration::from_secs(1));
        let again = claims.issue(tokens, event, NOW, until, &mut rng);
        assert_eq!(AccessClaims::verify(&OTHER, event, &again, NOW), Ok(claims));
    }
    if let Ok(grant) = TransferGrant::verify(&KEYS, event, token, NOW) {
        assert!(is_ours, "a stranger's token was taken");
        let again = grant.issue(&KEYS, event, NOW, &mut rng);
        assert_eq!(TransferGrant::verify(&KEYS, event, &again, NOW), Ok(grant));
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, rest)) = bytes.split_first() else {
        return;
    };
    match choice % 2 {
        0 => judge(&String::from_utf8_lossy(rest), false),
        _ => judge(&signed(rest), true),
    }
});
