//! `usher-signature: t=<seconds>,v1=<hex>`: an HMAC-SHA256 over `<t>.<body>`,
//! the form that Stripe made usual, so that receivers find a library for it.
//! The time is signed, so that what was recorded cannot be sent later. Pure.

use ring::hmac;
use usher_base::Timestamp;

use super::Secret;

pub fn sign(secret: &Secret, body: &[u8], now: Timestamp) -> String {
    let seconds = now.seconds();
    let message = [seconds.to_string().as_bytes(), b".", body].concat();
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.shown().as_bytes());
    format!("t={seconds},v1={}", hex::encode(hmac::sign(&key, &message)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of docs/webhooks.md, computed with OpenSSL.
    #[test]
    fn a_signature_is_what_the_document_says() {
        let secret = Secret::known("whsec_example".into());
        let now = Timestamp::from_millis(1_795_255_200_123);
        assert_eq!(sign(&secret, br#"{"id":42}"#, now), EXAMPLE);
    }

    const EXAMPLE: &str =
        "t=1795255200,v1=fc3723a0f45a36f069275472a3ee661e245f9111170a20d9da33639dfa3089e8";
}
