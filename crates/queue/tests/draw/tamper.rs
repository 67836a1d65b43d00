//! A record that was changed in any single way must be refused, and the report must say where.

use std::io::Cursor;

use proptest::prelude::*;
use usher_base::Timestamp;
use usher_queue::draw::{
    Difference, EntropyRule, Evidence, FormatError, Place, Record, Warning, read_record,
    verify_file, verify_record,
};

use super::drand::unknown_network;
use super::sample::{chained_draw, drand_draw, draw, fan, fans, public_value_draw, written};

fn read(bytes: &[u8]) -> Result<Record, FormatError> {
    read_record(&mut Cursor::new(bytes), &mut |_| Ok(()))
}

fn holds(bytes: &[u8]) -> bool {
    read(bytes).is_ok_and(|record| verify_record(&record).is_ok())
}

/// Applies one change to a good record and gives what the verifier says.
fn after(change: impl FnOnce(&mut Record)) -> Vec<Difference> {
    let mut record = drand_draw(50);
    change(&mut record);
    verify_record(&record).unwrap_err()
}

#[test]
fn honest_draws_hold() {
    for count in [0, 1, 2, 3, 50, 1000] {
        for record in [
            drand_draw(count),
            public_value_draw(count),
            chained_draw(count),
        ] {
            let summary = verify_record(&record).unwrap();
            assert_eq!(u64::from(summary.fans), count);
            assert_eq!(read(&written(&record)).unwrap(), record);
        }
    }
}

#[test]
fn what_rests_on_trust_is_told() {
    assert_eq!(verify_record(&drand_draw(5)).unwrap().warning, None);
    assert_eq!(
        verify_record(&public_value_draw(5)).unwrap().warning,
        Some(Warning::TypedValue)
    );
    let (chain, beacon) = unknown_network();
    let minute_before = chain.time_of_round(beacon.round).millis() - 60_000;
    let rule = EntropyRule::Drand {
        chain,
        min_delay_s: 60,
    };
    let record = draw(
        &fans(5),
        rule,
        Evidence::Drand { beacon },
        Timestamp::from_millis(minute_before),
    );
    assert_eq!(
        verify_record(&record).unwrap().warning,
        Some(Warning::UnknownNetwork)
    );
}

#[test]
fn a_tampered_number_is_told_with_its_line() {
    let differences = after(|record| record.places[9].number = 3);
    assert_eq!(
        differences,
        [Difference::Number {
            line: 11,
            expected: 10,
            found: 3
        }]
    );
}

#[test]
fn swapped_fans_are_told_with_both_numbers() {
    let record = drand_draw(50);
    let (fourth, ninth) = (record.places[3].fan, record.places[8].fan);
    let differences = after(|record| {
        record.places[3].fan = ninth;
        record.places[8].fan = fourth;
    });
    let expected = [
        Difference::Fan {
            number: 4,
            published: ninth,
            computed: fourth,
        },
        Difference::Fan {
            number: 9,
            published: fourth,
            computed: ninth,
        },
    ];
    assert_eq!(differences, expected);
}

#[test]
fn missing_extra_and_replaced_fans_change_the_root() {
    let root = |d: &Difference| matches!(d, Difference::Root { .. });
    let missing = after(|record| {
        record.places.pop();
    });
    assert!(
        missing.iter().any(root)
            && missing.contains(&Difference::FanCount {
                header: 50,
                listed: 49
            })
    );
    let extra = after(|record| {
        record.places.push(Place {
            number: 51,
            fan: fan(999),
        })
    });
    assert!(
        extra.iter().any(root)
            && extra.contains(&Difference::FanCount {
                header: 50,
                listed: 51
            })
    );
    let replaced = after(|record| record.places[20].fan = fan(999));
    assert!(replaced.iter().any(root));
    let twice = after(|record| record.places[20].fan = record.places[21].fan);
    assert!(twice.iter().any(|d| matches!(d, Difference::Duplicate(_))));
}

#[test]
fn another_secret_root_or_seed_is_told() {
    let differences = after(|record| record.header.secret[31] ^= 1);
    assert!(
        matches!(
            differences[..],
            [Difference::Commitment { .. }, Difference::Seed { .. }]
        ),
        "{differences:?}"
    );
    let differences = after(|record| record.header.root[0] ^= 1);
    assert!(
        matches!(
            differences[..],
            [
                Difference::Signature { .. },
                Difference::Root { .. },
                Difference::Seed { .. }
            ]
        ),
        "{differences:?}"
    );
    let differences = after(|record| record.header.seed[0] ^= 1);
    assert!(matches!(differences[0], Difference::Seed { .. }));
    assert!(
        matches!(differences[11], Difference::MoreLines { count: 10.. }),
        "{differences:?}"
    );
}

