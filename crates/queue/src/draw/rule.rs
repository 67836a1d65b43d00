//! The entropy rule: which public randomness will decide the draw. It is part of the commitment, so
//! it cannot be chosen once something is known, and it is checked against the time of the root, so
//! the list was final before the randomness existed.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use usher_base::Timestamp;

use super::bytes::{Fields, Hash, is_plain_text, sha256};
use super::drand::{Beacon, BeaconError, DrandChain};

/// So long the root is out before the entropy may come.
pub const MIN_DELAY_S: u64 = 60;
const MAX_DELAY_S: u64 = 86_400;
const MAX_PERIOD_S: u64 = 3600;
/// The end of the year 9999, the last that RFC 3339 can write.
const MAX_GENESIS_S: u64 = 253_402_300_799;
const MAX_TEXT_BYTES: usize = 1000;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "source", rename_all = "snake_case", deny_unknown_fields)]
pub enum EntropyRule {
    /// The network's first round at least `min_delay_s` after the root.
    Drand { chain: DrandChain, min_delay_s: u64 },
    /// A value that everybody can see, such as the numbers of a state lottery, entered by an
    /// operator exactly as the description says.
    PublicValue {
        description: String,
        not_before: Timestamp,
    },
}

/// What a draw with a published root waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    Round { round: u64, at: Timestamp },
    Value { not_before: Timestamp },
}

/// The entropy that came, with all that is needed to check it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "source", rename_all = "snake_case", deny_unknown_fields)]
pub enum Evidence {
    Drand { beacon: Beacon },
    PublicValue { value: String },
}

impl EntropyRule {
    /// quicknet, a minute after the root.
    pub fn default_drand() -> Self {
        Self::Drand {
            chain: DrandChain::quicknet(),
            min_delay_s: MIN_DELAY_S,
        }
    }

    /// Refuses rules that could not be kept, or that only look like a known network.
    pub fn validate(&self) -> Result<(), RuleError> {
        match self {
            Self::Drand { chain, min_delay_s } => {
                let poses =
                    |(_, known): &(&str, DrandChain)| known.hash == chain.hash && known != chain;
                if DrandChain::known().iter().any(poses) {
                    return Err(RuleError::PosesAsKnown);
                }
                if !(MIN_DELAY_S..=MAX_DELAY_S).contains(min_delay_s) {
                    return Err(RuleError::Delay);
                }
                if !(1..=MAX_PERIOD_S).contains(&chain.period_s) {
                    return Err(RuleError::Period);
                }
                if chain.genesis_time > MAX_GENESIS_S {
                    return Err(RuleError::Genesis);
                }
                if !chain.has_usable_key() {
                    return Err(RuleError::Key);
                }
                Ok(())
            }
            Self::PublicValue { description, .. } if is_plain_text(description, MAX_TEXT_BYTES) => {
                Ok(())
            }
            Self::PublicValue { .. } => Err(RuleError::Description),
        }
    }

    /// The bytes that the commitment hashes.
    pub(super) fn canonical(&self) -> Vec<u8> {
        let fields = match self {
            Self::Drand { chain, min_delay_s } => chain
                .canonical(Fields::tagged("drand"))
                .number(*min_delay_s),
            Self::PublicValue {
                description,
                not_before,
            } => Fields::tagged("public_value")
                .bytes(description.as_bytes())
                .time(*not_before),
        };
        fields.finish()
    }

    /// What decides a draw whose root went out at `root_published_at`.
    pub fn due(&self, root_published_at: Timestamp) -> Result<Due, RuleError> {
        match self {
            Self::Drand { chain, min_delay_s } => {
                let round =
                    chain.first_round_at(root_published_at.plus(Duration::from_secs(*min_delay_s)));
                Ok(Due::Round {
                    round,
                    at: chain.time_of_round(round),
                })
            }
            Self::PublicValue { not_before, .. }
                if root_published_at.plus(Duration::from_secs(MIN_DELAY_S)) > *not_before =>
            {
                Err(RuleError::RootTooLate {
                    not_before: *not_before,
                })
            }
            Self::PublicValue { not_before, .. } => Ok(Due::Value {
                not_before: *not_before,
            }),
        }
    }

    /// The 32 random bytes of the draw, if the evidence is what the rule named.
    pub fn randomness(
        &self,
        evidence: &Evidence,
        root_published_at: Timestamp,
    ) -> Result<Hash, EntropyError> {
        match (self, self.due(root_published_at)?, evidence) {
            (Self::Drand { chain, .. }, Due::Round { round, .. }, Evidence::Drand { beacon }) => {
                if beacon.round != round {
                    return Err(EntropyError::WrongRound {
                        expected: round,
                        found: beacon.round,
                    });
                }
                Ok(chain.verify(beacon)?)
            }
            (_, Due::Value { .. }, Evidence::PublicValue { value }) => {
                if !is_plain_text(value, MAX_TEXT_BYTES) {
                    return Err(EntropyError::Value);
                }
                let bytes = Fields::tagged("usher-public-value-1")
                    .bytes(value.as_bytes())
                    .finish();
                Ok(sha256(&[&bytes]))
            }
            _ => Err(EntropyError::OtherSource),
        }
    }
}

impl fmt::Display for EntropyRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Drand { chain, min_delay_s } => {
                let hash = hex::encode(chain.hash);
                let network = chain.public_name().unwrap_or("a drand network of its own");
                write!(
                    f,
                    "{network}, chain {hash}: its first round at least {min_delay_s} s after the root"
                )
            }
            Self::PublicValue {
                description,
                not_before,
            } => {
                write!(
                    f,
                    "a public value, known at {} or later: {description}",
                    not_before.to_rfc3339()
                )
            }
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Drand { beacon } => {
                write!(f, "round {} with the network's signature", beacon.round)
            }
            Self::PublicValue { value } => write!(f, "the value \"{value}\""),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    #[error(
        "the rule names a public drand network but gives it another key or other times; take the network's own"
    )]
    PosesAsKnown,
    #[error("the delay between root and entropy must be {MIN_DELAY_S} to {MAX_DELAY_S} seconds")]
    Delay,
    #[error("the period of a drand network must be 1 to {MAX_PERIOD_S} seconds")]
    Period,
    #[error("the genesis of a drand network must be a time before the year 10000")]
    Genesis,
    #[error("the public key of the drand network is not a key of its scheme")]
    Key,
    #[error(
        "the description of the public value must be 1 to {MAX_TEXT_BYTES} bytes of text on one line"
    )]
    Description,
    #[error(
        "the list was not final {MIN_DELAY_S} seconds before {}, when the public value could be known; \
         the draw cannot use it",
        not_before.to_rfc3339()
    )]
    RootTooLate { not_before: Timestamp },
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntropyError {
    #[error(transparent)]
    Rule(#[from] RuleError),
    #[error(transparent)]
    Beacon(#[from] BeaconError),
    #[error("the rule decides by round {expected}, not by round {found}")]
    WrongRound { expected: u64, found: u64 },
    #[error("the public value must be 1 to {MAX_TEXT_BYTES} bytes of text on one line")]
    Value,
    #[error("the entropy comes from another source than the rule names")]
    OtherSource,
}
