//! A CAPTCHA at the door, over HTTP and against a verifier that speaks the providers'
//! protocol: who is asked, what lets in, what does not, and what happens while nobody
//! gives a verdict. One test waits out the five seconds that a verdict may take.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::http::{Answer, Target};
use common::process::{Settings, Usher};
use common::verifier::{SECRET, Verifier};
use common::{API_KEY, import_event, set_rate, settings, signing_keys, wait_for, wait_for_page};
use serde_json::{Value, json};
use usher_sandbox::Sandbox;
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(15);
const SITE_KEY: &str = "0x4AAAAAAA-site-key";

struct House {
    _sandbox: Sandbox,
    usher: Usher,
    event: String,
    verifier: Verifier,
}

impl House {
    /// With an event whose joins are asked for a token.
    async fn start(more: impl Fn(Settings) -> Settings) -> Self {
        let sandbox = Sandbox::start().await.unwrap();
        let verifier = Verifier::start();
        let settings = settings(&sandbox, &signing_keys())
            .with("CAPTCHA_PROVIDER", "turnstile")
            .with("CAPTCHA_SITE_KEY", SITE_KEY)
            .with("CAPTCHA_SECRET_KEY", SECRET)
            .with("CAPTCHA_VERIFY_URL", verifier.url());
        let settings = more(settings);
        let usher = Usher::serve("all", &settings);
        let event = import_event(&settings);
        wait_for_page(&usher, &event);
        set_rate(&usher.target(), &event, None);
        Self {
            _sandbox: sandbox,
            usher,
            event,
            verifier,
        }
    }

    async fn asking(more: impl Fn(Settings) -> Settings) -> Self {
        let house = Self::start(more).await;
        assert_eq!(house.set_up(&json!({ "captcha": true }))["captcha"], true);
        wait_for(PATIENCE, "joining asks for a person", || {
            (house.join(&somebody(), None).status == 428).then_some(())
        });
        house
    }

    fn target(&self) -> Target {
        self.usher.target()
    }

    fn set_up(&self, line: &Value) -> Value {
        let path = format!("/api/v1/admin/events/{}", self.event);
        let form = json!({ "line": line });
        let changed = self
            .target()
            .call("PATCH", &path, Some(API_KEY), Some(&form));
        changed.unwrap().expect(200)["line"].clone()
    }

    fn post(&self, path: &str, token: Option<&str>, body: &Value) -> Answer {
        let path = format!("/api/v1/events/{}{path}", self.event);
        let answer = self.target().call("POST", &path, token, Some(body));
        answer.unwrap()
    }

    fn join(&self, who: &str, captcha: Option<&str>) -> Answer {
        let body = json!({ "client_join_id": who, "captcha": captcha });
        self.post("/queue", None, &body)
    }

    #[track_caller]
    fn refused(&self, captcha: &str, status: u16, code: &str) -> Answer {
        let answer = self.join(&somebody(), Some(captcha));
        assert_eq!(answer.expect(status)["error"], code);
        answer
    }

    fn checks(&self, outcome: &str) -> bool {
        let metrics = self.usher.metrics().get("/metrics", None).unwrap().body;
        let labels = format!("provider=\"turnstile\",outcome=\"{outcome}\"");
        metrics.contains(&format!("usher_captcha_checks_total{{{labels}}}"))
    }
}

fn somebody() -> String {
    Uuid::new_v4().to_string()
}

fn good() -> String {
    format!("good-{}", Uuid::new_v4())
}

#[tokio::test]
async fn a_join_brings_a_token_that_lets_one_fan_in_once() {
    let house = House::start(|settings| settings).await;
    let first = house.join(&somebody(), None).expect(201);
    house.set_up(&json!({ "captcha": true }));
    let told = wait_for(PATIENCE, "joining asks for a person", || {
        let answer = house.join(&somebody(), None);
        (answer.status == 428).then(|| answer.json())
    });
    assert_eq!(told["error"], "captcha_required");
    assert_eq!(told["captcha"]["provider"], "turnstile");
    assert_eq!(told["captcha"]["site_key"], SITE_KEY);
    let wanted = format!("/api/v1/events/{}/queue/puzzle", house.event);
    let wanted = house.target().get(&wanted, None).unwrap().expect(200);
    assert_eq!(wanted["captcha"], told["captcha"]);

    let again = house.refused("nonsense", 403, "captcha_refused").json();
    assert_eq!(again["captcha"], told["captcha"], "it can be tried again");
    house.refused(&"x".repeat(8_193), 403, "captcha_refused");
    house.refused("elsewhere-1", 403, "captcha_refused");
    let (ada, token) = (somebody(), good());
    let joined = house.join(&ada, Some(&token)).expect(201);
    // A reply may be lost: the same fan finds the place, anybody else finds nothing.
    let back = house.join(&ada, Some(&token)).expect(200);
    assert_eq!(joined["number"], back["number"]);
    house.refused(&token, 403, "captcha_used");
    let forgotten = format!("forgotten-{}", Uuid::new_v4());
    house.join(&somebody(), Some(&forgotten)).expect(201);
    house.refused(&forgotten, 403, "captcha_used");

    // Who stands in line already comes back with the queue token alone.
    let asked_before = house.verifier.asked().len();
    let back = house.post("/queue", first["queue_token"].as_str(), &json!({}));
    assert_eq!(back.expect(200)["number"], first["number"]);
    assert_eq!(house.verifier.asked().len(), asked_before);
    nothing_is_told(&house, &token);
    for outcome in ["passed", "refused", "elsewhere", "repeated", "replayed"] {
        assert!(house.checks(outcome), "{outcome}");
    }
}

