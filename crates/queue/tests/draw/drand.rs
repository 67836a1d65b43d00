//! Rounds that drand's public networks really published, and what must not pass for them.

use proptest::prelude::*;
use usher_base::Timestamp;
use usher_queue::draw::{
    Beacon, BeaconError, DrandChain, Due, EntropyError, EntropyRule, Evidence,
    MAX_BEACON_JSON_BYTES, RuleError, Scheme,
};

use super::sample::{QUICKNET_9367912, ROOT_AT, public_value_rule};

pub const DEFAULT_3: &str = r#"{"round":3,"randomness":"5e0c316703de0d11cc63439a26a5082ce966f4f1e4068cd64b35fee906a0f84b","signature":"a7b0877eaea7a0222f4c39a2c03434c34f5fe3ea47c533d24b88e5c3053b84775ccb78e984addcb55173f40428513f280cc6e0fccc3c89bb1625c7c0b477deb6faae43fc6ec036f09233bf38da16586b3042dd01a7e9ed97c8bafa343cc6071e","previous_signature":"aa18facd2d51b616511d542de6f9af8a3b920121401dad1434ed1db4a565f10e04fad8d9b2b4e3e0094364374caafe9b10478bf75650124831509c638b5a36a7a232ec70289f8751a2adb47fc32eb70b57dc81c39d48cbcac9fec46cdfc31663"}"#;
const DEFAULT_1: &str = r#"{"round":1,"randomness":"101297f1ca7dc44ef6088d94ad5fb7ba03455dc33d53ddb412bbc4564ed986ec","signature":"8d61d9100567de44682506aea1a7a6fa6e5491cd27a0a0ed349ef6910ac5ac20ff7bc3e09d7c046566c9f7f3c6f3b10104990e7cb424998203d8f7de586fb7fa5f60045417a432684f85093b06ca91c769f0e7ca19268375e659c2a2352b4655","previous_signature":"176f93498eac9ca337150b46d21dd58673ea4e3581185f869672e59fa4cb390a"}"#;
/// Published without its randomness here: the field may be missing.
const DEFAULT_72785: &str = r#"{"round":72785,"signature":"82f5d3d2de4db19d40a6980e8aa37842a0e55d1df06bd68bddc8d60002e8e959eb9cfa368b3c1b77d18f02a54fe047b80f0989315f83b12a74fd8679c4f12aae86eaf6ab5690b34f1fddd50ee3cc6f6cdf59e95526d5a5d82aaa84fa6f181e42","previous_signature":"a609e19a03c2fcc559e8dae14900aaefe517cb55c840f6e69bc8e4f66c8d18e8a609685d9917efbfb0c37f058c2de88f13d297c7e19e0ab24813079efe57a182554ff054c7638153f9b26a60e7111f71a0ff63d9571704905d3ca6df0b031747"}"#;
const QUICKNET_1: &str = r#"{"round":1,"randomness":"1466a6cd24e327188770752f6134001c64d6efcc590ccc26b721611ad96f165a","signature":"b55e7cb2d5c613ee0b2e28d6750aabbb78c39dcc96bd9d38c2c2e12198df95571de8e8e402a0cc48871c7089a2b3af4b"}"#;
const QUICKNET_2: &str = r#"{"round":2,"randomness":"5782d6987841c654515a0e72b2d1ebb4e741234042c37cb19608ae50d93fb60c","signature":"b6b6a585449b66eb12e875b64fcbab3799861a00e4dbf092d99e969a5eac57dd3f798acf61e705fe4f093db926626807"}"#;
const QUICKNET_123: &str = r#"{"round":123,"signature":"b75c69d0b72a5d906e854e808ba7e2accb1542ac355ae486d591aa9d43765482e26cd02df835d3546d23c4b13e0dfc92","previous_signature":null}"#;

fn beacon(json: &str) -> Beacon {
    Beacon::from_api_json(json.as_bytes()).unwrap()
}

/// A private network (drand's own "walkthrough"), to stand for one that nobody knows.
pub fn unknown_network() -> (DrandChain, Beacon) {
    let chain = DrandChain {
        hash: hex::decode("af8b6fc95693b058a3a59efe586eb31c2c352fe00cf40c62a427d87c34f7a235").unwrap().try_into().unwrap(),
        public_key: hex::decode("81d320f220ee9c79e60e19dedc838c31e3ab919b15481e9feb52f643628c4f6a13fdc52129493875a818109d767272ca0541cbcdcea9335f2870d781b39b845ba8cbd44fdfe4967781cf72ca5917fc9398bcf97ca0548ed5a709016c4b1ff0f3").unwrap(),
        scheme: Scheme::UnchainedG1,
        genesis_time: 1_687_506_816,
        period_s: 3,
    };
    let round_38 = r#"{"round":38,"randomness":"b2fc21325a24904a6a9e81a6c63f65f6cec3f0b2400df3f4a56b214770e9ccca","signature":"95c93585c513ebbcb4777ff15599b3140e5ec0295faa0e483f3deadd88fa6d43f0d3703e3a4ce106e8fd6c6987f32126"}"#;
    (chain, beacon(round_38))
}

