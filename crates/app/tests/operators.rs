//! Who may steer a sale: keys made over HTTP and on the command line, what each
//! role may do, and that a revoked key opens nothing, sessions included.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use common::http::{Answer, Target};
use common::process::{Settings, Usher, run};
use common::{API_KEY, import_event, set_rate, settings, signing_keys, wait_for};
use serde_json::json;
use usher_sandbox::Sandbox;

const SOON: Duration = Duration::from_secs(20);
const OPERATORS: &str = "/api/v1/admin/operators";

struct Deployment {
    _sandbox: Sandbox,
    settings: Settings,
    event: String,
    usher: Usher,
}

impl Deployment {
    async fn start() -> Self {
        let sandbox = Sandbox::start().await.unwrap();
        let settings = settings(&sandbox, &signing_keys());
        let event = import_event(&settings);
        let usher = Usher::serve("all", &settings);
        // The process knows the event from here on.
        set_rate(&usher.target(), &event, Some(60));
        Self {
            _sandbox: sandbox,
            settings,
            event,
            usher,
        }
    }

    fn target(&self) -> Target {
        self.usher.target()
    }

    /// The id and the key of a new operator.
    fn add(&self, name: &str, role: &str) -> (String, String) {
        let form = json!({ "name": name, "role": role });
        let made = self
            .target()
            .call("POST", OPERATORS, Some(API_KEY), Some(&form));
        let made = made.unwrap().expect(201);
        let text = |field: &str| made[field].as_str().unwrap().to_owned();
        (text("id"), text("api_key"))
    }

    fn pause(&self, key: &str) -> Answer {
        let path = format!("/api/v1/admin/events/{}/admission", self.event);
        let form = json!({ "mode": "paused" });
        self.target()
            .call("PUT", &path, Some(key), Some(&form))
            .unwrap()
    }

    fn look(&self, key: &str) -> u16 {
        let path = format!("/api/v1/admin/events/{}/admission", self.event);
        self.target().get(&path, Some(key)).unwrap().status
    }
}

/// Signs in at the console; the session's cookie.
fn sign_in(target: &Target, key: &str) -> String {
    let body = format!("api_key={key}");
    let head = format!(
        "POST /console/sign-in HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n",
        target.0,
        body.len()
    );
    let answer = ask(target, &format!("{head}{body}"));
    let line = answer.lines().find(|l| l.starts_with("set-cookie: "));
    let cookie = line.unwrap().trim_start_matches("set-cookie: ");
    cookie.split(';').next().unwrap().to_owned()
}

fn page(target: &Target, path: &str, cookie: &str) -> String {
    let host = target.0;
    ask(
        target,
        &format!(
            "GET {path} HTTP/1.1\r\nhost: {host}\r\ncookie: {cookie}\r\nconnection: close\r\n\r\n"
        ),
    )
}

fn ask(target: &Target, request: &str) -> String {
    let mut stream = TcpStream::connect(target.0).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test]
async fn each_role_may_do_what_the_table_says() {
    let usher = Deployment::start().await;
    let (_, viewer) = usher.add("Vera", "viewer");
    let (_, staff) = usher.add("Stan", "staff");
    let (_, operator) = usher.add("Olga", "operator");
    assert_eq!(usher.look(&viewer), 200);
    let refused = usher.pause(&viewer).expect(403);
    assert_eq!(refused["error"], "role_too_low");
    usher.pause(&staff).expect(403);
    usher.pause(&operator).expect(200);
    let scan = format!("/api/v1/admin/events/{}/checkin", usher.event);
    let form = json!({ "code": "nonsense", "gate": "A" });
    let scan = |key: &str| usher.target().call("POST", &scan, Some(key), Some(&form));
    assert_eq!(scan(&viewer).unwrap().status, 403);
    assert_eq!(scan(&staff).unwrap().expect(200)["result"], "forged");
    // Only an admin says who else may.
    let more = json!({ "name": "Mallory", "role": "admin" });
    let more = usher
        .target()
        .call("POST", OPERATORS, Some(&operator), Some(&more));
    more.unwrap().expect(403);
    for nobody in [None, Some("usher_op_1_2"), Some("wrong")] {
        let path = format!("/api/v1/admin/events/{}/status", usher.event);
        assert_eq!(usher.target().get(&path, nobody).unwrap().status, 401);
    }
    let audit = usher
        .target()
        .get("/api/v1/admin/audit", Some(&operator))
        .unwrap();
    let audit = audit.expect(200);
    let mut entries = audit["data"].as_array().unwrap().iter();
    let paused = entries.find(|entry| entry["action"] == "admission_changed");
    let details = &paused.unwrap()["details"];
    assert_eq!(details["before"]["mode"], "manual");
    assert_eq!(details["after"]["mode"], "paused");
    let audit = audit.to_string();
    assert!(audit.contains("Olga") && audit.contains("operator_added"));
    assert!(!audit.contains(&operator) && !usher.usher.log().contains(&operator));
}

