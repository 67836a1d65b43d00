//! The two tokens of the line. The queue token proves a place and never opens
//! the shop; the access token opens it for one session. Both are for one event.

use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use serde::{Deserialize, Serialize};
use usher_base::signing::{Expected, SigningKeys, TokenError, VerifiedTokens};
use usher_base::{Epoch, EventId, FanId, Lane, Number, Timestamp};

use crate::line::OldPlace;
use crate::place::{Session, SessionId};

const QUEUE_TYP: &str = "queue";
const ACCESS_TYP: &str = "access";
/// Tokens remembered of each kind, and for how long before a new check.
const MAX_REMEMBERED: usize = 50_000;
const RECHECK_AFTER_SECONDS: i64 = 60;
const TRANSFER_TYP: &str = "transfer";
/// Long enough to find the other device and scan a picture.
pub const TRANSFER_LIFETIME: Duration = Duration::from_secs(120);
/// A place may have to outlast days of gathering.
pub const QUEUE_TOKEN_LIFETIME: Duration = Duration::from_secs(14 * 24 * 3600);

/// The deployment's keys, and what this process knows to be signed with them.
pub struct Tokens {
    keys: Arc<SigningKeys>,
    queue: VerifiedTokens<QueueClaims>,
    access: VerifiedTokens<AccessClaims>,
}