#[test]
fn published_rounds_verify() {
    for json in [QUICKNET_1, QUICKNET_2, QUICKNET_123, QUICKNET_9367912] {
        DrandChain::quicknet().verify(&beacon(json)).unwrap();
    }
    for json in [DEFAULT_1, DEFAULT_3, DEFAULT_72785] {
        DrandChain::league_of_entropy_default()
            .verify(&beacon(json))
            .unwrap();
    }
    let (chain, round) = unknown_network();
    chain.verify(&round).unwrap();
}

#[test]
fn randomness_is_what_drand_says() {
    let randomness = DrandChain::quicknet()
        .verify(&beacon(QUICKNET_9367912))
        .unwrap();
    assert_eq!(
        hex::encode(randomness),
        "a646d1f17493408fdd89ee2ff71a0d1eab6087f23fdef7f60a2baec60436a496"
    );
}

#[test]
fn valid_points_that_sign_something_else_are_refused() {
    let quicknet = DrandChain::quicknet();
    let other_round = Beacon {
        round: 2,
        ..beacon(QUICKNET_1)
    };
    assert_eq!(
        quicknet.verify(&other_round),
        Err(BeaconError::Signature { round: 2 })
    );
    let other_signature = Beacon {
        signature: beacon(QUICKNET_2).signature,
        ..beacon(QUICKNET_1)
    };
    assert_eq!(
        quicknet.verify(&other_signature),
        Err(BeaconError::Signature { round: 1 })
    );
    let (other_network, _) = unknown_network();
    assert_eq!(
        other_network.verify(&beacon(QUICKNET_1)),
        Err(BeaconError::Signature { round: 1 })
    );

    let default = DrandChain::league_of_entropy_default();
    let other_previous = Beacon {
        previous_signature: beacon(DEFAULT_1).signature,
        ..beacon(DEFAULT_3)
    };
    assert_eq!(
        default.verify(&other_previous),
        Err(BeaconError::Signature { round: 3 })
    );
}

#[test]
fn a_previous_signature_stands_only_where_it_is_signed() {
    let added = Beacon {
        previous_signature: vec![1],
        ..beacon(QUICKNET_1)
    };
    assert_eq!(
        DrandChain::quicknet().verify(&added),
        Err(BeaconError::PreviousUnused)
    );
    let dropped = Beacon {
        previous_signature: Vec::new(),
        ..beacon(DEFAULT_3)
    };
    assert_eq!(
        DrandChain::league_of_entropy_default().verify(&dropped),
        Err(BeaconError::PreviousMissing)
    );
}

/// With the point at infinity as key and as signature every pairing equation holds.
#[test]
fn the_point_at_infinity_is_neither_key_nor_signature() {
    let infinity = |length: usize| [&[0xc0][..], &vec![0; length - 1]].concat();
    let chain = DrandChain {
        public_key: infinity(96),
        hash: [1; 32],
        ..DrandChain::quicknet()
    };
    let forged = Beacon {
        round: 1,
        signature: infinity(48),
        previous_signature: Vec::new(),
    };
    assert_eq!(
        chain.verify(&forged),
        Err(BeaconError::Signature { round: 1 })
    );
    let rule = EntropyRule::Drand {
        chain,
        min_delay_s: 60,
    };
    assert_eq!(rule.validate(), Err(RuleError::Key));
}

#[test]
fn answers_that_cannot_be_right_are_refused() {
    let wrong = QUICKNET_1.replace("1466a6", "1466a7");
    assert_eq!(
        Beacon::from_api_json(wrong.as_bytes()),
        Err(BeaconError::Randomness)
    );
    let long = vec![b' '; MAX_BEACON_JSON_BYTES + 1];
    assert_eq!(Beacon::from_api_json(&long), Err(BeaconError::TooLong));
    for broken in [
        "",
        "{}",
        "[]",
        r#"{"round":-1,"signature":""}"#,
        r#"{"round":1,"signature":"zz"}"#,
    ] {
        assert!(
            matches!(
                Beacon::from_api_json(broken.as_bytes()),
                Err(BeaconError::NotJson(_))
            ),
            "{broken}"
        );
    }
}