#[test]
fn other_entropy_or_another_rule_is_told() {
    let entropy = |d: &Difference| matches!(d, Difference::Entropy(_));
    let other_signature = after(|record| {
        let Evidence::Drand { beacon } = &mut record.header.entropy else {
            unreachable!()
        };
        beacon.signature[10] ^= 1;
    });
    assert!(other_signature.iter().any(entropy));
    let other_kind = after(|record| record.header.entropy = public_value_draw(1).header.entropy);
    assert!(other_kind.iter().any(entropy));
    let later_root = after(|record| {
        record.header.root_published_at =
            Timestamp::from_millis(record.header.root_published_at.millis() + 3000);
    });
    assert!(later_root.iter().any(entropy));
    let other_rule = after(|record| record.header.rule = public_value_draw(1).header.rule);
    assert!(
        other_rule
            .iter()
            .any(|d| matches!(d, Difference::Commitment { .. }))
    );
}

/// Even for one fan, whom every order gives number 1.
#[test]
fn another_public_value_is_told_for_any_number_of_fans() {
    for count in [0, 1, 2, 50] {
        let mut record = public_value_draw(count);
        record.header.entropy = Evidence::PublicValue {
            value: "3 14 15 26 35 48".into(),
        };
        let differences = verify_record(&record).unwrap_err();
        assert!(
            differences
                .iter()
                .any(|d| matches!(d, Difference::Seed { .. })),
            "{count} fans"
        );
    }
}

#[test]
fn a_line_more_or_less_or_cut_off_is_refused() {
    let bytes = written(&drand_draw(20));
    assert!(holds(&bytes));
    for cut in 0..bytes.len() {
        assert!(!holds(&bytes[..cut]), "cut to {cut} bytes");
    }
    assert!(!holds(&[&bytes[..], b"\n"].concat()));
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    for index in 0..lines.len() {
        let mut fewer = lines.clone();
        let line = fewer.remove(index);
        assert!(!holds(&fewer.concat()), "without line {}", index + 1);
        fewer.insert(index, line);
        fewer.insert(index, line);
        assert!(!holds(&fewer.concat()), "line {} twice", index + 1);
    }
}

#[test]
fn other_spellings_of_a_line_are_refused() {
    let text = String::from_utf8(written(&drand_draw(3))).unwrap();
    let fan = text.lines().nth(1).unwrap();
    for other in [
        format!("0{fan}"),
        format!("+{fan}"),
        format!("{fan} "),
        fan.to_uppercase(),
        fan.replace(' ', "  "),
    ] {
        let changed = text.replace(fan, &other);
        assert!(
            matches!(
                read(changed.as_bytes()),
                Err(FormatError::Place { line: 2 })
            ),
            "{other}"
        );
    }
    let spaced = text.replacen("{\"format\":", "{ \"format\":", 1);
    assert!(matches!(
        read(spaced.as_bytes()),
        Err(FormatError::OtherSpelling)
    ));
    let endless = vec![b'{'; 100_000];
    assert!(matches!(
        read(&endless),
        Err(FormatError::LineEnd { line: 1, .. })
    ));
}

#[test]
fn the_report_tells_accepted_from_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let report = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let mut out = Vec::new();
        let accepted = verify_file(&path, &mut out).unwrap();
        (accepted, String::from_utf8(out).unwrap())
    };
    let good = drand_draw(100);
    let (accepted, text) = report("good", &written(&good));
    assert!(
        accepted && text.contains("ACCEPTED: all 100 numbers"),
        "{text}"
    );
    assert!(text.contains(&hex::encode(good.header.root)), "{text}");

    let mut bad = good;
    bad.header.secret[0] ^= 1;
    let (accepted, text) = report("bad", &written(&bad));
    assert!(
        !accepted && text.contains("REJECTED") && text.contains("commitment"),
        "{text}"
    );
    let (accepted, text) = report("garbage", b"hello\n");
    assert!(
        !accepted && text.contains("REJECTED") && text.contains("line 1"),
        "{text}"
    );
    assert!(verify_file(&folder.path().join("absent"), &mut Vec::new()).is_err());
}

/// Every byte of every kind of record, with the bit that tells neighbours and the one that tells case.
#[test]
fn any_changed_byte_is_refused() {
    for record in [drand_draw(3), public_value_draw(3), chained_draw(3)] {
        let bytes = written(&record);
        for index in 0..bytes.len() {
            for flip in [0x01, 0x20] {
                let mut changed = bytes.clone();
                changed[index] ^= flip;
                assert!(
                    !holds(&changed),
                    "byte {index}: {}",
                    String::from_utf8_lossy(&changed)
                );
            }
        }
    }
}

proptest! {
    #[test]
    fn any_two_exchanged_fans_are_refused(count in 2u64..200, a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>()) {
        let mut record = public_value_draw(count);
        let (a, b) = (a.index(record.places.len()), b.index(record.places.len()));
        prop_assume!(a != b);
        let (fan_a, fan_b) = (record.places[a].fan, record.places[b].fan);
        record.places[a].fan = fan_b;
        record.places[b].fan = fan_a;
        prop_assert_eq!(verify_record(&record).unwrap_err().len(), 2);
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
        prop_assert!(!holds(&bytes));
    }
}
