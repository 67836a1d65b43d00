//! Fans by the shop's word over HTTP: one place for a subject whatever the device,
//! each wrong assertion refused with its own code, and the page a shop sends to.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::http::{Answer, Target};
use common::process::{Usher, run};
use common::{API_KEY, set_rate, settings, signing_keys, wait_for};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use usher_base::{Clock as _, SystemClock};
use usher_sandbox::Sandbox;
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(15);

/// The demo's event whose shop signs with a key of ours.
struct Shop {
    _sandbox: Sandbox,
    usher: Usher,
    event: String,
    key: Ed25519KeyPair,
}

impl Shop {
    async fn open(identity: &str) -> Self {
        let sandbox = Sandbox::start().await.unwrap();
        let settings = settings(&sandbox, &signing_keys());
        let usher = Usher::serve("all", &settings);
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/commands/demo/sample.toml");
        let made = run(&["event", "import", file], &settings);
        let shop = Self {
            _sandbox: sandbox,
            usher,
            event: made.stdout.trim().to_owned(),
            key: Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap(),
        };
        let key = URL_SAFE_NO_PAD.encode(shop.key.public_key());
        let keys =
            json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "shop-1", "x": key }] });
        let line = json!({ "line": { "identity": identity, "shop_keys": keys } });
        shop.admin("PATCH", "", &line).expect(200);
        shop.admin("POST", "/phase", &json!({ "phase": "open" }))
            .expect(200);
        set_rate(&shop.target(), &shop.event, None);
        let page = format!("/e/{}", shop.event);
        wait_for(PATIENCE, "the event's page", || {
            let answer = shop.target().get(&page, None).ok()?;
            (answer.status == 200).then_some(())
        });
        shop
    }

    fn target(&self) -> Target {
        self.usher.target()
    }

    fn admin(&self, method: &str, path: &str, body: &Value) -> Answer {
        let path = format!("/api/v1/admin/events/{}{path}", self.event);
        let answer = self.target().call(method, &path, Some(API_KEY), Some(body));
        answer.unwrap()
    }

    fn claims(&self, subject: &str) -> Value {
        let exp = SystemClock.now().seconds() + 300;
        json!({ "sub": subject, "aud": self.event, "exp": exp })
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let text = format!("{}.{}", part(header), part(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(text.as_bytes()));
        format!("{text}.{signature}")
    }

    fn vouch(&self, subject: &str) -> String {
        let header = json!({ "alg": "EdDSA", "kid": "shop-1" });
        self.sign(&header, &self.claims(subject))
    }

    /// Each time from a client that was never seen before.
    fn join(&self, assertion: Option<&str>) -> Answer {
        let path = format!("/api/v1/events/{}/queue", self.event);
        let body = json!({ "client_join_id": Uuid::new_v4().to_string(), "assertion": assertion });
        self.target()
            .call("POST", &path, None, Some(&body))
            .unwrap()
    }

    /// Opens a page as a browser that holds these cookies.
    fn browse(&self, method: &str, path: &str, cookies: &[String]) -> Answer {
        let head = format!("cookie: {}\r\n", cookies.join("; "));
        self.target().send(method, path, &head, "").unwrap()
    }
}

/// `name=value` of each cookie that the answer sets.
fn cookies(answer: &Answer) -> Vec<String> {
    let set = answer
        .head
        .lines()
        .filter_map(|line| line.strip_prefix("set-cookie: "));
    set.filter_map(|cookie| Some(cookie.split(';').next()?.to_owned()))
        .collect()
}

#[tokio::test]
async fn a_subject_has_one_place_whatever_the_device() {
    let shop = Shop::open("optional").await;
    let first = shop.join(Some(&shop.vouch("customer-1"))).expect(201);
    let again = shop.join(Some(&shop.vouch("customer-1"))).expect(200);
    for same in ["fan_id", "number", "lane"] {
        assert_eq!(first[same], again[same], "{same}");
    }
    let other = shop.join(Some(&shop.vouch("customer-2"))).expect(201);
    assert_ne!(first["fan_id"], other["fan_id"]);
    // Who brings no assertion may come too, as somebody unknown.
    let stranger = shop.join(None).expect(201);
    assert_ne!(first["fan_id"], stranger["fan_id"]);

    // A place that moved to another device is still the subject's.
    let moving = format!("/api/v1/events/{}/queue/transfer", shop.event);
    let token = again["queue_token"].as_str().unwrap();
    let code = shop
        .target()
        .call("POST", &moving, Some(token), None)
        .unwrap()
        .expect(200);
    let taken = format!("{moving}/take");
    let form = json!({ "code": code["code"] });
    shop.target()
        .call("POST", &taken, None, Some(&form))
        .unwrap()
        .expect(200);
    let third = shop.join(Some(&shop.vouch("customer-1"))).expect(200);
    assert_eq!(first["number"], third["number"]);
}