#[test]
fn only_networks_that_are_what_they_say_become_rules() {
    let rule = |chain, min_delay_s| EntropyRule::Drand { chain, min_delay_s }.validate();
    let quicknet = DrandChain::quicknet;
    assert_eq!(rule(quicknet(), 60), Ok(()));
    assert_eq!(rule(DrandChain::league_of_entropy_default(), 60), Ok(()));
    assert_eq!(rule(unknown_network().0, 3600), Ok(()));
    assert_eq!(rule(quicknet(), 59), Err(RuleError::Delay));
    let posing = DrandChain {
        public_key: unknown_network().0.public_key,
        ..quicknet()
    };
    assert_eq!(rule(posing, 60), Err(RuleError::PosesAsKnown));
    let shifted = DrandChain {
        genesis_time: quicknet().genesis_time - 3,
        ..quicknet()
    };
    assert_eq!(rule(shifted, 60), Err(RuleError::PosesAsKnown));
    let own = DrandChain {
        hash: [1; 32],
        ..quicknet()
    };
    assert_eq!(
        rule(
            DrandChain {
                period_s: 0,
                ..own.clone()
            },
            60
        ),
        Err(RuleError::Period)
    );
    assert_eq!(
        rule(
            DrandChain {
                genesis_time: u64::MAX,
                ..own.clone()
            },
            60
        ),
        Err(RuleError::Genesis)
    );
    assert_eq!(
        rule(
            DrandChain {
                scheme: Scheme::Chained,
                ..own
            },
            60
        ),
        Err(RuleError::Key)
    );
}

#[test]
fn the_round_of_a_draw_is_the_first_a_minute_after_the_root() {
    let rule = EntropyRule::default_drand();
    let due = rule.due(ROOT_AT).unwrap();
    assert_eq!(
        due,
        Due::Round {
            round: 9_367_912,
            at: Timestamp::from_millis(1_720_907_100_000)
        }
    );
    let before = Timestamp::from_millis(0);
    assert!(matches!(
        rule.due(before).unwrap(),
        Due::Round { round: 1, .. }
    ));
}

#[test]
fn entropy_must_be_the_one_that_the_rule_names() {
    let drand = EntropyRule::default_drand();
    let other_round = Evidence::Drand {
        beacon: beacon(QUICKNET_123),
    };
    assert_eq!(
        drand.randomness(&other_round, ROOT_AT),
        Err(EntropyError::WrongRound {
            expected: 9_367_912,
            found: 123
        })
    );
    let value = Evidence::PublicValue {
        value: "1 2 3".into(),
    };
    assert_eq!(
        drand.randomness(&value, ROOT_AT),
        Err(EntropyError::OtherSource)
    );
    let lottery = public_value_rule();
    let drand_round = Evidence::Drand {
        beacon: beacon(QUICKNET_9367912),
    };
    assert_eq!(
        lottery.randomness(&drand_round, ROOT_AT),
        Err(EntropyError::OtherSource)
    );
    let escape = Evidence::PublicValue {
        value: "1\u{1b}[2K".into(),
    };
    assert_eq!(
        lottery.randomness(&escape, ROOT_AT),
        Err(EntropyError::Value)
    );
}

#[test]
fn a_public_value_is_no_use_once_it_may_be_known() {
    let EntropyRule::PublicValue { not_before, .. } = public_value_rule() else {
        unreachable!()
    };
    let minute_before = Timestamp::from_millis(not_before.millis() - 60_000);
    assert_eq!(
        public_value_rule().due(minute_before),
        Ok(Due::Value { not_before })
    );
    let late = Timestamp::from_millis(minute_before.millis() + 1);
    assert_eq!(
        public_value_rule().due(late),
        Err(RuleError::RootTooLate { not_before })
    );
}

proptest! {
    #[test]
    fn the_first_round_at_a_time_is_the_first(millis in 1_500_000_000_000i64..4_000_000_000_000, default in any::<bool>()) {
        let chain = if default { DrandChain::league_of_entropy_default() } else { DrandChain::quicknet() };
        let time = Timestamp::from_millis(millis);
        let round = chain.first_round_at(time);
        prop_assert!(chain.time_of_round(round) >= time);
        prop_assert!(round == 1 || chain.time_of_round(round - 1) < time);
    }

    #[test]
    fn extreme_parameters_do_not_overflow(millis in any::<i64>(), genesis_time in any::<u64>(), period_s in any::<u64>(), round in any::<u64>()) {
        let chain = DrandChain { genesis_time, period_s, ..DrandChain::quicknet() };
        let round_then = chain.first_round_at(Timestamp::from_millis(millis));
        prop_assert!(round_then >= 1);
        prop_assert!(chain.time_of_round(round) <= chain.time_of_round(u64::MAX));
    }

    #[test]
    fn a_changed_signature_is_refused(byte in 0usize..48, flip in 1u8..) {
        let mut tampered = beacon(QUICKNET_9367912);
        tampered.signature[byte] ^= flip;
        prop_assert_eq!(DrandChain::quicknet().verify(&tampered), Err(BeaconError::Signature { round: 9_367_912 }));
    }

    #[test]
    fn any_answer_is_read_without_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Beacon::from_api_json(&body);
    }
}
