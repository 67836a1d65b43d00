//! Proof of work over HTTP: a join without a solution is told the puzzle, a solution serves
//! the one fan it was made for, and a flood makes the edge ask by itself.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::http::{Answer, Target};
use common::process::{Settings, Usher};
use common::{API_KEY, import_event, set_rate, settings, signing_keys, wait_for, wait_for_page};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use usher_sandbox::Sandbox;
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(15);

struct House {
    _sandbox: Sandbox,
    usher: Usher,
    event: String,
}

impl House {
    async fn start(more: impl Fn(Settings) -> Settings) -> Self {
        let sandbox = Sandbox::start().await.unwrap();
        let settings = more(settings(&sandbox, &signing_keys()));
        let usher = Usher::serve("all", &settings);
        let event = import_event(&settings);
        wait_for_page(&usher, &event);
        set_rate(&usher.target(), &event, None);
        Self {
            _sandbox: sandbox,
            usher,
            event,
        }
    }

    fn target(&self) -> Target {
        self.usher.target()
    }

    fn ask_for(&self, hashes: u32) {
        let path = format!("/api/v1/admin/events/{}", self.event);
        let form = json!({ "line": { "puzzle": hashes } });
        let changed = self
            .target()
            .call("PATCH", &path, Some(API_KEY), Some(&form));
        assert_eq!(changed.unwrap().expect(200)["line"]["puzzle"], hashes);
    }

    fn join(&self, who: &str, solution: Option<&str>) -> Answer {
        let path = format!("/api/v1/events/{}/queue", self.event);
        let body = json!({ "client_join_id": who, "puzzle": solution });
        self.target()
            .call("POST", &path, None, Some(&body))
            .unwrap()
    }

    fn puzzle(&self, who: &str) -> Value {
        let path = format!(
            "/api/v1/events/{}/queue/puzzle?client_join_id={who}",
            self.event
        );
        self.target().get(&path, None).unwrap().expect(200)["puzzle"].clone()
    }
}

fn somebody() -> String {
    Uuid::new_v4().to_string()
}

fn solve(puzzle: &Value) -> String {
    let salt = puzzle["salt"].as_str().unwrap();
    let hash = |number: &u64| hex::encode(digest(&SHA256, format!("{salt}{number}").as_bytes()));
    let max = puzzle["maxnumber"].as_u64().unwrap();
    let number = (0..=max).find(|number| puzzle["challenge"] == hash(number).as_str());
    let mut solution = puzzle.clone();
    solution["number"] = number.unwrap().into();
    STANDARD.encode(solution.to_string())
}

#[tokio::test]
async fn a_join_costs_the_work_that_the_operator_asks_for() {
    let house = House::start(|settings| settings).await;
    assert_eq!(house.puzzle(&somebody()), Value::Null);
    let before = house.join(&somebody(), None).expect(201);
    house.ask_for(300);
    let (ada, told) = wait_for(PATIENCE, "joining asks for work", || {
        let who = somebody();
        let answer = house.join(&who, None);
        (answer.status == 428).then(|| (who, answer.json()))
    });
    assert_eq!(told["error"], "puzzle_required");
    let solution = solve(&told["puzzle"]);
    let stolen = house.join(&somebody(), Some(&solution));
    assert_eq!(stolen.expect(422)["error"], "puzzle_not_yours");
    let nonsense = house.join(&ada, Some("bm9uc2Vuc2U="));
    assert_eq!(nonsense.expect(422)["error"], "puzzle_wrong");
    let joined = house.join(&ada, Some(&solution)).expect(201);
    // Shown again it gives the place that is there, and no second one.
    let again = house.join(&ada, Some(&solution)).expect(200);
    assert_eq!(joined["number"], again["number"]);
    let fetched = house.join(&somebody_with(&house), None);
    assert_eq!(fetched.status, 428);

    // Who stands in line already comes back with the token alone.
    let path = format!("/api/v1/events/{}/queue", house.event);
    let token = before["queue_token"].as_str();
    let back = house
        .target()
        .call("POST", &path, token, Some(&json!({})))
        .unwrap();
    assert_eq!(back.expect(200)["number"], before["number"]);
    let page = house
        .target()
        .post_form(&format!("/e/{}/join", house.event), "")
        .unwrap();
    assert_eq!(page.status, 428);
    assert!(
        page.body.contains("Allow scripts on this page"),
        "{}",
        page.body
    );
}

/// The cookie of a browser that this answer sets, as the browser sends it back.
fn browser_cookie(answer: &Answer) -> String {
    let mut set = answer
        .head
        .lines()
        .filter_map(|line| line.strip_prefix("set-cookie: "));
    let cookie = set.find(|cookie| cookie.starts_with("usher_browser="));
    let pair = cookie.expect(&answer.head).split(';').next().unwrap();
    format!("cookie: {pair}\r\n")
}

#[tokio::test]
async fn a_client_with_cookies_solves_the_puzzle_that_its_first_request_was_told() {
    let house = House::start(|settings| settings).await;
    house.ask_for(300);
    let join = format!("/api/v1/events/{}/queue", house.event);
    let post = |path: &str, head: &str, body: &str| {
        let answer = house.target().send("POST", path, head, body);
        answer.unwrap()
    };
    const JSON: &str = "content-type: application/json\r\n";
    let told = wait_for(PATIENCE, "joining asks for work", || {
        let answer = post(&join, JSON, "{}");
        (answer.status == 428).then_some(answer)
    });
    let solution = json!({ "puzzle": solve(&told.json()["puzzle"]) }).to_string();
    let head = format!("{JSON}{}", browser_cookie(&told));
    post(&join, &head, &solution).expect(201);
    // Without the cookie it is nobody's solution.
    let stranger = post(&join, JSON, &solution).expect(422);
    assert_eq!(stranger["error"], "puzzle_not_yours");
    // The page keeps its visitor's name in the same way.
    let page = post(&format!("/e/{}/join", house.event), "", "");
    assert_eq!(page.status, 428);
    browser_cookie(&page);
}

/// A new fan whose fetched puzzle lets them in; another new fan is returned.
fn somebody_with(house: &House) -> String {
    let who = somebody();
    let solution = solve(&house.puzzle(&who));
    house.join(&who, Some(&solution)).expect(201);
    somebody()
}

#[tokio::test]
async fn a_flood_of_joins_makes_the_edge_ask() {
    let house = House::start(|settings| {
        settings
            .with("PUZZLE_ABOVE_JOINS_PER_SECOND", "5")
            .with("PUZZLE_HASHES_UNDER_LOAD", "200")
            .with("JOINS_PER_ADDRESS_PER_MINUTE", "1000")
    })
    .await;
    house.join(&somebody(), None).expect(201);
    let refused = wait_for(PATIENCE, "the flood is noticed", || {
        let answers = (0..20).map(|_| house.join(&somebody(), None));
        answers.into_iter().find(|answer| answer.status == 428)
    });
    assert!(refused.json()["puzzle"]["maxnumber"] == 400);
    wait_for(PATIENCE, "the flood is over", || {
        std::thread::sleep(Duration::from_millis(300));
        (house.join(&somebody(), None).status == 201).then_some(())
    });
}
