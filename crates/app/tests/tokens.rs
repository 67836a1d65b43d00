//! Each way a queue token can be wrong is refused over HTTP with a code of its
//! own; and an operator can ask why a fan was let in.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::fan::Fan;
use common::process::{Usher, run};
use common::{API_KEY, import_event, set_rate, settings, signing_keys, wait_for, wait_for_page};
use usher_base::signing::SigningKeys;
use usher_base::{Clock as _, Epoch, EventId, FanId, Lane, SystemClock, Timestamp};
use usher_queue::{QUEUE_TOKEN_LIFETIME, QueueClaims, Tokens};
use usher_sandbox::Sandbox;

const ISSUER: &str = "http://127.0.0.1:8080";

/// A token like usher's own, made by whoever holds `keys`.
fn token(keys: &str, issuer: &str, event: EventId, at: Timestamp) -> String {
    let claims = QueueClaims {
        sub: FanId::from_bytes([7; 16]),
        lane: Lane::main(),
        number: None,
        epoch: Epoch(1),
        generation: 0,
    };
    let keys = SigningKeys::from_jwk_set(keys, issuer).unwrap();
    claims.issue(&Tokens::new(Arc::new(keys)), event, at, &mut rand::rng())
}

fn with_header(token: &str, header: &str) -> String {
    let rest = token.split_once('.').unwrap().1;
    format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header))
}

/// The last character but one: the last carries unused bits.
fn tampered(token: &str) -> String {
    let at = token.len() - 2;
    let other = if &token[at..=at] == "A" { "B" } else { "A" };
    format!("{}{other}{}", &token[..at], &token[at + 1..])
}

#[tokio::test(flavor = "multi_thread")]
async fn each_wrong_token_has_its_own_code_and_a_right_one_its_story() {
    let sandbox = Sandbox::start().await.unwrap();
    let keys = signing_keys();
    let settings = settings(&sandbox, &keys);
    let event = import_event(&settings);
    let usher = Usher::serve("all", &settings);
    wait_for_page(&usher, &event);
    let id: EventId = event.parse().unwrap();
    let now = SystemClock.now();
    let long_ago =
        Timestamp::from_millis(now.millis() - 2 * QUEUE_TOKEN_LIFETIME.as_millis() as i64);
    let later = now.plus(Duration::from_secs(600));
    let good = token(&keys, ISSUER, id, now);
    let cases = [
        (tampered(&good), "token_signature"),
        (token(&keys, ISSUER, id, long_ago), "token_expired"),
        (token(&keys, ISSUER, id, later), "token_not_yet_valid"),
        (
            token(&keys, ISSUER, EventId::new(later), now),
            "token_wrong_event",
        ),
        (
            with_header(&good, r#"{"alg":"none","typ":"JWT"}"#),
            "token_algorithm",
        ),
        (token(&signing_keys(), ISSUER, id, now), "token_unknown_key"),
        (
            token(&keys, "https://elsewhere.example", id, now),
            "token_wrong_issuer",
        ),
        ("a.b.c".to_owned(), "token_malformed"),
    ];
    let path = format!("/api/v1/events/{event}/queue");
    for (token, code) in cases {
        let answer = usher.target().get(&path, Some(&token)).unwrap();
        assert_eq!(answer.expect(401)["error"], code);
    }
    assert_eq!(usher.target().get(&path, Some(&good)).unwrap().status, 200);

    // While nobody is let in, so that the fan waits and a release has to come.
    set_rate(&usher.target(), &event, None);
    let fan = wait_for(Duration::from_secs(10), "a fan who waits", || {
        let fan = Fan::join(&usher.target(), &event);
        let place = fan.place(&usher.target())?;
        (place["standing"] == "waiting").then_some(fan)
    });
    set_rate(&usher.target(), &event, Some(600));
    fan.wait_for_turn(&usher.target());
    let who = fan.place(&usher.target()).unwrap()["fan_id"].clone();
    let path = format!(
        "/api/v1/admin/events/{event}/fans/{}/explain",
        who.as_str().unwrap()
    );
    let story = wait_for(Duration::from_secs(10), "the release is on record", || {
        let answer = usher
            .target()
            .get(&path, Some(API_KEY))
            .unwrap()
            .expect(200);
        answer["let_in"][0].is_object().then_some(answer)
    });
    assert!(story["let_in"][0]["number"].is_u64(), "{story}");
    assert!(story["let_in"][0]["reason"].is_object(), "{story}");
    assert_eq!(usher.target().get(&path, None).unwrap().status, 401);
    let told = |fan: &str| run(&["explain", "--event", &event, "--fan", fan], &settings);
    let told_of = told(who.as_str().unwrap());
    let number = &story["let_in"][0]["number"];
    let expected = format!("Let in from lane main with number {number}, after ");
    assert!(told_of.stdout.contains(&expected), "{told_of:?}");
    let stranger = told(&FanId::from_bytes([3; 16]).to_string());
    assert!(stranger.is_success() && stranger.stdout.starts_with("No release"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_place_answers_to_its_new_device_only() {
    let sandbox = Sandbox::start().await.unwrap();
    let settings = settings(&sandbox, &signing_keys());
    let event = import_event(&settings);
    let usher = Usher::serve("all", &settings);
    wait_for_page(&usher, &event);
    set_rate(&usher.target(), &event, None);
    let mut fan = wait_for(Duration::from_secs(10), "a fan who waits", || {
        let fan = Fan::join(&usher.target(), &event);
        let place = fan.place(&usher.target())?;
        (place["standing"] == "waiting").then_some(fan)
    });
    let number = fan.place(&usher.target()).unwrap()["number"].clone();
    let queue = format!("/api/v1/events/{event}/queue");
    let post = |path: &str, token: Option<&str>, body: Option<&serde_json::Value>| {
        let path = format!("{queue}{path}");
        usher.target().call("POST", &path, token, body).unwrap()
    };
    assert_eq!(post("/transfer", None, None).status, 401);
    let offered = post("/transfer", Some(&fan.queue_token), None).expect(200);
    let form = serde_json::json!({ "code": offered["code"] });
    let moved = post("/transfer/take", None, Some(&form)).expect(200);
    let again = post("/transfer/take", None, Some(&form)).expect(401);
    assert_eq!(again["error"], "token_replaced");
    let old = std::mem::replace(
        &mut fan.queue_token,
        moved["queue_token"].as_str().unwrap().to_owned(),
    );
    assert_eq!(fan.place(&usher.target()).unwrap()["number"], number);
    for path in ["", "/claim", "/transfer"] {
        let refused = post(path, Some(&old), None).expect(401);
        assert_eq!(refused["error"], "token_replaced", "{path}");
    }
    wait_for(Duration::from_secs(5), "the old device is told", || {
        let answer = usher.target().get(&queue, Some(&old)).unwrap();
        (answer.status == 401).then(|| assert_eq!(answer.json()["error"], "token_replaced"))
    });
    let wrong = post(
        "/transfer/take",
        None,
        Some(&serde_json::json!({ "code": old })),
    );
    assert_eq!(wrong.expect(401)["error"], "token_wrong_type");
    let log = usher.log();
    assert!(!log.contains(offered["code"].as_str().unwrap()));
}