impl Tokens {
    pub fn new(keys: Arc<SigningKeys>) -> Self {
        Self {
            keys,
            queue: VerifiedTokens::new(MAX_REMEMBERED, RECHECK_AFTER_SECONDS),
            access: VerifiedTokens::new(MAX_REMEMBERED, RECHECK_AFTER_SECONDS),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueClaims {
    pub sub: FanId,
    pub lane: Lane,
    /// Once it is known: not while gathering for a draw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<Number>,
    /// Of Redis's memory when the token was made.
    pub epoch: Epoch,
    /// Raised when the place moves to another device; the highest seen wins.
    #[serde(rename = "gen", default)]
    pub generation: u32,
}

impl QueueClaims {
    /// What a join is told, so that the place can be restored.
    pub fn old_place(&self) -> Option<OldPlace> {
        let epoch = self.epoch;
        self.number.map(|number| OldPlace { number, epoch })
    }

    pub fn issue(
        &self,
        tokens: &Tokens,
        event: EventId,
        now: Timestamp,
        rng: &mut impl Rng,
    ) -> String {
        let life = now..now.plus(QUEUE_TOKEN_LIFETIME);
        for_event(event, QUEUE_TYP, |to| {
            tokens
                .queue
                .issue(&tokens.keys, self.clone(), to, life, rng)
        })
    }

    pub fn verify(
        tokens: &Tokens,
        event: EventId,
        token: &str,
        now: Timestamp,
    ) -> Result<Self, TokenError> {
        for_event(event, QUEUE_TYP, |of| {
            tokens.queue.verify(&tokens.keys, token, of, now)
        })
    }
}

/// Moves a place to another device. It works once, because using it raises the
/// generation that it was made for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferGrant(pub QueueClaims);

impl TransferGrant {
    pub fn issue(
        &self,
        keys: &SigningKeys,
        event: EventId,
        now: Timestamp,
        rng: &mut impl Rng,
    ) -> String {
        let until = now.plus(TRANSFER_LIFETIME);
        for_event(event, TRANSFER_TYP, |to| {
            keys.sign_token(to, self, now, until, rng)
        })
    }

    pub fn verify(
        keys: &SigningKeys,
        event: EventId,
        code: &str,
        now: Timestamp,
    ) -> Result<Self, TokenError> {
        for_event(event, TRANSFER_TYP, |of| keys.verify_token(code, of, now))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    pub sub: FanId,
    pub session: SessionId,
    pub lane: Lane,
    pub number: Number,
}

impl AccessClaims {
    pub fn of(fan: FanId, session: &Session) -> Self {
        Self {
            sub: fan,
            session: session.id,
            lane: session.lane.clone(),
            number: session.number,
        }
    }

    /// Alive until `ends_at`; a session that was prolonged gets another token.
    pub fn issue(
        &self,
        tokens: &Tokens,
        event: EventId,
        now: Timestamp,
        ends_at: Timestamp,
        rng: &mut impl Rng,
    ) -> String {
        for_event(event, ACCESS_TYP, |to| {
            tokens
                .access
                .issue(&tokens.keys, self.clone(), to, now..ends_at, rng)
        })
    }

    pub fn verify(
        tokens: &Tokens,
        event: EventId,
        token: &str,
        now: Timestamp,
    ) -> Result<Self, TokenError> {
        for_event(event, ACCESS_TYP, |of| {
            tokens.access.verify(&tokens.keys, token, of, now)
        })
    }
}

/// What every token of this kind and event names.
fn for_event<R>(event: EventId, typ: &str, work: impl FnOnce(Expected<'_>) -> R) -> R {
    let audience = event.to_string();
    work(Expected {
        typ,
        audience: &audience,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;
    use usher_base::signing::generate_jwk_set;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_255_200_000);

    fn tokens() -> Tokens {
        let set = generate_jwk_set(&mut StdRng::seed_from_u64(1));
        let keys = SigningKeys::from_jwk_set(&set, "https://usher.example");
        Tokens::new(Arc::new(keys.unwrap()))
    }

    fn claims(number: Option<Number>) -> QueueClaims {
        QueueClaims {
            sub: FanId::from_bytes([3; 16]),
            lane: Lane::main(),
            number,
            epoch: Epoch(4),
            generation: 2,
        }
    }

    #[test]
    fn a_queue_token_carries_the_place() {
        let (keys, event) = (tokens(), EventId::new(NOW));
        let mut rng = StdRng::seed_from_u64(2);
        for number in [None, Some(Number(7))] {
            let token = claims(number).issue(&keys, event, NOW, &mut rng);
            let read = QueueClaims::verify(&keys, event, &token, NOW).unwrap();
            assert_eq!(read, claims(number));
        }
    }

    /// `claims` under a true signature: what only the parser behind it can refuse.
    fn signed(keys: &SigningKeys, claims: &str) -> String {
        let kid = keys.public_jwk_set()["keys"][0]["kid"].clone();
        let header = serde_json::json!({ "alg": "EdDSA", "typ": "JWT", "kid": kid }).to_string();
        let [header, claims] = [&header, claims].map(|part| URL_SAFE_NO_PAD.encode(part));
        let message = format!("{header}.{claims}");
        let (_, signature) = keys.sign_bytes(message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    proptest! {
        #[test]
        fn any_claims_under_our_signature_are_read_or_refused(
            claims in ".{0,200}",
            at in 0usize..400,
            with in "[ -~]",
        ) {
            let (tokens, event) = (tokens(), EventId::new(NOW));
            let _ = QueueClaims::verify(&tokens, event, &signed(&tokens.keys, &claims), NOW);
            // The claims of a true token with one character changed.
            let token = self::claims(Some(Number(7)))
                  .issue(&tokens, event, NOW, &mut StdRng::seed_from_u64(2));
            let part = token.split('.').nth(1).unwrap();
            let mut text = String::from_utf8(URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
            let at = at % text.len();
            text.replace_range(at..=at, &with);
            let changed = signed(&tokens.keys, &text);
            let _ = QueueClaims::verify(&tokens, event, &changed, NOW);
            let _ = AccessClaims::verify(&tokens, event, &changed, NOW);
            let _ = TransferGrant::verify(&tokens.keys, event, &changed, NOW);
        }
    }

    #[test]
    fn the_two_tokens_and_two_events_are_never_mixed_up() {
        let (keys, event) = (tokens(), EventId::new(NOW));
        let other = EventId::new(NOW.plus(Duration::from_secs(1)));
        let mut rng = StdRng::seed_from_u64(2);
        let queue = claims(Some(Number(7))).issue(&keys, event, NOW, &mut rng);
        let wrong = AccessClaims::verify(&keys, event, &queue, NOW);
        // Read as an access token it lacks the session, whatever its kind.
        assert!(wrong.is_err());
        let session = Session {
            id: SessionId::of(event, &Lane::main(), Number(7)),
            lane: Lane::main(),
            number: Number(7),
            ends_at: NOW.plus(Duration::from_secs(900)),
        };
        let access = AccessClaims::of(FanId::from_bytes([3; 16]), &session);
        let token = access.issue(&keys, event, NOW, session.ends_at, &mut rng);
        assert_eq!(AccessClaims::verify(&keys, event, &token, NOW), Ok(access));
        let foreign = AccessClaims::verify(&keys, other, &token, NOW);
        assert_eq!(foreign, Err(TokenError::WrongAudience));
        let late = session.ends_at.plus(Duration::from_secs(6));
        let expired = AccessClaims::verify(&keys, event, &token, late);
        assert_eq!(expired, Err(TokenError::Expired));
        assert!(QueueClaims::verify(&keys, event, &token, NOW).is_err());
    }
}
