//! drand, a public beacon of randomness: which round belongs to a time, what a round's signature
//! signs, and the JSON in which its HTTP servers answer. Whoever fetches it need not trust the
//! server: the signature of the network's own key is what counts.

use serde::{Deserialize, Serialize};
use usher_base::Timestamp;

use super::bls;
use super::bytes::{Fields, Hash, hexed, sha256};

/// A round's answer is about 700 bytes; anything longer is refused unread.
pub const MAX_BEACON_JSON_BYTES: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scheme {
    /// drand's first chain: each round signs the one before.
    #[serde(rename = "pedersen-bls-chained")]
    Chained,
    /// quicknet: each round signs its own number only.
    #[serde(rename = "bls-unchained-g1-rfc9380")]
    UnchainedG1,
}

impl Scheme {
    /// As drand spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chained => "pedersen-bls-chained",
            Self::UnchainedG1 => "bls-unchained-g1-rfc9380",
        }
    }
}

/// The parameters of one drand network, fixed by the rule before the draw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrandChain {
    #[serde(with = "hexed")]
    pub hash: Hash,
    #[serde(with = "hexed")]
    pub public_key: Vec<u8>,
    pub scheme: Scheme,
    /// When round 1 came, in seconds since 1970.
    pub genesis_time: u64,
    pub period_s: u64,
}

impl DrandChain {
    /// The League of Entropy's network with a round every three seconds: the default of a draw.
    pub fn quicknet() -> Self {
        Self {
            hash: constant("52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971"),
            public_key: constant(
                "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d106451\
                 0d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a",
            ),
            scheme: Scheme::UnchainedG1,
            genesis_time: 1_692_803_367,
            period_s: 3,
        }
    }

    /// The League of Entropy's first network, with a round every thirty seconds.
    pub fn league_of_entropy_default() -> Self {
        Self {
            hash: constant("8990e7a9aaed2ffed73dbd7092123d6f289930540d7651336225dc172e51b2ce"),
            public_key: constant(
                "868f005eb8e6e4ca0a47c8a77ceaa5309a47978a7c71bc5cce96366b5d7a569937c529eeda66c7293784a9402801af31",
            ),
            scheme: Scheme::Chained,
            genesis_time: 1_595_431_050,
            period_s: 30,
        }
    }

    /// The public networks that a verifier knows without asking anybody.
    pub(super) fn known() -> [(&'static str, Self); 2] {
        [
            ("drand quicknet (League of Entropy)", Self::quicknet()),
            (
                "drand default (League of Entropy)",
                Self::league_of_entropy_default(),
            ),
        ]
    }

    /// The name of a network that is known to be public, if this is exactly that one.
    pub fn public_name(&self) -> Option<&'static str> {
        Self::known()
            .into_iter()
            .find(|(_, known)| known == self)
            .map(|(name, _)| name)
    }

    pub(super) fn has_usable_key(&self) -> bool {
        match self.scheme {
            Scheme::Chained => bls::is_g1_key(&self.public_key),
            Scheme::UnchainedG1 => bls::is_g2_key(&self.public_key),
        }
    }

    /// The first round that comes at `time` or later. A period of zero counts as one second.
    pub fn first_round_at(&self, time: Timestamp) -> u64 {
        let genesis_ms = self.genesis_time.saturating_mul(1000);
        let period_ms = self.period_s.max(1).saturating_mul(1000);
        let since_ms = u64::try_from(time.millis())
            .unwrap_or(0)
            .saturating_sub(genesis_ms);
        since_ms.div_ceil(period_ms).saturating_add(1)
    }

    /// When a round comes.
    pub fn time_of_round(&self, round: u64) -> Timestamp {
        let since_s = round.saturating_sub(1).saturating_mul(self.period_s);
        let at_ms = self
            .genesis_time
            .saturating_add(since_s)
            .saturating_mul(1000);
        Timestamp::from_millis(i64::try_from(at_ms).unwrap_or(i64::MAX))
    }