#[tokio::test]
async fn each_wrong_assertion_is_refused_with_its_own_code() {
    let shop = Shop::open("required").await;
    let header = json!({ "alg": "EdDSA", "kid": "shop-1" });
    let with = |name: &str, value: Value| {
        let mut claims = shop.claims("customer-1");
        claims[name] = value;
        shop.sign(&header, &claims)
    };
    let now = SystemClock.now().seconds();
    let none = shop.sign(&json!({ "alg": "none" }), &shop.claims("customer-1"));
    let unsigned = format!("{}.", none.rsplit_once('.').unwrap().0);
    let forged = Ed25519KeyPair::from_seed_unchecked(&[8; 32]).unwrap();
    let good = shop.vouch("customer-1");
    let text = good.rsplit_once('.').unwrap().0;
    let forged = format!(
        "{text}.{}",
        URL_SAFE_NO_PAD.encode(forged.sign(text.as_bytes()))
    );
    for (assertion, code) in [
        (with("exp", json!(now - 60)), "assertion_expired"),
        (with("exp", json!(now + 90_000)), "assertion_too_long"),
        (with("nbf", json!(now + 60)), "assertion_not_yet_valid"),
        (
            with("aud", json!(Uuid::nil().to_string())),
            "assertion_wrong_event",
        ),
        (with("sub", json!("")), "assertion_subject"),
        (unsigned, "assertion_algorithm"),
        (
            shop.sign(&json!({ "alg": "HS256" }), &shop.claims("a")),
            "assertion_algorithm",
        ),
        (
            shop.sign(&json!({ "alg": "EdDSA", "kid": "x" }), &shop.claims("a")),
            "assertion_unknown_key",
        ),
        (forged, "assertion_signature"),
        ("nonsense".to_owned(), "assertion_malformed"),
        ("x".repeat(5_000), "assertion_malformed"),
    ] {
        let refused = shop.join(Some(&assertion));
        assert_eq!(refused.expect(401)["error"], code, "{assertion}");
    }
    assert_eq!(shop.join(None).expect(401)["error"], "assertion_required");
    let joined = shop.join(Some(&good)).expect(201);
    // The place's own token goes on without the shop.
    let path = format!("/api/v1/events/{}/queue", shop.event);
    let token = joined["queue_token"].as_str();
    let back = shop
        .target()
        .call("POST", &path, token, Some(&json!({})))
        .unwrap();
    assert_eq!(back.expect(200)["number"], joined["number"]);
    // An emergency may ease the rule, and then nobody is asked any more.
    shop.admin("PATCH", "", &json!({ "line": { "identity": "off" } }))
        .expect(200);
    wait_for(PATIENCE, "strangers are let in", || {
        (shop.join(None).status == 201).then_some(())
    });
    let ignored = shop.join(Some(&good));
    assert_eq!(ignored.expect(422)["error"], "assertion_not_taken");
}

#[tokio::test]
async fn the_page_knows_whom_the_shop_sent() {
    let shop = Shop::open("required").await;
    let page = format!("/e/{}", shop.event);
    let stranger = shop.browse("GET", &page, &[]);
    assert!(
        stranger.body.contains("for the shop&#x27;s customers")
            || stranger.body.contains("for the shop's customers")
    );
    assert!(!stranger.body.contains("Join the line"));
    let refused = shop.browse("POST", &format!("{page}/join"), &[]);
    assert_eq!(refused.status, 401);

    let bad = shop.browse("GET", &format!("{page}/identify?assertion=nonsense"), &[]);
    assert_eq!(bad.status, 401);
    assert!(bad.body.contains("cannot be read"), "{}", bad.body);
    let sent = shop.browse(
        "GET",
        &format!("{page}/identify?assertion={}", shop.vouch("c-1")),
        &[],
    );
    assert_eq!(sent.status, 303);
    assert!(
        sent.head.contains(&format!("location: {page}\r")),
        "{}",
        sent.head
    );
    let known = cookies(&sent);
    assert!(
        shop.browse("GET", &page, &known)
            .body
            .contains("Join the line")
    );
    let joined = shop.browse("POST", &format!("{page}/join"), &known);
    assert_eq!(joined.status, 303, "{}", joined.body);
    // The same customer in the shop's app has the same place.
    let in_app = shop.join(Some(&shop.vouch("c-1"))).expect(200);
    assert_eq!(in_app["number"], 1);
}
