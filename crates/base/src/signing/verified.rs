//! Remembers tokens that were verified or signed here, because an Ed25519 check
//! costs 47 us and a fan shows the same token with every request.
//!
//! Two generations instead of a list by age: when the young one is full it
//! becomes the old one and the old one is forgotten. A hit in the old one moves
//! to the young one, so tokens in use stay.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Mutex;

use rand::Rng;
use ring::digest::{SHA256, digest};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Expected, SigningKeys, TokenError};
use crate::Timestamp;

/// Claims by the hash of token, kind and audience; never past `exp`.
pub struct VerifiedTokens<T> {
    generations: Mutex<Generations<T>>,
    max_per_generation: usize,
    recheck_after_seconds: i64,
}

struct Generations<T> {
    young: HashMap<[u8; 32], Entry<T>>,
    old: HashMap<[u8; 32], Entry<T>>,
}

#[derive(Clone)]
struct Entry<T> {
    claims: T,
    good_until_second: i64,
}

impl<T: Clone + Serialize + DeserializeOwned> VerifiedTokens<T> {
    /// Remembers between one and two times `max_per_generation` tokens, each
    /// for `recheck_after_seconds` at most before it is verified anew.
    pub fn new(max_per_generation: usize, recheck_after_seconds: i64) -> Self {
        Self {
            generations: Mutex::new(Generations {
                young: HashMap::new(),
                old: HashMap::new(),
            }),
            max_per_generation,
            recheck_after_seconds,
        }
    }

    pub fn verify(
        &self,
        keys: &SigningKeys,
        token: &str,
        expected: Expected<'_>,
        now: Timestamp,
    ) -> Result<T, TokenError> {
        let name = name_of(token, expected);
        if let Some(claims) = self.recall(&name, now) {
            return Ok(claims);
        }
        let (claims, end_second) = keys.verify_until::<T>(token, expected, now)?;
        self.remember(name, claims.clone(), end_second, now);
        Ok(claims)
    }

    /// Signs a token, and knows it when it is shown to this process.
    pub fn issue(
        &self,
        keys: &SigningKeys,
        claims: T,
        to: Expected<'_>,
        life: Range<Timestamp>,
        rng: &mut impl Rng,
    ) -> String {
        let token = keys.sign_token(to, &claims, life.start, life.end, rng);
        self.remember(name_of(&token, to), claims, life.end.seconds(), life.start);
        token
    }

    fn recall(&self, name: &[u8; 32], now: Timestamp) -> Option<T> {
        let mut generations = self.lock();
        let entry = match generations.young.get(name) {
            Some(entry) => entry.clone(),
            None => {
                let entry = generations.old.remove(name)?;
                generations.young.insert(*name, entry.clone());
                entry
            }
        };
        (entry.good_until_second > now.seconds()).then_some(entry.claims)
    }

    fn remember(&self, name: [u8; 32], claims: T, end_second: i64, now: Timestamp) {
        let recheck_second = now.seconds().saturating_add(self.recheck_after_seconds);
        let entry = Entry {
            claims,
            good_until_second: end_second.min(recheck_second),
        };
        let mut generations = self.lock();
        if generations.young.len() >= self.max_per_generation {
            generations.old = std::mem::take(&mut generations.young);
        }
        generations.young.insert(name, entry);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Generations<T>> {
        // A panic while it was held left at worst a missing entry.
        self.generations
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn name_of(token: &str, expected: Expected<'_>) -> [u8; 32] {
    let text = [expected.typ, expected.audience, token].join(" ");
    let mut name = [0; 32];
    name.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    name
}
