//! How long a draw of a million fans takes. Not part of the suite; run it in release to get figures:
//! `cargo test --release -p usher-queue --test draw million -- --ignored --nocapture`.

use std::time::Instant;

use usher_queue::draw::{MerkleTree, serving_order, verify_file, verify_record};

use super::sample::{drand_draw, fan, fans, written};

const FANS: u64 = 1_000_000;

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let done = work();
    println!("{what:<40} {:>6} ms", start.elapsed().as_millis());
    done
}

#[test]
#[ignore = "a measurement, for release builds"]
fn a_million_fans() {
    let list = timed("make and sort the list", || fans(FANS));
    timed("Merkle root", || list.root());
    let tree = timed("whole Merkle tree", || MerkleTree::new(&list));
    let index = list.index_of(&fan(4711)).unwrap();
    let proof = timed("one proof", || tree.proof(index).unwrap());
    assert!(proof.verify(&fan(4711), &tree.root()));
    let record = timed("a whole draw, list included", || drand_draw(FANS));
    timed("order by key", || serving_order(&record.header.seed, &list));
    let bytes = timed("write the record", || written(&record));
    println!(
        "{:<40} {:>6} MB",
        "size of the record",
        bytes.len() / 1_000_000
    );
    timed("verify the record in memory", || {
        verify_record(&record).unwrap()
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("million.record");
    std::fs::write(&path, &bytes).unwrap();
    let mut report = Vec::new();
    assert!(timed("usher verify-draw", || verify_file(
        &path,
        &mut report
    )
    .unwrap()));
    println!("{}", String::from_utf8(report).unwrap());
}
