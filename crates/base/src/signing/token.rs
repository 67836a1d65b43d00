//! Tokens: what is in every one of them, and the reasons to refuse one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use rand::Rng;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use super::{Key, SigningKeys};
use crate::Timestamp;

/// A longer text cannot be one of ours and is not looked into.
const MAX_TOKEN_BYTES: usize = 2_048;
/// How far clocks of usher's nodes may differ: a token counts as issued up to
/// this long before our `now`, and as alive up to this long after its end.
pub const CLOCK_SKEW_SECONDS: i64 = 5;

/// What the verifier insists on, besides signature and lifetime.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The kind of token: `queue`, `access`, `order`.
    pub typ: &'a str,
    /// Whom it is for: the event, or another thing's id.
    pub audience: &'a str,
}

/// Why a token was refused, each with a code of its own in the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("the token cannot be read")]
    Malformed,
    #[error("the token names an algorithm that is not accepted")]
    Algorithm,
    #[error("the token names a key that this deployment does not have")]
    UnknownKey,
    #[error("the token's signature is not valid")]
    Signature,
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet; check the clock")]
    NotYet,
    #[error("the token is of another kind")]
    WrongType,
    #[error("the token belongs to another event")]
    WrongAudience,
    #[error("the token was issued by somebody else")]
    WrongIssuer,
    #[error("the token was replaced by a newer one on another device")]
    Replaced,
}

impl TokenError {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Malformed => "token_malformed",
            Self::Algorithm => "token_algorithm",
            Self::UnknownKey => "token_unknown_key",
            Self::Signature => "token_signature",
            Self::Expired => "token_expired",
            Self::NotYet => "token_not_yet_valid",
            Self::WrongType => "token_wrong_type",
            Self::WrongAudience => "token_wrong_event",
            Self::WrongIssuer => "token_wrong_issuer",
            Self::Replaced => "token_replaced",
        }
    }
}

/// The claims that every token carries, around those of its kind.
#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    iss: String,
    aud: String,
    typ: String,
    iat: i64,
    exp: i64,
    jti: String,
    #[serde(flatten)]
    body: T,
}

impl SigningKeys {
    /// A token of the kind and for whom `to` says, alive from `now` to `until`.
    pub fn sign_token<T: Serialize>(
        &self,
        to: Expected<'_>,
        body: &T,
        now: Timestamp,
        until: Timestamp,
        rng: &mut impl Rng,
    ) -> String {
        let envelope = Envelope {
            iss: self.issuer.clone(),
            aud: to.audience.to_owned(),
            typ: to.typ.to_owned(),
            iat: now.seconds(),
            exp: until.seconds(),
            jti: hex::encode(rng.next_u64().to_be_bytes()),
            body,
        };
        let claims = serde_json::to_vec(&envelope).expect("claims are plain data");
        let (_, private) = self.signer();
        let mut token = private.token_header.clone();
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let signature = private.pair.sign(token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        token
    }

    /// The claims of a token that is ours, of the right kind, and alive.
    pub fn verify_token<T: DeserializeOwned>(
        &self,
        token: &str,
        expected: Expected<'_>,
        now: Timestamp,
    ) -> Result<T, TokenError> {
        let verified = self.verify_until(token, expected, now);
        verified.map(|(claims, _)| claims)
    }

    /// The same, with the second at which the token ends.
    pub(super) fn verify_until<T: DeserializeOwned>(
        &self,
        token: &str,
        expected: Expected<'_>,
        now: Timestamp,
    ) -> Result<(T, i64), TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Malformed);
        }
        let header = decode_header(token).map_err(|e| header_error(&e))?;
        if header.alg != Algorithm::EdDSA {
            return Err(TokenError::Algorithm);
        }
        let kid = header.kid.ok_or(TokenError::UnknownKey)?;
        let key = self.key(&kid).ok_or(TokenError::UnknownKey)?;
        match decode::<Envelope<T>>(token, &key.decoding, &signature_only()) {
            Ok(data) => {
                self.judge(&data.claims, expected, now)?;
                Ok((data.claims.body, data.claims.exp))
            }
            Err(error) => {
                // A token of another kind lacks this kind's claims: say that it is one.
                let bare = decode::<Envelope<IgnoredAny>>(token, &key.decoding, &signature_only());
                if let Ok(bare) = bare {
                    self.judge(&bare.claims, expected, now)?;
                }
                Err(decode_error(&error))
            }
        }
    }

    fn judge<T>(
        &self,
        claims: &Envelope<T>,
        expected: Expected<'_>,
        now: Timestamp,
    ) -> Result<(), TokenError> {
        if claims.iss != self.issuer {
            return Err(TokenError::WrongIssuer);
        }
        if claims.typ != expected.typ {
            return Err(TokenError::WrongType);
        }
        if claims.aud != expected.audience {
            return Err(TokenError::WrongAudience);
        }
        if claims.iat > now.seconds().saturating_add(CLOCK_SKEW_SECONDS) {
            return Err(TokenError::NotYet);
        }
        if claims.exp.saturating_add(CLOCK_SKEW_SECONDS) <= now.seconds() {
            return Err(TokenError::Expired);
        }
        Ok(())
    }

    fn key(&self, kid: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.kid == kid)
    }
}

/// The library checks the signature; lifetime is judged by our own clock.
fn signature_only() -> Validation {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    validation
}

pub(super) fn header_error(error: &jsonwebtoken::errors::Error) -> TokenError {
    // `alg: none` and other strangers fail as an unknown variant of the header.
    match error.kind() {
        ErrorKind::Json(json) if json.is_data() => TokenError::Algorithm,
        ErrorKind::InvalidAlgorithmName => TokenError::Algorithm,
        _ => TokenError::Malformed,
    }
}

pub(super) fn decode_error(error: &jsonwebtoken::errors::Error) -> TokenError {
    match error.kind() {
        ErrorKind::InvalidSignature => TokenError::Signature,
        ErrorKind::InvalidAlgorithm => TokenError::Algorithm,
        _ => TokenError::Malformed,
    }
}
