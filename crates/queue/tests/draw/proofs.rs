//! What a fan holds: a receipt, the signed notice of the root, and the proof of being in the list.

use proptest::prelude::*;
use ring::signature::{ED25519, UnparsedPublicKey};
use usher_base::{Lane, Timestamp};
use usher_queue::draw::{
    BadSignature, DuplicateFan, FanList, InclusionProof, MerkleTree, Receipt, Signed,
};

use super::sample::{drand_draw, event, fan, fans, public_key, sign};

fn receipt() -> Signed<Receipt> {
    let receipt = Receipt {
        event: event(),
        lane: Lane::main(),
        fan: fan(1),
        provisional_index: 17,
        commitment: [3; 32],
        received_at: Timestamp::from_millis(1_720_900_000_000),
    };
    Signed::new(receipt, sign)
}

#[test]
fn a_receipt_survives_json_and_holds_only_as_signed() {
    let key = UnparsedPublicKey::new(&ED25519, public_key());
    let kept: Signed<Receipt> =
        serde_json::from_str(&serde_json::to_string(&receipt()).unwrap()).unwrap();
    assert_eq!(kept, receipt());
    assert_eq!(kept.verify(&key), Ok(()));

    let changes: [fn(&mut Receipt); 6] = [
        |r| r.event = "0190a5d2-7c00-7000-8000-000000000002".parse().unwrap(),
        |r| r.lane = "presale".parse().unwrap(),
        |r| r.fan = fan(2),
        |r| r.provisional_index += 1,
        |r| r.commitment[0] ^= 1,
        |r| r.received_at = Timestamp::from_millis(r.received_at.millis() + 1),
    ];
    for (index, change) in changes.iter().enumerate() {
        let mut changed = receipt();
        change(&mut changed.statement);
        assert_eq!(changed.verify(&key), Err(BadSignature), "change {index}");
    }
    let other_key = UnparsedPublicKey::new(&ED25519, [9; 32]);
    assert_eq!(kept.verify(&other_key), Err(BadSignature));
}

#[test]
fn a_root_notice_cannot_pass_for_a_receipt() {
    let key = UnparsedPublicKey::new(&ED25519, public_key());
    let notice = Signed::new(drand_draw(3).header.notice(), sign);
    assert_eq!(notice.verify(&key), Ok(()));
    let posing = Signed {
        signature: notice.signature,
        ..receipt()
    };
    assert_eq!(posing.verify(&key), Err(BadSignature));
}

#[test]
fn one_set_of_fans_has_one_root_and_no_fan_twice() {
    let forth = FanList::new(vec![fan(1), fan(2), fan(3)]).unwrap();
    let back = FanList::new(vec![fan(3), fan(2), fan(1)]).unwrap();
    assert_eq!(forth.root(), back.root());
    assert_eq!(
        FanList::new(vec![fan(1), fan(2), fan(1)]),
        Err(DuplicateFan(fan(1)))
    );
}

#[test]
fn every_fan_of_every_small_list_is_proved_and_nobody_else() {
    for count in 0..70 {
        let list = fans(count);
        let tree = MerkleTree::new(&list);
        assert_eq!(tree.root(), list.root());
        for (index, fan) in list.as_slice().iter().enumerate() {
            let proof = tree.proof(index).unwrap();
            assert!(proof.verify(fan, &tree.root()), "fan {index} of {count}");
            assert!(!proof.verify(&super::sample::fan(1000), &tree.root()));
            assert_eq!(list.index_of(fan), Some(index));
        }
        assert_eq!(tree.proof(list.as_slice().len()), None);
    }
}

/// A path of three hashes never reaches the root of a list that needs four.
#[test]
fn a_proof_for_a_much_larger_list_proves_nothing() {
    let list = fans(5);
    let tree = MerkleTree::new(&list);
    let proof = tree.proof(0).unwrap();
    let larger = InclusionProof { size: 9, ..proof };
    assert!(!larger.verify(&list.as_slice()[0], &tree.root()));
}

proptest! {
    #[test]
    fn a_changed_proof_proves_nothing(count in 2u64..300, at in any::<prop::sample::Index>(), kind in 0..5, bit in 0usize..256) {
        let list = fans(count);
        let tree = MerkleTree::new(&list);
        let index = at.index(list.as_slice().len());
        let proof = tree.proof(index).unwrap();
        let mut changed = proof.clone();
        match kind {
            0 => changed.index = (changed.index + 1) % count,
            1 => { changed.path.pop(); }
            2 => changed.path.push([0; 32]),
            3 => changed.path[bit % proof.path.len()][bit / 8] ^= 1 << (bit % 8),
            _ => changed.path.insert(0, [0; 32]),
        }
        prop_assert!(!changed.verify(&list.as_slice()[index], &tree.root()));
        let json = serde_json::to_string(&proof).unwrap();
        prop_assert_eq!(serde_json::from_str::<InclusionProof>(&json).unwrap(), proof);
    }
}
