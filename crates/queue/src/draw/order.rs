//! The numbers: each fan's key is a hash that nobody could know before the entropy came, and the
//! ascending order of the keys is the order of the line.

use ring::hmac;
use usher_base::FanId;

use super::bytes::{Hash, sha256};
use super::commitment::DrawSecret;
use super::merkle::FanList;

/// What everything hangs on: the operator's secret, the list, and the public entropy.
pub fn seed(secret: &DrawSecret, root: &Hash, randomness: &Hash) -> Hash {
    sha256(&[secret.reveal(), root, randomness])
}

/// The fans in serving order: the first has number 1.
pub fn serving_order(seed: &Hash, fans: &FanList) -> Vec<FanId> {
    let hmac_key = hmac::Key::new(hmac::HMAC_SHA256, seed);
    let key_of = |fan: &FanId| -> Hash {
        let tag = hmac::sign(&hmac_key, fan.bytes());
        tag.as_ref()
            .try_into()
            .expect("HMAC-SHA-256 gives 32 bytes")
    };
    let mut keyed: Vec<(Hash, FanId)> = fans
        .as_slice()
        .iter()
        .map(|fan| (key_of(fan), *fan))
        .collect();
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, fan)| fan).collect()
}
