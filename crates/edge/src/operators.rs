//! Who may steer an on-sale: whoever shows an operator's API key, as a bearer
//! token or, once signed in at the console, as a sealed cookie. The first key is
//! a setting and always an admin's, also while Postgres is away; the others are
//! looked up in Postgres at each call, so that a revoked one opens nothing.

use std::sync::Arc;

use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use subtle::ConstantTimeEq as _;
use usher_base::Timestamp;
use usher_base::signing::SigningKeys;
use usher_booking::operators::{OperatorKey, Role, hash_of};
use uuid::Uuid;

use crate::cookies;
use crate::desk::database_unavailable;
use crate::error::{ApiError, ApiResult};
use crate::roles;
use crate::state::Edge;

/// A console session lasts one long working day.
pub const CONSOLE_SECONDS: u32 = 12 * 3600;
const PURPOSE: &str = "console";
/// Characters of the first key's hash that stand in the audit log in its place.
const KEY_NAME_CHARS: usize = 8;

/// A request that showed a valid key; `name` stands in the audit log.
#[derive(Clone, Debug)]
pub struct Operator {
    pub name: String,
    pub role: Role,
}

/// An operator with what a session is bound to. `id` is nil for the first key.
struct Credentials {
    id: Uuid,
    key_hash: [u8; 32],
    operator: Operator,
}

/// The key of this deployment's first operator, kept as its hash.
pub struct FirstKey {
    hash: Option<[u8; 32]>,
}

impl FirstKey {
    /// An empty key means that nobody can sign in with it.
    pub fn new(api_key: &str) -> Self {
        Self {
            hash: (!api_key.is_empty()).then(|| hash_of(api_key)),
        }
    }

    fn credentials(&self) -> Option<Credentials> {
        let key_hash = self.hash?;
        let name = &hex::encode(key_hash)[..KEY_NAME_CHARS];
        let operator = Operator {
            name: format!("key {name}"),
            role: Role::Admin,
        };
        Some(Credentials {
            id: Uuid::nil(),
            key_hash,
            operator,
        })
    }
}

impl Credentials {
    /// Constant-time: hashes of equal length are compared, never the keys.
    fn are_shown_by(&self, key: &str) -> bool {
        hash_of(key).ct_eq(&self.key_hash).into()
    }

    /// The cookie's value after signing in. It dies with the key.
    fn session(&self, keys: &SigningKeys, now: Timestamp) -> String {
        let ends = now.seconds() + i64::from(CONSOLE_SECONDS);
        let (id, proof) = (self.id.simple(), self.proof(ends));
        keys.seal_cookie(PURPOSE, &format!("{ends}-{id}-{proof}"))
    }

    /// Only a hash of the hash leaves the server.
    fn proof(&self, ends: i64) -> String {
        let hash = hex::encode(self.key_hash);
        hex::encode(hash_of(&format!("{ends}-{}-{hash}", self.id.simple())))
    }

    fn prove(&self, session: &Session<'_>) -> bool {
        let expected = self.proof(session.ends);
        session.proof.as_bytes().ct_eq(expected.as_bytes()).into()
    }
}

/// What a console cookie says, before it is believed.
struct Session<'a> {
    ends: i64,
    id: Uuid,
    proof: &'a str,
}

impl<'a> Session<'a> {
    fn open(keys: &SigningKeys, cookie: &'a str, now: Timestamp) -> Option<Self> {
        let mut parts = keys.open_cookie(PURPOSE, cookie)?.splitn(3, '-');
        let ends = parts.next()?.parse().ok()?;
        let id = Uuid::try_parse(parts.next()?).ok()?;
        let proof = parts.next()?;
        (ends > now.seconds()).then_some(Self { ends, id, proof })
    }
}

impl Edge {
    /// The operator behind a request, by bearer key or console cookie.
    pub async fn operator(&self, headers: &HeaderMap) -> ApiResult<Option<Operator>> {
        let found = match cookies::bearer(headers) {
            Some(shown) => self.credentials_of_key(shown).await?,
            None => self.credentials_of_session(headers).await?,
        };
        Ok(found.map(|credentials| credentials.operator))
    }

    /// Whose key it is, and the console cookie's value for it.
    pub async fn sign_in(&self, key: &str) -> ApiResult<Option<(Operator, String)>> {
        let found = self.credentials_of_key(key).await?;
        Ok(found.map(|credentials| {
            let session = credentials.session(&self.keys, self.clock.now());
            (credentials.operator, session)
        }))
    }