#[tokio::test]
async fn a_revoked_key_and_its_session_open_nothing() {
    let usher = Deployment::start().await;
    let (id, key) = usher.add("Olga", "operator");
    let again = json!({ "name": "Olga", "role": "viewer" });
    let again = usher
        .target()
        .call("POST", OPERATORS, Some(API_KEY), Some(&again));
    assert_eq!(again.unwrap().expect(409)["error"], "name_taken");
    let target = usher.target();
    let cookie = sign_in(&target, &key);
    let console = format!("/console/e/{}", usher.event);
    assert!(page(&target, &console, &cookie).contains("Letting people in"));

    let path = format!("{OPERATORS}/{id}");
    let revoke = || target.call("DELETE", &path, Some(API_KEY), None).unwrap();
    assert_eq!(revoke().status, 204);
    assert_eq!(revoke().status, 404);
    assert_eq!(usher.look(&key), 401);
    assert!(page(&target, &console, &cookie).starts_with("HTTP/1.1 303"));
    let list = target.get(OPERATORS, Some(API_KEY)).unwrap().expect(200);
    assert_eq!(list["data"].as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn the_command_line_makes_a_viewer_whose_console_only_looks() {
    let usher = Deployment::start().await;
    let made = run(
        &["operator", "add", "Vera", "--role", "viewer"],
        &usher.settings,
    );
    assert!(made.is_success(), "{made:?}");
    let key = made.stdout.trim();
    let cookie = sign_in(&usher.target(), key);
    let console = page(
        &usher.target(),
        &format!("/console/e/{}", usher.event),
        &cookie,
    );
    assert!(console.contains("may look but not steer"));
    assert!(!console.contains("Letting people in"));
    let list = run(&["operator", "list"], &usher.settings).stdout;
    assert!(list.contains("viewer") && list.contains("Vera") && !list.contains(key));
    let id = list.split_whitespace().next().unwrap();
    assert!(run(&["operator", "revoke", id], &usher.settings).is_success());
    assert_eq!(usher.look(key), 401);
    run(&["operator", "revoke", id], &usher.settings).refuses("no such operator");
}

#[tokio::test]
async fn an_admin_sets_the_laws_constants_and_others_see_them() {
    let usher = Deployment::start().await;
    let (_, viewer) = usher.add("Vera", "viewer");
    let (_, operator) = usher.add("Olga", "operator");
    let path = format!("/api/v1/admin/events/{}/admission/constants", usher.event);
    let put = |key: &str, form: &serde_json::Value| {
        let put = usher.target().call("PUT", &path, Some(key), Some(form));
        put.unwrap()
    };
    let form = json!({ "requests_per_inside_prior": 5 });
    let refused = put(&operator, &form).expect(403);
    assert_eq!(refused["error"], "role_too_low");
    let wrong = put(API_KEY, &json!({ "brake_p99": 0.5 })).expect(422);
    assert_eq!(
        wrong["message"],
        "brake_p99 is 0.5: set it to a number from 1 to 10 (1.2 by default)."
    );
    put(API_KEY, &json!({ "cut_to": 0.5 })).expect(422);
    put(API_KEY, &form).expect(200);
    let shown = usher.target().get(&path, Some(&viewer)).unwrap();
    let shown = shown.expect(200);
    assert_eq!(shown["set"]["requests_per_inside_prior"], 5.0);
    assert_eq!(shown["constants"][0]["value"], 5.0);
    assert_eq!(shown["constants"][0]["default"], 0.1);
    // Nobody is inside yet, so the law still says what it assumes.
    let status = format!("/api/v1/admin/events/{}/status", usher.event);
    wait_for(SOON, "the law goes by it", || {
        let status = usher.target().get(&status, Some(&viewer)).unwrap();
        let status = (status.status == 200).then(|| status.json())?;
        (status["decision"]["state"]["requests_per_inside"] == 5.0).then_some(())
    });
    let audit = format!("/api/v1/admin/audit?subject={}", usher.event);
    let audit = usher.target().get(&audit, Some(&operator)).unwrap();
    let audit = audit.expect(200);
    let entries = audit["data"].as_array().unwrap();
    let mut entries = entries.iter();
    let entry = entries.find(|entry| entry["action"] == "constants_changed");
    let details = &entry.unwrap()["details"];
    assert!(details["before"]["requests_per_inside_prior"].is_null());
    assert_eq!(details["after"]["requests_per_inside_prior"], 5.0);
    let elsewhere = "/api/v1/admin/events/01970000-0000-7000-8000-000000000000";
    let elsewhere = format!("{elsewhere}/admission/constants");
    let none = usher.target().get(&elsewhere, Some(API_KEY)).unwrap();
    assert_eq!(none.status, 404);
}
