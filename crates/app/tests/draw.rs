//! A draw as the outside sees it, over real roles: gathered with receipts, bound
//! and frozen in public, decided, published, and checked by `usher verify-draw`.
#![allow(clippy::unwrap_used)]

mod common;

use common::fan::Fan;
use common::lottery::{OnSale, SOON, decide, lottery, rule_of_today, verdict};
use common::process::Usher;
use common::{settings, signing_keys, wait_for, wait_for_page};
use serde_json::{Value, json};
use usher_base::FanId;
use usher_base::signing::SigningKeys;
use usher_queue::Phase;
use usher_queue::draw::{InclusionProof, Receipt, Signed};
use usher_sandbox::Sandbox;

const FANS: usize = 60;

/// Each fan's own proof leads to the published root.
fn check_proofs(sale: &OnSale, fans: &[Fan], root_hex: &str) {
    for fan in fans {
        let path = format!("/api/v1/events/{}/draw/main/proof", sale.event);
        let answer = sale.booking.get(&path, Some(&fan.queue_token)).unwrap();
        let answer = answer.expect(200);
        let proof: InclusionProof = serde_json::from_value(answer["proof"].clone()).unwrap();
        let id: FanId = answer["fan_id"].as_str().unwrap().parse().unwrap();
        let mut root = [0; 32];
        hex::decode_to_slice(root_hex, &mut root).unwrap();
        assert!(proof.verify(&id, &root));
    }
}

/// Receipts hold, and name the commitment that the event shows.
fn check_receipt(answer: &Value, keys: &SigningKeys, draw: &Value) {
    let receipt: Signed<Receipt> = serde_json::from_value(answer.clone()).unwrap();
    let kid = receipt.kid.clone();
    let key = keys.public_key(&kid).unwrap();
    let key = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, key);
    assert!(receipt.verify(&key).is_ok());
    let commitment = hex::encode(receipt.statement.commitment);
    assert_eq!(draw["commitment"], commitment.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draw_can_be_checked_by_anybody_from_its_commitment_to_its_record() {
    let sandbox = Sandbox::start().await.unwrap();
    let keys = signing_keys();
    let settings = settings(&sandbox, &keys);
    let event = lottery(&sandbox, &settings).await;
    let booking = Usher::serve("booking", &settings);
    let _admission = Usher::serve("admission", &settings);
    let edge = Usher::serve(
        "edge",
        &settings
            .clone()
            .with("DATABASE_URL", "postgres://x@127.0.0.1:1/x"),
    );
    wait_for_page(&edge, &event);
    let sale = OnSale {
        event: event.clone(),
        edge: edge.target(),
        booking: booking.target(),
    };
    let rule = rule_of_today();
    assert_eq!(sale.admin("PUT", "draw/main/rule", &rule).0, 200);
    assert_eq!(sale.admin("PUT", "draw/main/rule", &rule).0, 409);
    sale.phase(Phase::Scheduled);
    sale.phase(Phase::Gathering);
    let bound = sale.draw("the commitment", |draw| draw["commitment"].is_string());
    assert!(bound["root"].is_null());

    let fans: Vec<Fan> = (0..FANS).map(|_| Fan::join(&sale.edge, &event)).collect();
    let known = SigningKeys::from_jwk_set(&keys, "x").unwrap();
    let receipt = format!("/api/v1/events/{event}/queue/receipt");
    let first = sale.edge.get(&receipt, Some(&fans[0].queue_token)).unwrap();
    check_receipt(&first.expect(200), &known, &bound);
    let value = json!({ "source": "public_value", "value": "3 11 19 24 40 47" });
    assert_eq!(sale.admin("POST", "draw/main/entropy", &value).0, 409);

    sale.phase(Phase::Drawing);
    let frozen = sale.draw("the root", |draw| draw["root"].is_object());
    assert_eq!(frozen["root"]["fans"], FANS);
    assert!(frozen["entropy"].is_null());
    assert_eq!(
        sale.booking.get(&sale.record_path(), None).unwrap().status,
        404
    );
    check_proofs(&sale, &fans, frozen["root"]["root"].as_str().unwrap());
    let beacon = json!({ "source": "drand", "beacon": { "round": 1, "signature": "00" } });
    assert_eq!(sale.admin("POST", "draw/main/entropy", &beacon).0, 422);
    let (status, early) = sale.admin("POST", "draw/main/entropy", &value);
    assert_eq!(
        (status, &early["error"]),
        (409, &json!("entropy_too_early"))
    );
    decide(&sandbox, &event, "3 11 19 24 40 47").await;
    sale.draw("the record's address", |draw| {
        draw["record_url"].is_string()
    });

    let record = sale.booking.get(&sale.record_path(), None).unwrap();
    assert_eq!(record.status, 200);
    assert!(record.head.contains("immutable"), "{}", record.head);
    let address = format!("http://{}{}", sale.booking.0, sale.record_path());
    assert!(verdict(&address));
    for fan in &fans {
        let place = wait_for(SOON, "the fan's number", || {
            fan.place(&sale.edge)
                .filter(|place| place["number"].is_u64())
        });
        let line = format!(
            "\n{} {}\n",
            place["number"],
            place["fan_id"].as_str().unwrap()
        );
        assert!(record.body.contains(&line), "{line}");
    }
    rejects_every_change(&record.body);
}

/// One change anywhere, and the record is refused.
fn rejects_every_change(record: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("record");
    let path = file.to_str().unwrap();
    let mut lines: Vec<String> = record.lines().map(str::to_owned).collect();
    let whole = |lines: &[String]| lines.join("\n") + "\n";
    std::fs::write(&file, whole(&lines)).unwrap();
    assert!(verdict(path));
    let header: Value = serde_json::from_str(&lines[0]).unwrap();
    for field in [
        "secret",
        "root",
        "commitment",
        "seed",
        "signed_by",
        "signature",
    ] {
        let known = header[field].as_str().unwrap();
        let digit = if known.starts_with('0') { "1" } else { "0" };
        let changed = format!("{digit}{}", &known[1..]);
        std::fs::write(&file, record.replacen(known, &changed, 1)).unwrap();
        assert!(!verdict(path), "{field}");
    }
    let (second, third) = (lines[1][2..].to_owned(), lines[2][2..].to_owned());
    lines[1] = format!("1 {third}");
    lines[2] = format!("2 {second}");
    std::fs::write(&file, whole(&lines)).unwrap();
    assert!(!verdict(path), "two fans swapped");
    let cut = &record[..record.trim_end().rfind('\n').unwrap() + 1];
    std::fs::write(&file, cut).unwrap();
    assert!(!verdict(path), "a fan left out");
}
