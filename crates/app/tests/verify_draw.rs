//! `usher verify-draw` as anybody runs it, on the published example: the record
//! holds, and after any single change the program says so and fails.
#![allow(clippy::unwrap_used)]

mod common;

use common::process::{Ended, Settings, run};

const EXAMPLE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../docs/draw/example.record"
);

fn example() -> String {
    std::fs::read_to_string(EXAMPLE).unwrap()
}

fn verify(record: &str) -> Ended {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), record).unwrap();
    run(
        &["verify-draw", file.path().to_str().unwrap()],
        &Settings::default(),
    )
}

#[track_caller]
fn is_rejected(record: &str) {
    assert_ne!(record, example(), "nothing was changed");
    let ended = verify(record);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stdout.contains("REJECTED"), "{ended:?}");
}

#[test]
fn the_published_record_is_accepted() {
    let ended = verify(&example());
    assert!(ended.is_success(), "{ended:?}");
    assert!(ended.stdout.contains("ACCEPTED"), "{ended:?}");
}

#[test]
fn a_tampered_number_is_rejected() {
    is_rejected(&example().replace("\n2 ", "\n7 "));
}

#[test]
fn two_swapped_fans_are_rejected() {
    let record = example();
    let mut lines: Vec<&str> = record.lines().collect();
    let (second, third) = (
        lines[2].replacen('2', "3", 1),
        lines[3].replacen('3', "2", 1),
    );
    lines[2] = &third;
    lines[3] = &second;
    is_rejected(&(lines.join("\n") + "\n"));
}

#[test]
fn another_secret_is_rejected() {
    let record = example();
    let is = format!("\"secret\":\"{}\"", "5e".repeat(32));
    let other = format!("\"secret\":\"{}\"", "5f".repeat(32));
    is_rejected(&record.replace(&is, &other));
}
