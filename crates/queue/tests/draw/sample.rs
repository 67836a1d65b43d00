//! Draws to test with, made of published drand rounds and fixed keys, the same in every run.

use ring::digest::{SHA256, digest};
use ring::signature::{Ed25519KeyPair, KeyPair};
use usher_base::{EventId, FanId, Lane, Timestamp};
use usher_queue::draw::{
    Beacon, DrandChain, DrawSecret, EntropyRule, Evidence, FanList, Hash, Place, Record,
    RecordFormat, RecordHeader, RootNotice, Signed, commitment, seed, serving_order, write_record,
};

/// quicknet round 9367912, as its servers answer it.
pub const QUICKNET_9367912: &str = r#"{"round":9367912,"randomness":"a646d1f17493408fdd89ee2ff71a0d1eab6087f23fdef7f60a2baec60436a496","signature":"845091b99635a8a5f93a15cd8622fae0c7ee5307fb5b888dc67ee4fe997b5b326dbd637bd7ab39e3188fd507ea94b314"}"#;
/// The first half second in which a root leads to round 9367912 as the first after a minute.
pub const ROOT_AT: Timestamp = Timestamp::from_millis(1_720_907_038_500);

pub fn fan(index: u64) -> FanId {
    let hash = digest(&SHA256, format!("fan {index}").as_bytes());
    FanId::from_bytes(hash.as_ref()[..16].try_into().unwrap())
}

pub fn fans(count: u64) -> FanList {
    FanList::new((0..count).map(fan).collect()).unwrap()
}

pub fn event() -> EventId {
    "0190a5d2-7c00-7000-8000-000000000001".parse().unwrap()
}

pub fn secret() -> DrawSecret {
    DrawSecret::from_bytes([0x5e; 32])
}

pub fn signing_key() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

pub fn sign(bytes: &[u8]) -> (&'static str, [u8; 64]) {
    ("k1", signing_key().sign(bytes).as_ref().try_into().unwrap())
}

pub fn public_key() -> [u8; 32] {
    signing_key().public_key().as_ref().try_into().unwrap()
}

/// A finished draw as the leader would make it.
pub fn draw(
    list: &FanList,
    rule: EntropyRule,
    entropy: Evidence,
    root_published_at: Timestamp,
) -> Record {
    let commitment = commitment(event(), &Lane::main(), &rule, &secret());
    let root: Hash = list.root();
    let notice = RootNotice {
        event: event(),
        lane: Lane::main(),
        commitment,
        fans: u32::try_from(list.as_slice().len()).unwrap(),
        root,
        root_published_at,
    };
    let signed = Signed::new(notice, sign);
    let randomness = rule.randomness(&entropy, root_published_at).unwrap();
    let seed = seed(&secret(), &root, &randomness);
    let order = serving_order(&seed, list);
    Record {
        header: RecordHeader {
            format: RecordFormat::Version1,
            event: event(),
            lane: Lane::main(),
            fans: signed.statement.fans,
            rule,
            commitment,
            secret: *secret().reveal(),
            root,
            root_published_at,
            entropy,
            seed,
            signed_by: public_key(),
            signature: signed.signature,
        },
        places: (1..)
            .zip(order)
            .map(|(number, fan)| Place { number, fan })
            .collect(),
    }
}

pub fn drand_draw(count: u64) -> Record {
    let beacon = Beacon::from_api_json(QUICKNET_9367912.as_bytes()).unwrap();
    draw(
        &fans(count),
        EntropyRule::default_drand(),
        Evidence::Drand { beacon },
        ROOT_AT,
    )
}

pub fn public_value_rule() -> EntropyRule {
    EntropyRule::PublicValue {
        description: "the six numbers of the state lottery of 13 July 2024, ascending, separated by single spaces".into(),
        not_before: Timestamp::from_millis(1_720_908_000_000),
    }
}

pub fn public_value_draw(count: u64) -> Record {
    let value = Evidence::PublicValue {
        value: "3 14 15 26 35 49".into(),
    };
    draw(&fans(count), public_value_rule(), value, ROOT_AT)
}

pub fn chained_draw(count: u64) -> Record {
    let chain = DrandChain::league_of_entropy_default();
    let beacon = Beacon::from_api_json(super::drand::DEFAULT_3.as_bytes()).unwrap();
    let root_at = Timestamp::from_millis(i64::try_from(chain.genesis_time).unwrap() * 1000);
    draw(
        &fans(count),
        EntropyRule::Drand {
            chain,
            min_delay_s: 60,
        },
        Evidence::Drand { beacon },
        root_at,
    )
}

pub fn written(record: &Record) -> Vec<u8> {
    let order: Vec<FanId> = record.places.iter().map(|place| place.fan).collect();
    let mut bytes = Vec::new();
    write_record(&mut bytes, &record.header, &order).unwrap();
    bytes
}
