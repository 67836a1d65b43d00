//! Joins that need no line, over HTTP: an event without a waiting room, an empty
//! line with capacity to spare; and how requests that are wrong are refused.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use common::fan::Fan;
use common::http::Target;
use common::process::Usher;
use common::{import_event, set_rate, settings, signing_keys, wait_for};
use serde_json::{Value, json};
use usher_sandbox::Sandbox;
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(15);

/// How a new fan stands by the answer to the join itself.
fn join(edge: &Target, event: &str) -> Value {
    let path = format!("/api/v1/events/{event}/queue");
    let body = json!({ "client_join_id": Uuid::new_v4().to_string() });
    let answer = edge.call("POST", &path, None, Some(&body)).unwrap();
    answer.expect(201)
}

#[tokio::test]
async fn without_a_room_a_join_is_answered_admitted_unless_paused() {
    let sandbox = Sandbox::start().await.unwrap();
    let set = settings(&sandbox, &signing_keys());
    let usher = Usher::serve("all", &set);
    let (edge, event) = (usher.target(), import_event(&set));
    set_rate(&edge, &event, None);
    let first = Fan::join(&edge, &event);
    let pool = sqlx::PgPool::connect(&sandbox.postgres.url())
        .await
        .unwrap();
    sqlx::query("UPDATE lines SET room = 'off', revision = revision + 1")
        .execute(&pool)
        .await
        .unwrap();
    // The pause holds also once the leader has told Redis that there is no room.
    let status = format!("/api/v1/admin/events/{event}/status");
    wait_for(PATIENCE, "the leader took the settings", || {
        let answer = edge.get(&status, Some(common::API_KEY)).ok()?;
        let reason = answer.json()["reason"].as_str()?.to_owned();
        reason.starts_with("There is no waiting room").then_some(())
    });
    assert_eq!(join(&edge, &event)["standing"], "waiting");

    set_rate(&edge, &event, Some(1));
    let joined = join(&edge, &event);
    assert_eq!(joined["standing"], "admitted", "{joined}");
    first.wait_for_turn(&edge);
}

#[tokio::test]
async fn an_empty_line_with_capacity_to_spare_is_passed_at_once() {
    let sandbox = Sandbox::start().await.unwrap();
    let set = settings(&sandbox, &signing_keys());
    let usher = Usher::serve("all", &set);
    let (edge, event) = (usher.target(), import_event(&set));
    set_rate(&edge, &event, Some(600));
    // The leader gives passes in a second in which it sees an empty line.
    let status = format!("/api/v1/admin/events/{event}/status");
    let joined = wait_for(PATIENCE, "a join passes at once", || {
        wait_for(PATIENCE, "the leader sees an empty line", || {
            let answer = edge.get(&status, Some(common::API_KEY)).ok()?;
            (answer.json()["waiting"] == 0).then_some(())
        });
        let joined = join(&edge, &event);
        (joined["standing"] == "admitted").then_some(joined)
    });
    let token = joined["queue_token"].as_str().unwrap();
    let claim = format!("/api/v1/events/{event}/queue/claim");
    let claimed = edge.call("POST", &claim, Some(token), None).unwrap();
    assert!(claimed.expect(200)["access_token"].is_string());

    // The queue token opens nothing, also when the fan is in.
    let hold = format!("/api/v1/events/{event}/reservations");
    let form = json!({
        "client_reservation_id": Uuid::new_v4().to_string(),
        "tiers": [{ "tier": "standing", "count": 1 }],
    });
    let refused = edge.call("POST", &hold, Some(token), Some(&form)).unwrap();
    assert_eq!(refused.expect(401)["error"], "access_required");
}

/// A request as nobody's client would send it; returns status line and body.
fn post(edge: &Target, path: &str, content_type: &str, body: &str) -> (String, Value) {
    let mut stream = TcpStream::connect(edge.0).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: {content_type}\r\n\
         content-length: {}\r\n\r\n{body}",
        edge.0,
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.lines().next().unwrap().to_owned();
    let body = serde_json::from_str(body).unwrap_or_else(|_| panic!("not the envelope: {body}"));
    (status, body)
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_refused_in_the_envelope() {
    let sandbox = Sandbox::start().await.unwrap();
    let set = settings(&sandbox, &signing_keys());
    let usher = Usher::serve("all", &set);
    let (edge, event) = (usher.target(), import_event(&set));
    let path = format!("/api/v1/events/{event}/queue");
    let long = format!("{{\"client_join_id\": \"{}\"}}", "x".repeat(70_000));
    for (content_type, body, status, code) in [
        ("application/json", "{", "400", "malformed_json"),
        (
            "application/json",
            "{\"lane\": 7}",
            "422",
            "invalid_request",
        ),
        ("text/plain", "{}", "415", "unsupported_media_type"),
        ("application/json", &long, "413", "body_too_large"),
    ] {
        let (line, refusal) = post(&edge, &path, content_type, body);
        assert!(line.contains(status), "{line} {refusal}");
        assert_eq!(refusal["error"], code, "{line} {refusal}");
        assert!(refusal["message"].is_string());
    }
}

#[tokio::test]
async fn a_network_behind_a_trusted_proxy_shares_a_limit_that_strangers_cannot_choose() {
    let sandbox = Sandbox::start().await.unwrap();
    let set = settings(&sandbox, &signing_keys())
        .with("TRUSTED_PROXIES", "127.0.0.1")
        .with("JOINS_PER_NETWORK_PER_MINUTE", "3");
    let usher = Usher::serve("all", &set);
    let (edge, event) = (usher.target(), import_event(&set));
    set_rate(&edge, &event, None);
    let path = format!("/api/v1/events/{event}/queue");
    // Our own proxy wrote the last address; what a client claims stands before it.
    let join_from = |address: &str| {
        let as_json = format!("application/json\r\nx-forwarded-for: 198.51.100.9, {address}");
        post(&edge, &path, &as_json, "{}").0
    };
    for host in 1..=3 {
        let line = join_from(&format!("203.0.113.{host}"));
        assert!(line.contains("201"), "{line}");
    }
    assert!(join_from("203.0.113.4").contains("429"));
    assert!(join_from("203.0.114.4").contains("201"));
}
