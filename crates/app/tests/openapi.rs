//! The API's description as the real process serves it: every call has a name
//! of its own, from which clients are generated.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;

use common::process::Usher;
use common::{settings, signing_keys};
use serde_json::Value;
use usher_sandbox::Sandbox;

#[tokio::test]
async fn every_call_has_a_name_of_its_own() {
    let sandbox = Sandbox::start().await.unwrap();
    let usher = Usher::serve("all", &settings(&sandbox, &signing_keys()));
    let answer = usher.target().get("/api/openapi.json", None).unwrap();
    let described = answer.expect(200);
    let mut names = BTreeSet::new();
    let mut calls = 0;
    for item in described["paths"].as_object().unwrap().values() {
        let of_path = item.as_object().unwrap().values();
        for call in of_path.filter(|call| call.get("responses").is_some()) {
            calls += 1;
            let name = call.get("operationId").and_then(Value::as_str).unwrap();
            assert!(names.insert(name.to_owned()), "{name} is there twice");
        }
    }
    assert!(calls > 40, "only {calls} calls are described");
}
