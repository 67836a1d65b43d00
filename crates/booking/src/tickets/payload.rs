//! What stands in the QR: a short signed text which a scanner can verify with
//! the published key alone, without a network. Pure.
//!
//! `usher1.<kid>.<base64url(body)>.<base64url(signature)>`, where the body is
//! 16 bytes of event id followed by the ticket's number, and the Ed25519
//! signature is over `usher1.<base64url(body)>`. Where the seat is stands in
//! print on the ticket and in the list at the door, not here: the smaller the
//! code, the faster it scans.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use usher_base::EventId;
use usher_base::signing::SigningKeys;
use uuid::Uuid;

use super::TicketNumber;

const VERSION: &str = "usher1";
const EVENT_BYTES: usize = 16;
/// A longer text cannot be one of ours and is not looked into.
const MAX_PAYLOAD_CHARS: usize = 300;

/// What a verified code says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketClaim {
    pub event: EventId,
    pub number: TicketNumber,
}

/// The code was not made by this deployment, or was tampered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this code is not a genuine ticket")]
pub struct Forged;

impl TicketClaim {
    pub fn sign(&self, keys: &SigningKeys) -> String {
        let body = [
            self.event.uuid().as_bytes(),
            self.number.as_str().as_bytes(),
        ]
        .concat();
        let body = URL_SAFE_NO_PAD.encode(body);
        let (kid, signature) = keys.sign_bytes(signed_text(&body).as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(signature);
        format!("{VERSION}.{kid}.{body}.{signature}")
    }

    pub fn verify(keys: &SigningKeys, code: &str) -> Result<Self, Forged> {
        Self::verified(keys, code.trim()).ok_or(Forged)
    }

    fn verified(keys: &SigningKeys, code: &str) -> Option<Self> {
        if code.len() > MAX_PAYLOAD_CHARS {
            return None;
        }
        let (rest, signature) = code.rsplit_once('.')?;
        let (rest, body) = rest.rsplit_once('.')?;
        let (version, kid) = rest.split_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let signed = signed_text(body);
        if version != VERSION || !keys.verify_bytes(kid, signed.as_bytes(), &signature) {
            return None;
        }
        let body = URL_SAFE_NO_PAD.decode(body).ok()?;
        let (event, number) = body.split_at_checked(EVENT_BYTES)?;
        Some(Self {
            event: EventId::from_uuid(Uuid::from_slice(event).ok()?),
            number: std::str::from_utf8(number).ok()?.parse().ok()?,
        })
    }
}

fn signed_text(body: &str) -> String {
    format!("{VERSION}.{body}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rand::SeedableRng;
    use usher_base::Timestamp;
    use usher_base::signing::generate_jwk_set;

    fn keys() -> SigningKeys {
        let set = generate_jwk_set(&mut rand::rng());
        SigningKeys::from_jwk_set(&set, "usher").unwrap()
    }

    fn claim() -> TicketClaim {
        TicketClaim {
            event: EventId::new(Timestamp::from_millis(1)),
            number: TicketNumber::random(&mut rand::rngs::SmallRng::seed_from_u64(1)),
        }
    }

    #[test]
    fn a_code_is_short_and_says_what_was_signed() {
        let (keys, claim) = (keys(), claim());
        let code = claim.sign(&keys);
        assert!(code.len() < 150, "{} characters", code.len());
        assert_eq!(TicketClaim::verify(&keys, &code), Ok(claim));
    }

    #[test]
    fn any_changed_letter_makes_it_forged() {
        let keys = keys();
        let code = claim().sign(&keys);
        for at in 0..code.len() {
            let mut letters = code.clone().into_bytes();
            letters[at] = if letters[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(letters).unwrap();
            // The last letter of base64 carries bits that mean nothing.
            let same = code.len() - 1 == at;
            assert!(
                same || TicketClaim::verify(&keys, &changed) == Err(Forged),
                "{changed}"
            );
        }
    }

    #[test]
    fn another_deployments_ticket_is_forged() {
        let code = claim().sign(&keys());
        assert_eq!(TicketClaim::verify(&keys(), &code), Err(Forged));
        for text in ["", "usher1", "usher1.a.b.c", &"x".repeat(1_000)] {
            assert_eq!(TicketClaim::verify(&keys(), text), Err(Forged));
        }
    }
}
