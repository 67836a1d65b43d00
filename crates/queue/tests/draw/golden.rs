//! The worked example of docs/draw.md, recomputed: the document must hold each value.

use std::path::{Path, PathBuf};

use usher_queue::draw::{MerkleTree, Record, verify_file, verify_record};

use super::sample::{drand_draw, fan, fans, public_value_draw, written};

/// The example of the document has five fans.
const FANS: u64 = 5;

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

fn vectors() -> Vec<(&'static str, String)> {
    let Record { header, places } = drand_draw(FANS);
    let mut vectors = vec![
        ("commitment", hex::encode(header.commitment)),
        ("root", hex::encode(header.root)),
        ("seed", hex::encode(header.seed)),
        (
            "signature of the root's notice",
            hex::encode(header.signature),
        ),
        (
            "commitment by public value",
            hex::encode(public_value_draw(FANS).header.commitment),
        ),
        (
            "seed by public value",
            hex::encode(public_value_draw(FANS).header.seed),
        ),
    ];
    vectors.extend(
        places
            .iter()
            .map(|place| ("place", format!("{} {}", place.number, place.fan))),
    );
    let list = fans(FANS);
    let proof = MerkleTree::new(&list)
        .proof(list.index_of(&fan(4)).unwrap())
        .unwrap();
    vectors.push(("inclusion proof", serde_json::to_string(&proof).unwrap()));
    vectors
}

#[test]
fn the_document_holds_every_vector() {
    let document = std::fs::read_to_string(docs().join("draw.md")).unwrap();
    for (name, value) in vectors() {
        assert!(
            document.contains(&value),
            "docs/draw.md lacks the {name} {value}"
        );
    }
}

#[test]
fn the_example_record_is_the_one_drawn_here() {
    let record = drand_draw(FANS);
    verify_record(&record).unwrap();
    let path = docs().join("draw/example.record");
    assert_eq!(std::fs::read(&path).unwrap(), written(&record));
    assert!(verify_file(&path, &mut std::io::sink()).unwrap());
}
