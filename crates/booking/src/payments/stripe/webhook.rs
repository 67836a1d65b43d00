//! Opening a webhook: `Stripe-Signature: t=<seconds>,v1=<hex>` is an
//! HMAC-SHA256 over `<t>.<body>`. A notice only says that something happened to
//! a payment; what, is asked of Stripe. So notices may come twice, late and in
//! any order. Pure.

use std::str::FromStr;
use std::time::Duration;

use ring::hmac;
use serde_json::Value;
use usher_base::{OrderId, Timestamp};

use super::ORDER_FIELD;
use crate::payments::Notice;

/// How far the signature's time may be from ours.
pub const SIGNATURE_TOLERANCE: Duration = Duration::from_secs(300);
/// Signatures in one header (several while a secret is exchanged).
const MAX_SIGNATURES: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    #[error("the webhook has no readable signature")]
    Malformed,
    #[error("the webhook's signature is not valid")]
    Forged,
    #[error("the webhook's signature is too old; check the clock")]
    Stale,
    #[error("the webhook's body is not an event")]
    NotAnEvent,
}

pub fn open_notice(
    secret: &str,
    signature: &str,
    body: &[u8],
    now: Timestamp,
) -> Result<Notice, WebhookError> {
    let parts = || signature.split(',').filter_map(|part| part.split_once('='));
    let field = |wanted| move |(name, value): (_, _)| (name == wanted).then_some(value);
    let time = parts()
        .find_map(field("t"))
        .ok_or(WebhookError::Malformed)?;
    let seconds: i64 = time.parse().map_err(|_| WebhookError::Malformed)?;
    let message = [time.as_bytes(), b".", body].concat();
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let genuine = parts()
        .filter_map(field("v1"))
        .take(MAX_SIGNATURES)
        .filter_map(|v1| hex::decode(v1).ok())
        .any(|v1| hmac::verify(&key, &message, &v1).is_ok());
    if !genuine {
        return Err(WebhookError::Forged);
    }
    // Judged last, so that a stranger learns nothing about our clock.
    if now.seconds().abs_diff(seconds) > SIGNATURE_TOLERANCE.as_secs() {
        return Err(WebhookError::Stale);
    }
    read(body).ok_or(WebhookError::NotAnEvent)
}

fn read(body: &[u8]) -> Option<Notice> {
    let event: Value = serde_json::from_slice(body).ok()?;
    let object = &event["data"]["object"];
    // A charge or a refund names its intent; an intent is one.
    let reference = match object["object"].as_str() {
        Some("payment_intent") => object["id"].as_str(),
        _ => object["payment_intent"].as_str(),
    };
    let order = object["metadata"][ORDER_FIELD].as_str();
    Some(Notice {
        id: event["id"].as_str()?.to_owned(),
        kind: event["type"].as_str()?.to_owned(),
        reference: reference.map(str::to_owned),
        order: order.and_then(|order| OrderId::from_str(order).ok()),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SECRET: &str = "whsec_test";
    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
    const ORDER: &str = "018f3c9e-7b1a-7c3d-8e4f-5a6b7c8d9e0f";

    fn body() -> Vec<u8> {
        let object = serde_json::json!({
            "object": "payment_intent", "id": "pi_1", "metadata": { "order_id": ORDER },
        });
        let event = serde_json::json!({
            "id": "evt_1", "type": "payment_intent.succeeded", "data": { "object": object },
        });
        event.to_string().into_bytes()
    }

    fn sign(secret: &str, seconds: i64, body: &[u8]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let message = [seconds.to_string().as_bytes(), b".", body].concat();
        let v1 = hex::encode(hmac::sign(&key, &message));
        format!("t={seconds},v1={v1}")
    }

    #[test]
    fn a_genuine_notice_names_payment_and_order() {
        let body = body();
        let signature = sign(SECRET, NOW.seconds(), &body);
        let notice = open_notice(SECRET, &signature, &body, NOW).unwrap();
        assert_eq!(notice.id, "evt_1");
        assert_eq!(notice.reference.as_deref(), Some("pi_1"));
        assert_eq!(notice.order, ORDER.parse().ok());
    }

    #[test]
    fn a_second_signature_may_be_the_genuine_one() {
        let body = body();
        let genuine = sign(SECRET, NOW.seconds(), &body);
        let v1 = genuine.split_once("v1=").unwrap().1;
        let both = format!("t={},v1={},v1={v1}", NOW.seconds(), "00".repeat(32));
        assert!(open_notice(SECRET, &both, &body, NOW).is_ok());
    }

    #[test]
    fn forged_stale_and_broken_ones_are_told_apart() {
        let body = body();
        let open = |signature: &str, body: &[u8]| open_notice(SECRET, signature, body, NOW);
        let now = NOW.seconds();
        let forged = sign("whsec_other", now, &body);
        assert_eq!(open(&forged, &body), Err(WebhookError::Forged));
        let genuine = sign(SECRET, now, &body);
        assert_eq!(open(&genuine, b"{}"), Err(WebhookError::Forged));
        let moved = genuine.replace(&format!("t={now}"), &format!("t={}", now + 1));
        assert_eq!(open(&moved, &body), Err(WebhookError::Forged));
        for late in [now - 301, now + 301] {
            assert_eq!(
                open(&sign(SECRET, late, &body), &body),
                Err(WebhookError::Stale)
            );
        }
        assert!(open(&sign(SECRET, now - 300, &body), &body).is_ok());
        for broken in ["", "v1=00", "t=soon,v1=00"] {
            assert_eq!(open(broken, &body), Err(WebhookError::Malformed));
        }
        let empty = sign(SECRET, now, b"{}");
        assert_eq!(open(&empty, b"{}"), Err(WebhookError::NotAnEvent));
    }
}
