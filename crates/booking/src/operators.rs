//! Who may steer a sale: roles, and the keys that prove them. A key carries the
//! id by which its operator is found and a secret of which only the hash is kept.
//! Pure.

use std::fmt;
use std::str::FromStr;

use rand::Rng;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

const KEY_PREFIX: &str = "usher_op_";
const SECRET_BYTES: usize = 32;

/// From the least to the most; each may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Looks at numbers and records.
    Viewer,
    /// Stands at a door or a desk: scans tickets, looks orders up.
    Staff,
    /// Runs a sale.
    Operator,
    /// Also says who else may.
    Admin,
}

#[derive(Debug, thiserror::Error)]
#[error("a role is one of viewer, staff, operator, admin")]
pub struct UnknownRole;

impl Role {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Staff => "staff",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        let all = [Self::Viewer, Self::Staff, Self::Operator, Self::Admin];
        let found = all.into_iter().find(|role| role.as_str() == text);
        found.ok_or(UnknownRole)
    }
}

/// A key as it is shown once. Its `Debug` would tell it, so it has none.
pub struct OperatorKey {
    pub id: Uuid,
    pub text: String,
}

impl OperatorKey {
    pub fn random(rng: &mut impl Rng) -> Self {
        let (mut id, mut secret) = ([0; 16], [0; SECRET_BYTES]);
        rng.fill_bytes(&mut id);
        rng.fill_bytes(&mut secret);
        let id = uuid::Builder::from_random_bytes(id).into_uuid();
        let text = format!("{KEY_PREFIX}{}_{}", id.simple(), hex::encode(secret));
        Self { id, text }
    }

    pub fn hash(&self) -> [u8; 32] {
        hash_of(&self.text)
    }

    /// Whose key it claims to be.
    pub fn id_in(shown: &str) -> Option<Uuid> {
        let (id, _) = shown.strip_prefix(KEY_PREFIX)?.split_once('_')?;
        Uuid::try_parse(id).ok()
    }
}

/// What is kept of a key. Keys are random, so that a plain digest is enough.
pub fn hash_of(key: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, key.as_bytes()).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rand::SeedableRng as _;

    #[test]
    fn a_key_names_its_operator_and_nothing_else_does() {
        let key = OperatorKey::random(&mut rand::rngs::StdRng::seed_from_u64(1));
        assert_eq!(OperatorKey::id_in(&key.text), Some(key.id));
        for other in ["", "usher_op_", "usher_op_7_x", "operator-key-0123456789"] {
            assert_eq!(OperatorKey::id_in(other), None, "{other}");
        }
    }

    #[test]
    fn roles_are_ordered_and_spelled_as_they_are_read() {
        assert!(Role::Viewer < Role::Staff && Role::Staff < Role::Operator);
        assert!(Role::Operator < Role::Admin);
        assert_eq!("staff".parse::<Role>().unwrap(), Role::Staff);
        assert!("root".parse::<Role>().is_err());
    }
}