/// The secret goes to the verifier alone, tokens to nobody's log, addresses nowhere.
fn nothing_is_told(house: &House, token: &str) {
    let asked = house.verifier.asked();
    assert!(asked.iter().any(|form| form.contains(SECRET)));
    assert!(!asked.iter().any(|form| form.contains("remoteip")));
    assert!(
        !asked.iter().any(|form| form.len() > 8_192),
        "too long to ask"
    );
    let event = format!("/api/v1/admin/events/{}", house.event);
    let audit = format!("/api/v1/admin/audit?subject={}", house.event);
    let get = |path: &str| house.target().get(path, Some(API_KEY)).unwrap().body;
    assert!(!get(&event).contains(SECRET));
    let audit = get(&audit);
    assert!(audit.contains("line_changed") && audit.contains("captcha"));
    assert!(!audit.contains(SECRET));
    let log = house.usher.log();
    assert!(!log.contains(SECRET) && !log.contains(token));
}

#[tokio::test]
async fn without_a_verdict_joins_wait_and_the_line_goes_on() {
    let house = House::asking(|settings| settings).await;
    let joined = house.join(&somebody(), Some(&good())).expect(201);
    for silence in ["broken-1", "garbage-1", "huge-1", "slow-1"] {
        let answer = house.refused(silence, 503, "captcha_unavailable");
        assert!(answer.head.contains("retry-after: 10"), "{}", answer.head);
    }
    let place = format!("/api/v1/events/{}/queue", house.event);
    let place = house.target().get(&place, joined["queue_token"].as_str());
    assert_eq!(place.unwrap().expect(200)["number"], joined["number"]);
    assert!(house.checks("unanswered_refused"));
    // Nobody's token is worse for it.
    house.join(&somebody(), Some(&good())).expect(201);
}

#[tokio::test]
async fn an_operator_may_have_everybody_in_while_there_is_no_verdict() {
    let house = House::asking(|settings| {
        settings
            .with("CAPTCHA_UNANSWERED", "admit")
            .with("CAPTCHA_TELLS_ADDRESS", "true")
    })
    .await;
    house.join(&somebody(), Some("broken-1")).expect(201);
    house.refused("nonsense", 403, "captcha_refused");
    assert_eq!(house.join(&somebody(), None).status, 428);
    assert!(house.checks("unanswered_admitted"));
    let asked = house.verifier.asked();
    assert!(asked.iter().all(|form| form.contains("remoteip=127.0.0.1")));
}

#[tokio::test]
async fn a_wrong_secret_is_our_fault_and_no_fans() {
    let house = House::asking(|settings| settings.with("CAPTCHA_SECRET_KEY", "another")).await;
    house.refused(&good(), 503, "captcha_unavailable");
    wait_for(PATIENCE, "the operator is told", || {
        house
            .usher
            .log()
            .contains("invalid-input-secret")
            .then_some(())
    });
}

#[tokio::test]
async fn the_page_loads_the_widget_only_where_it_is_asked_for() {
    let house = House::start(|settings| settings).await;
    let page = format!("/e/{}", house.event);
    let look = |path: &str| house.target().get(path, None).unwrap();
    let theirs = "https://challenges.cloudflare.com";
    let plain = look(&page);
    assert!(!plain.head.contains(theirs) && !plain.body.contains(theirs));
    house.set_up(&json!({ "captcha": true, "lanes": [
        { "lane": "main" }, { "lane": "fans", "needs_code": true },
    ]}));
    let asking = wait_for(PATIENCE, "the page asks for a person", || {
        let page = look(&page);
        page.body.contains(SITE_KEY).then_some(page)
    });
    let policy = format!("script-src 'self' {theirs};");
    assert!(asking.head.contains(&policy), "{}", asking.head);
    assert!(asking.head.contains(&format!("frame-src {theirs}")));
    assert!(!look("/").head.contains(theirs));
    assert!(!look(&format!("{page}/queue")).head.contains(theirs));

    let form = |path: &str, fields: &str| house.target().post_form(path, fields).unwrap();
    let bare = form(&format!("{page}/join"), "");
    assert_eq!(bare.status, 428);
    assert!(bare.body.contains("show on the event&#39;s page") && bare.body.contains(&page));
    let joined = form(&format!("{page}/join"), &format!("captcha={}", good()));
    assert_eq!(joined.status, 303, "{}", joined.body);
    // Whoever has a place is not asked again; codes open a lane and not this door.
    let cookies = joined
        .head
        .lines()
        .filter_map(|line| line.strip_prefix("set-cookie: "));
    let cookies: Vec<&str> = cookies
        .filter_map(|cookie| cookie.split(';').next())
        .collect();
    let head = format!("cookie: {}\r\n", cookies.join("; "));
    let again = house.target().send("GET", &page, &head, "").unwrap();
    assert!(again.body.contains("Back to your place") && !again.body.contains(SITE_KEY));
    assert!(!again.head.contains(theirs));
    let code = json!({ "client_join_id": somebody(), "code": "SOME-CODE" });
    assert_eq!(house.post("/queue/code", None, &code).status, 428);
}

#[tokio::test]
async fn an_event_cannot_ask_for_what_is_not_set_up() {
    let house = House::start(|settings| settings.with("CAPTCHA_PROVIDER", "none")).await;
    let path = format!("/api/v1/admin/events/{}", house.event);
    let form = json!({ "line": { "captcha": true } });
    let target = house.target();
    let refused = target.call("PATCH", &path, Some(API_KEY), Some(&form));
    assert_eq!(
        refused.unwrap().expect(409)["error"],
        "captcha_not_configured"
    );
}
