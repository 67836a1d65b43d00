//! How operators set up a line over HTTP, and what fans and a leader make of it:
//! order, room, lanes with weights, and invite codes that open a lane.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::http::{Answer, Target};
use common::process::{Settings, Usher};
use common::{API_KEY, import_event, set_rate, settings, signing_keys, wait_for, wait_for_page};
use serde_json::{Value, json};
use sqlx::PgPool;
use usher_sandbox::Sandbox;
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(15);
const FANS_A_LANE: usize = 40;
/// Released fans whose lanes are counted: both lanes have more than their part of it.
const COUNTED: i64 = 24;

struct House {
    sandbox: Sandbox,
    settings: Settings,
    usher: Usher,
    event: String,
}

impl House {
    async fn start() -> Self {
        Self::start_with(|settings| settings).await
    }

    async fn start_with(more: impl Fn(Settings) -> Settings) -> Self {
        let sandbox = Sandbox::start().await.unwrap();
        let settings = settings(&sandbox, &signing_keys())
            .with("JOINS_PER_ADDRESS_PER_MINUTE", "1000")
            .with("JOINS_PER_NETWORK_PER_MINUTE", "1000");
        let settings = more(settings);
        let usher = Usher::serve("all", &settings);
        let event = import_event(&settings);
        wait_for_page(&usher, &event);
        Self {
            sandbox,
            settings,
            usher,
            event,
        }
    }

    fn target(&self) -> Target {
        self.usher.target()
    }

    fn admin(&self, method: &str, path: &str, body: &Value) -> Answer {
        let path = format!("/api/v1/admin/events/{}{path}", self.event);
        let answer = self.target().call(method, &path, Some(API_KEY), Some(body));
        answer.unwrap()
    }

    fn set_up(&self, line: &Value) -> Value {
        let changed = self.admin("PATCH", "", &json!({ "line": line }));
        changed.expect(200)["line"].clone()
    }

    fn codes(&self, form: &Value) -> Vec<String> {
        let made = self.admin("POST", "/invites", form).expect(201);
        let codes = made["codes"].as_array().unwrap();
        let text = |code: &Value| code.as_str().unwrap().to_owned();
        codes.iter().map(text).collect()
    }

    fn join(&self, body: &Value) -> Answer {
        let path = format!("/api/v1/events/{}/queue", self.event);
        self.target().call("POST", &path, None, Some(body)).unwrap()
    }

    fn join_with(&self, code: &str, who: &str) -> Answer {
        let path = format!("/api/v1/events/{}/queue/code", self.event);
        let body = json!({ "code": code, "client_join_id": who });
        let answer = self.target().call("POST", &path, None, Some(&body));
        answer.unwrap()
    }

    #[track_caller]
    fn refused(&self, answer: &Answer, status: u16, code: &str) {
        assert_eq!(answer.expect(status)["error"], code);
    }
}

fn somebody() -> String {
    Uuid::new_v4().to_string()
}