    async fn credentials_of_key(&self, key: &str) -> ApiResult<Option<Credentials>> {
        let first = self.first_key.credentials();
        if let Some(first) = first.filter(|first| first.are_shown_by(key)) {
            return Ok(Some(first));
        }
        let Some(id) = OperatorKey::id_in(key) else {
            return Ok(None);
        };
        let known = self.credentials(id).await?;
        Ok(known.filter(|known| known.are_shown_by(key)))
    }

    async fn credentials_of_session(&self, headers: &HeaderMap) -> ApiResult<Option<Credentials>> {
        let cookie = cookies::read(headers, self.settings.jar.console());
        let session = cookie.and_then(|c| Session::open(&self.keys, c, self.clock.now()));
        let Some(session) = session else {
            return Ok(None);
        };
        let known = if session.id.is_nil() {
            self.first_key.credentials()
        } else {
            self.credentials(session.id).await?
        };
        Ok(known.filter(|known| known.prove(&session)))
    }

    /// A role without Postgres knows the first key only.
    async fn credentials(&self, id: Uuid) -> ApiResult<Option<Credentials>> {
        let Some(desk) = &self.desk else {
            return Ok(None);
        };
        let known = desk.operators.find(id).await;
        let known = known.map_err(database_unavailable)?;
        Ok(known.map(|known| Credentials {
            id,
            key_hash: known.key_hash,
            operator: Operator {
                name: known.name,
                role: known.role,
            },
        }))
    }
}

/// Before every operators' call: who it is, and whether the role suffices.
pub async fn admit(
    State(edge): State<Arc<Edge>>,
    mut request: Request,
    next: Next,
) -> ApiResult<Response> {
    let operator = edge.operator(request.headers()).await?;
    let operator = operator.ok_or_else(operator_required)?;
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or("", MatchedPath::as_str);
    let least = roles::least(request.method(), route);
    if least.is_none_or(|least| operator.role < least) {
        return Err(role_too_low(&operator, least));
    }
    request.extensions_mut().insert(operator);
    Ok(next.run(request).await)
}

fn operator_required() -> ApiError {
    let message = "Sign in at /console, or send an operator's API key as bearer token.";
    ApiError::new(StatusCode::UNAUTHORIZED, "operator_required", message)
}

pub fn role_too_low(operator: &Operator, least: Option<Role>) -> ApiError {
    let wanted = least.unwrap_or(Role::Admin);
    let message = format!(
        "Your key has the role {}; this needs the role {wanted}. Ask an admin for such a key.",
        operator.role
    );
    ApiError::new(StatusCode::FORBIDDEN, "role_too_low", message)
}

/// Put there by `admit`.
impl FromRequestParts<Arc<Edge>> for Operator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Edge>) -> Result<Self, ApiError> {
        let admitted = parts.extensions.get::<Self>().cloned();
        admitted.ok_or_else(operator_required)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rand::SeedableRng as _;
    use usher_base::signing::generate_jwk_set;

    const KEY: &str = "an-operators-key-of-24-characters";
    const NOW: Timestamp = Timestamp::from_millis(1_795_255_200_000);

    fn signing_keys() -> SigningKeys {
        let set = generate_jwk_set(&mut rand::rngs::StdRng::seed_from_u64(1));
        SigningKeys::from_jwk_set(&set, "x").unwrap()
    }

    #[test]
    fn only_the_right_key_is_taken() {
        let first = FirstKey::new(KEY).credentials().unwrap();
        assert!(first.are_shown_by(KEY));
        assert!(!first.are_shown_by("another"));
        assert!(FirstKey::new("").credentials().is_none());
    }

    #[test]
    fn a_session_ends_with_its_time_or_with_the_key() {
        let signing = signing_keys();
        let first = FirstKey::new(KEY).credentials().unwrap();
        let cookie = first.session(&signing, NOW);
        let session = Session::open(&signing, &cookie, NOW).unwrap();
        assert!(first.prove(&session));
        let later = NOW.plus(std::time::Duration::from_secs(13 * 3600));
        assert!(Session::open(&signing, &cookie, later).is_none());
        let changed = FirstKey::new("another-key-of-24-characters");
        assert!(!changed.credentials().unwrap().prove(&session));
    }
}