    /// Checks a round's signature with the network's key and gives the round's randomness.
    pub fn verify(&self, beacon: &Beacon) -> Result<Hash, BeaconError> {
        let round = beacon.round.to_be_bytes();
        let valid = match self.scheme {
            Scheme::Chained if beacon.previous_signature.is_empty() => {
                return Err(BeaconError::PreviousMissing);
            }
            Scheme::Chained => {
                let message = sha256(&[&beacon.previous_signature, &round]);
                bls::verify_on_g2(&self.public_key, &message, &beacon.signature)
            }
            Scheme::UnchainedG1 if !beacon.previous_signature.is_empty() => {
                return Err(BeaconError::PreviousUnused);
            }
            Scheme::UnchainedG1 => {
                bls::verify_on_g1(&self.public_key, &sha256(&[&round]), &beacon.signature)
            }
        };
        if valid {
            Ok(beacon.randomness())
        } else {
            Err(BeaconError::Signature {
                round: beacon.round,
            })
        }
    }

    pub(super) fn canonical(&self, fields: Fields) -> Fields {
        fields
            .bytes(&self.hash)
            .bytes(&self.public_key)
            .bytes(self.scheme.name().as_bytes())
            .number(self.genesis_time)
            .number(self.period_s)
    }
}

/// One round of a drand network. Its randomness is not kept: it is the hash of the signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Beacon {
    pub round: u64,
    #[serde(with = "hexed")]
    pub signature: Vec<u8>,
    /// Empty where the scheme does not chain.
    #[serde(with = "hexed", default, skip_serializing_if = "Vec::is_empty")]
    pub previous_signature: Vec<u8>,
}

impl Beacon {
    /// Reads the answer of drand's `/{chain}/public/{round}`. The signature is not checked here.
    pub fn from_api_json(body: &[u8]) -> Result<Self, BeaconError> {
        if body.len() > MAX_BEACON_JSON_BYTES {
            return Err(BeaconError::TooLong);
        }
        let answer: ApiAnswer =
            serde_json::from_slice(body).map_err(|e| BeaconError::NotJson(e.to_string()))?;
        let beacon = Self {
            round: answer.round,
            signature: api_hex(&answer.signature)?,
            previous_signature: api_hex(answer.previous_signature.as_deref().unwrap_or_default())?,
        };
        match answer.randomness {
            Some(claimed) if api_hex(&claimed)? != beacon.randomness() => {
                Err(BeaconError::Randomness)
            }
            _ => Ok(beacon),
        }
    }

    fn randomness(&self) -> Hash {
        sha256(&[&self.signature])
    }
}

/// As drand's servers spell it; they may add fields.
#[derive(Deserialize)]
struct ApiAnswer {
    round: u64,
    signature: String,
    randomness: Option<String>,
    previous_signature: Option<String>,
}

fn api_hex(text: &str) -> Result<Vec<u8>, BeaconError> {
    hex::decode(text).map_err(|e| BeaconError::NotJson(e.to_string()))
}

fn constant<T: TryFrom<Vec<u8>>>(text: &str) -> T {
    let bytes = hex::decode(text).expect("the constant is hex");
    T::try_from(bytes)
        .ok()
        .expect("the constant has its length")
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BeaconError {
    #[error(
        "the beacon's answer is longer than {MAX_BEACON_JSON_BYTES} bytes; ask another drand server"
    )]
    TooLong,
    #[error("the beacon's answer cannot be read ({0}); ask another drand server")]
    NotJson(String),
    #[error("the beacon's randomness is not the hash of its signature; ask another drand server")]
    Randomness,
    #[error("the signature of round {round} is not by the network's key")]
    Signature { round: u64 },
    #[error("a chained beacon needs the signature of the round before")]
    PreviousMissing,
    #[error("this network does not chain its rounds, so a previous signature has no place here")]
    PreviousUnused,
}