#[tokio::test]
async fn order_room_and_lanes_are_set_over_http_and_settled_once_people_may_come() {
    let house = House::start().await;
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/commands/demo/sample.toml");
    let text = std::fs::read_to_string(file).unwrap();
    let text = text.replace("aurora-live", "aurora-drawn");
    let with_line = format!(
        "{text}\n[line]\nordering = \"lottery\"\n\
         lanes = [{{ lane = \"main\" }}, {{ lane = \"presale\", weight = 3, needs_code = true }}]\n"
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("drawn.toml");
    std::fs::write(&file, &with_line).unwrap();
    let arguments = ["event", "import", file.to_str().unwrap()];
    let made = common::process::run(&arguments, &house.settings);
    assert!(made.is_success(), "{made:?}");
    let drawn = House {
        event: made.stdout.trim().to_owned(),
        ..house
    };
    let line = drawn.admin("GET", "", &Value::Null).expect(200)["line"].clone();
    assert_eq!(line["ordering"], "lottery");
    assert_eq!(line["lanes"][1]["weight"], 3);
    let fifo = drawn.set_up(&json!({ "ordering": "fifo", "room": "off", "session_seconds": 600 }));
    assert_eq!(
        (&fifo["ordering"], &fifo["room"]),
        (&json!("fifo"), &json!("off"))
    );

    let opened = drawn.admin("POST", "/phase", &json!({ "phase": "open" }));
    opened.expect(200);
    let late = drawn.admin("PATCH", "", &json!({ "line": { "ordering": "lottery" } }));
    drawn.refused(&late, 409, "line_settled");
    let wrong = drawn.admin("PATCH", "", &json!({ "line": { "session_seconds": 1 } }));
    drawn.refused(&wrong, 422, "invalid_request");
    let unknown = drawn.admin("PATCH", "", &json!({ "line": { "lane": "main" } }));
    drawn.refused(&unknown, 422, "invalid_request");
    // There is no room, so whoever comes is let in at once.
    set_rate(&drawn.target(), &drawn.event, Some(1));
    let joined = wait_for(PATIENCE, "a join is taken", || {
        let answer = drawn.join(&json!({ "client_join_id": somebody() }));
        (answer.status == 201).then(|| answer.json())
    });
    assert_eq!(joined["standing"], "admitted", "{joined}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_added_while_the_edge_runs_is_opened_by_codes_and_served_by_its_weight() {
    let house = House::start().await;
    set_rate(&house.target(), &house.event, None);
    let first = house.join(&json!({ "client_join_id": somebody() }));
    assert_eq!(first.expect(201)["lane"], "main");
    house.set_up(&json!({ "lanes": [
        { "lane": "main", "weight": 1 },
        { "lane": "presale", "weight": 3, "needs_code": true },
    ]}));
    let presale = json!({ "client_join_id": somebody(), "lane": "presale" });
    wait_for(PATIENCE, "the edge knows the lane", || {
        (house.join(&presale).status != 404).then_some(())
    });
    house.refused(&house.join(&presale), 403, "code_required");

    codes_are_counted(&house);
    let code = json!({ "lane": "presale", "uses": FANS_A_LANE });
    let code = &house.codes(&code)[0];
    for _ in 0..FANS_A_LANE {
        let joined = house.join_with(code, &somebody()).expect(201);
        assert_eq!(joined["lane"], "presale");
        house
            .join(&json!({ "client_join_id": somebody() }))
            .expect(201);
    }
    wait_for(PATIENCE, "the leader sees everybody", || {
        let status = house.admin("GET", "/status", &Value::Null).json();
        let everybody = status["waiting"].as_u64()?;
        let seen = status["present"] == everybody && everybody >= 2 * FANS_A_LANE as u64;
        seen.then_some(())
    });
    set_rate(&house.target(), &house.event, Some(1_200));
    let pool = PgPool::connect(&house.sandbox.postgres.url())
        .await
        .unwrap();
    let by_weight = "SELECT count(*), count(*) FILTER (WHERE lane = 'presale') FROM (
        SELECT r.lane FROM releases r JOIN released_fans f USING (event_id, sequence)
        ORDER BY r.sequence, f.number LIMIT $1) AS first";
    let counted = wait_for(PATIENCE, "fans of both lanes are let in", || {
        let asked = sqlx::query_as::<_, (i64, i64)>(by_weight).bind(COUNTED);
        let asked = asked.fetch_one(&pool);
        block_on(asked).ok().filter(|(all, _)| *all == COUNTED)
    });
    // Three of four, give or take what a cut slice leaves open.
    let expected = COUNTED * 3 / 4;
    assert!((counted.1 - expected).abs() <= 2, "{counted:?}");
}

/// A code opens its lane as often as it may, to one fan once, until it is taken back.
fn codes_are_counted(house: &House) {
    let code = &house.codes(&json!({ "lane": "presale", "uses": 2 }))[0];
    let (ada, ben, cy) = (somebody(), somebody(), somebody());
    let place = house.join_with(code, &ada).expect(201);
    let again = house.join_with(code, &ada).expect(200);
    assert_eq!(
        (&place["lane"], &place["number"]),
        (&again["lane"], &again["number"])
    );
    house.join_with(code, &ben).expect(201);
    house.refused(&house.join_with(code, &cy), 410, "invite_used_up");
    house.refused(&house.join_with("NO-SUCH-CODE", &cy), 422, "invite_unknown");
    let soon = time::OffsetDateTime::now_utc() + Duration::from_millis(800);
    let soon = soon.format(&time::format_description::well_known::Rfc3339);
    let form =
        json!({ "lane": "presale", "uses": 5_000, "code": "FANCLUB", "expires_at": soon.unwrap() });
    assert_eq!(house.codes(&form), ["FANCLUB"]);
    let expired = wait_for(PATIENCE, "the code expires", || {
        let answer = house.join_with("FANCLUB", &somebody());
        (answer.status == 410).then_some(answer)
    });
    house.refused(&expired, 410, "invite_expired");
    let listed = house.admin("GET", "/invites", &Value::Null).expect(200);
    let listed = listed["data"].as_array().unwrap();
    listed_by_pages(house, listed);
    let used_up = listed
        .iter()
        .find(|invite| invite["uses_left"] == 0)
        .unwrap();
    assert!(
        !listed
            .iter()
            .any(|invite| invite.to_string().contains("FANCLUB"))
    );
    let path = format!("/invites/{}", used_up["id"].as_str().unwrap());
    assert_eq!(house.admin_delete(&path), 204);
    house.refused(&house.join_with(code, &cy), 422, "invite_unknown");
}

/// Pages of one code each give the same list, and no more after its end.
fn listed_by_pages(house: &House, whole: &[Value]) {
    let mut path = "/invites?limit=1".to_owned();
    for invite in whole {
        let page = house.admin("GET", &path, &Value::Null).expect(200);
        assert_eq!(
            page["data"].as_array().unwrap(),
            std::slice::from_ref(invite)
        );
        path = format!("/invites?limit=1&after={}", page["next"].as_str().unwrap());
    }
    let end = house.admin("GET", &path, &Value::Null).expect(200);
    assert_eq!(end, json!({ "data": [], "next": null }));
    let wrong = house.admin("GET", "/invites?after=nonsense", &Value::Null);
    house.refused(&wrong, 422, "invalid_request");
}

impl House {
    fn admin_delete(&self, path: &str) -> u16 {
        let path = format!("/api/v1/admin/events/{}{path}", self.event);
        let answer = self.target().call("DELETE", &path, Some(API_KEY), None);
        answer.unwrap().status
    }
}

/// A club types one code together while its row is locked: the fans wait for each other,
/// and nobody else for them.
#[tokio::test(flavor = "multi_thread")]
async fn fans_who_wait_for_one_code_leave_others_the_database() {
    const FANS: usize = 8;
    let house = House::start_with(|settings| settings.with("DATABASE_CONNECTIONS", "4")).await;
    house.set_up(&json!({ "lanes": [
        { "lane": "main" }, { "lane": "presale", "needs_code": true },
    ]}));
    let code = house.codes(&json!({ "lane": "presale", "uses": FANS }))[0].clone();
    wait_for(PATIENCE, "the edge knows the lane", || {
        let answer = house.join(&json!({ "client_join_id": somebody(), "lane": "presale" }));
        (answer.status == 403).then_some(())
    });
    let pool = PgPool::connect(&house.sandbox.postgres.url())
        .await
        .unwrap();
    let mut lock = pool.begin().await.unwrap();
    let rows = sqlx::query("SELECT FROM invites FOR UPDATE");
    rows.execute(&mut *lock).await.unwrap();
    std::thread::scope(|scope| {
        let fans: Vec<_> = (0..FANS)
            .map(|_| scope.spawn(|| house.join_with(&code, &somebody()).status))
            .collect();
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        wait_for(PATIENCE, "a fan waits for the lock", || {
            let asked = sqlx::query_scalar::<_, i64>(waits).fetch_one(&pool);
            (block_on(asked).unwrap() > 0).then_some(())
        });
        for _ in 0..4 {
            house.admin("GET", "", &Value::Null).expect(200);
        }
        let asked = sqlx::query_scalar::<_, i64>(waits).fetch_one(&pool);
        assert_eq!(
            block_on(asked).unwrap(),
            1,
            "the others wait without a connection"
        );
        block_on(lock.rollback()).unwrap();
        for fan in fans {
            assert_eq!(fan.join().unwrap(), 201);
        }
    });
}

fn block_on<T>(asked: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(asked))
}

#[tokio::test]
async fn the_page_takes_a_code_quietly() {
    let house = House::start().await;
    let page = format!("/e/{}", house.event);
    let look = || house.target().get(&page, None).unwrap().body;
    assert!(!look().contains("I have a code"));
    house.set_up(&json!({ "lanes": [
        { "lane": "main" }, { "lane": "presale", "needs_code": true },
    ]}));
    wait_for(PATIENCE, "the page has a field for codes", || {
        look().contains("I have a code").then_some(())
    });
    let code = &house.codes(&json!({ "lane": "presale", "uses": 1 }))[0];
    let path = format!("{page}/code");
    let post = |code: &str| {
        house
            .target()
            .post_form(&path, &format!("code={code}"))
            .unwrap()
    };
    let refused = post("WRONG-CODE");
    assert_eq!(refused.status, 422);
    assert!(
        refused.body.contains("check it for typing errors"),
        "{}",
        refused.body
    );
    assert!(refused.body.contains(&format!("href=\"{page}\"")));
    let joined = post(code);
    assert_eq!(joined.status, 303, "{}", joined.body);
    assert!(joined.head.contains(&format!("location: {page}/queue")));
}
