//! Recomputes a draw from its record alone. Nothing in the record is believed: each value that can
//! be computed is computed and compared, and every difference found is told, not only the first.

use ring::signature::{ED25519, UnparsedPublicKey};
use usher_base::{EventId, FanId, Lane};

use super::bytes::Hash;
use super::commitment::{DrawSecret, commitment};
use super::merkle::{DuplicateFan, FanList};
use super::order::{seed, serving_order};
use super::record::{Place, Record, RecordHeader};
use super::rule::{EntropyError, EntropyRule, RuleError};
use super::statement::Statement;

/// One wrong input moves every fan; more lines than this help nobody.
const MAX_TOLD_PLACES: usize = 10;

/// What a record that holds says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    pub event: EventId,
    pub lane: Lane,
    pub fans: u32,
    pub root: Hash,
    pub seed: Hash,
    /// The rule and the entropy, in words.
    pub rule: String,
    pub entropy: String,
    pub warning: Option<Warning>,
}

/// What holds by its arithmetic and still rests on trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    #[error(
        "usher does not know this drand network as public: make sure that it does not belong to the operator"
    )]
    UnknownNetwork,
    #[error("an operator typed the public value in: compare it with its source")]
    TypedValue,
}

impl Warning {
    fn about(rule: &EntropyRule) -> Option<Self> {
        match rule {
            EntropyRule::Drand { chain, .. } => chain
                .public_name()
                .is_none()
                .then_some(Self::UnknownNetwork),
            EntropyRule::PublicValue { .. } => Some(Self::TypedValue),
        }
    }
}

/// One way in which a record contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    #[error("the entropy rule does not stand: {0}")]
    Rule(RuleError),
    #[error("the commitment is {}, but event, lane, rule and secret give {}", hex::encode(.published), hex::encode(.computed))]
    Commitment { published: Hash, computed: Hash },
    #[error("the header speaks of {header} fans, but {listed} are listed")]
    FanCount { header: u32, listed: usize },
    #[error("line {line} should have number {expected}, but has {found}")]
    Number {
        line: usize,
        expected: u32,
        found: u32,
    },
    #[error(transparent)]
    Duplicate(DuplicateFan),
    #[error("the root is {}, but the listed fans give {}", hex::encode(.published), hex::encode(.computed))]
    Root { published: Hash, computed: Hash },
    #[error("the entropy does not stand: {0}")]
    Entropy(EntropyError),
    #[error("the seed is {}, but secret, root and entropy give {}", hex::encode(.published), hex::encode(.computed))]
    Seed { published: Hash, computed: Hash },
    #[error("the notice of the root is not signed by the key {}", hex::encode(.key))]
    Signature { key: [u8; 32] },
    #[error("number {number} belongs to fan {computed}, but is given to {published}")]
    Fan {
        number: u32,
        published: FanId,
        computed: FanId,
    },
    #[error("{count} more lines differ")]
    MoreLines { count: usize },
}

/// Recomputes commitment, root, entropy and numbers. On `Err` there is at least one difference.
pub fn verify_record(record: &Record) -> Result<Summary, Vec<Difference>> {
    let mut differences = header_differences(&record.header);
    if record.header.fans as usize != record.places.len() {
        differences.push(Difference::FanCount {
            header: record.header.fans,
            listed: record.places.len(),
        });
    }
    tell_places(&mut differences, number_differences(&record.places));
    draw_differences(record, &mut differences);
    if differences.is_empty() {
        Ok(summary(record))
    } else {
        Err(differences)
    }
}

/// What the header alone shows: rule, commitment, signature.
fn header_differences(header: &RecordHeader) -> Vec<Difference> {
    let mut differences = Vec::new();
    differences.extend(header.rule.validate().err().map(Difference::Rule));
    let secret = DrawSecret::from_bytes(header.secret);
    let computed = commitment(header.event, &header.lane, &header.rule, &secret);
    if computed != header.commitment {
        differences.push(Difference::Commitment {
            published: header.commitment,
            computed,
        });
    }
    let key = UnparsedPublicKey::new(&ED25519, header.signed_by);
    if key
        .verify(&header.notice().canonical(), &header.signature)
        .is_err()
    {
        differences.push(Difference::Signature {
            key: header.signed_by,
        });
    }
    differences
}

/// The draw itself, done again: root, entropy, seed, numbers.
fn draw_differences(record: &Record, differences: &mut Vec<Difference>) {
    let header = &record.header;
    let list = FanList::new(record.places.iter().map(|place| place.fan).collect());
    if let Ok(list) = &list {
        let computed = list.root();
        if computed != header.root {
            differences.push(Difference::Root {
                published: header.root,
                computed,
            });
        }
    }
    let entropy = header
        .rule
        .randomness(&header.entropy, header.root_published_at);
    if let Ok(randomness) = &entropy {
        let computed = seed(
            &DrawSecret::from_bytes(header.secret),
            &header.root,
            randomness,
        );
        if computed != header.seed {
            differences.push(Difference::Seed {
                published: header.seed,
                computed,
            });
        }
    }
    if let Ok(list) = &list {
        // By the published root and seed: a difference in one of them is told once, above, and one
        // in a fan's line stays that fan's.
        let order = serving_order(&header.seed, list);
        tell_places(differences, fan_differences(&record.places, &order));
    }
    differences.extend(list.err().map(Difference::Duplicate));
    differences.extend(entropy.err().map(Difference::Entropy));
}

fn number_differences(places: &[Place]) -> impl Iterator<Item = Difference> {
    let check = |(expected, place): (u32, &Place)| {
        // Line 1 is the header.
        let line = expected as usize + 1;
        (place.number != expected).then_some(Difference::Number {
            line,
            expected,
            found: place.number,
        })
    };
    (1u32..).zip(places).filter_map(check)
}

fn fan_differences(places: &[Place], order: &[FanId]) -> impl Iterator<Item = Difference> {
    let check = |(number, (place, fan)): (u32, (&Place, &FanId))| {
        (place.fan != *fan).then_some(Difference::Fan {
            number,
            published: place.fan,
            computed: *fan,
        })
    };
    (1u32..).zip(places.iter().zip(order)).filter_map(check)
}

/// Adds the first few differences of lines and the count of the others.
fn tell_places(differences: &mut Vec<Difference>, mut found: impl Iterator<Item = Difference>) {
    differences.extend(found.by_ref().take(MAX_TOLD_PLACES));
    match found.count() {
        0 => {}
        count => differences.push(Difference::MoreLines { count }),
    }
}

fn summary(record: &Record) -> Summary {
    let header = &record.header;
    Summary {
        event: header.event,
        lane: header.lane.clone(),
        fans: header.fans,
        root: header.root,
        seed: header.seed,
        rule: header.rule.to_string(),
        entropy: header.entropy.to_string(),
        warning: Warning::about(&header.rule),
    }
}
