//! The console's pages for the desk, the door and invite codes on the real stack: an order
//! is found by whose it is, a ticket opens once, codes are made and taken back, and each
//! page is closed to roles that may not, and to forms of other sites.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::fan::{Fan, payment, text};
use common::http::{Answer, Target};
use common::process::Usher;
use common::{API_KEY, import_event, set_rate, settings, signing_keys, wait_for};
use serde_json::json;
use sqlx::PgPool;
use usher_sandbox::Sandbox;

/// How long the relay may need on a slow machine.
const PATIENCE: Duration = Duration::from_secs(20);
const EVENTS: &str = "/api/v1/admin/events";
const OPERATORS: &str = "/api/v1/admin/operators";
const FORM: &str = "content-type: application/x-www-form-urlencoded\r\n";
/// Tickets can still be read and used, but no longer be counted.
const LOSE_COUNT: &str = "
    CREATE FUNCTION is_no_count() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
        IF current_query() LIKE '%count(*)%' THEN RAISE EXCEPTION 'no count'; END IF;
        RETURN true;
    END $$;
    ALTER TABLE tickets RENAME TO all_tickets;
    CREATE VIEW tickets AS SELECT * FROM all_tickets WHERE is_no_count();";

struct House {
    sandbox: Sandbox,
    usher: Usher,
    event: String,
}

impl House {
    async fn open() -> Self {
        let sandbox = Sandbox::start().await.unwrap();
        let settings = settings(&sandbox, &signing_keys());
        let event = import_event(&settings);
        let usher = Usher::serve("all", &settings);
        set_rate(&usher.target(), &event, Some(600));
        Self {
            sandbox,
            usher,
            event,
        }
    }

    fn target(&self) -> Target {
        self.usher.target()
    }

    /// Somebody of this role who has signed in.
    fn desk(&self, role: &str) -> Desk {
        let form = json!({ "name": role, "role": role });
        let made = self
            .target()
            .call("POST", OPERATORS, Some(API_KEY), Some(&form));
        let key = text(&made.unwrap().expect(201), "api_key");
        let fields = format!("api_key={key}");
        let signed_in = self.target().post_form("/console/sign-in", &fields);
        let signed_in = signed_in.unwrap();
        assert_eq!(signed_in.status, 303);
        let lines = signed_in.head.lines();
        let mut cookies = lines.filter_map(|line| line.strip_prefix("set-cookie: "));
        let cookie = cookies.next().unwrap().split(';').next().unwrap();
        Desk {
            target: self.target(),
            cookie: format!("cookie: {cookie}\r\n"),
        }
    }

    /// Two tickets for this name; the order's number and those of its tickets.
    fn sell(&self, name: &str, email: &str) -> (String, Vec<String>) {
        let shop = self.target();
        let mut fan = Fan::join(&shop, &self.event);
        fan.wait_for_turn(&shop);
        fan.claim(&shop);
        let held = fan.hold(&shop);
        let mut paid = payment();
        paid["billing_details"] = json!({ "name": name, "email": email });
        let order = fan.commit(&shop, &held, &paid);
        let tickets = order["tickets"].as_array().unwrap().iter();
        let tickets = tickets.map(|ticket| text(ticket, "ticket_number"));
        (text(&order, "order_number"), tickets.collect())
    }
}

/// A browser at the console.
struct Desk {
    target: Target,
    cookie: String,
}

impl Desk {
    fn get(&self, path: &str) -> Answer {
        self.target.send("GET", path, &self.cookie, "").unwrap()
    }

    fn post(&self, path: &str, fields: &str) -> Answer {
        let head = format!("{}{FORM}", self.cookie);
        self.target.send("POST", path, &head, fields).unwrap()
    }

    /// As a form of another site would be sent by this browser.
    fn post_from_elsewhere(&self, path: &str, fields: &str) -> Answer {
        let head = format!("{}{FORM}origin: https://evil.example\r\n", self.cookie);
        self.target.send("POST", path, &head, fields).unwrap()
    }

    /// Where a search for this leads, or the page that it shows.
    fn find(&self, q: &str) -> String {
        let found = self.get(&format!("/console/orders?q={q}"));
        match found.status {
            303 => location(&found),
            _ => found.body,
        }
    }
}

fn location(answer: &Answer) -> String {
    let mut lines = answer.head.lines();
    let place = lines.find_map(|line| line.strip_prefix("location: "));
    place.unwrap().to_owned()
}

#[tokio::test]
async fn an_order_is_found_by_what_is_known_of_it_and_cancelled_by_operators() {
    let house = House::open().await;
    let (number, tickets) = house.sell("Anne Bergmann", "anne.b@example.org");
    house.sell("Ada Anne Fan", "ada@example.com");
    let (staff, operator) = (house.desk("staff"), house.desk("operator"));
    let order = format!("/console/orders/{number}");
    assert_eq!(staff.find(&number), order);
    wait_for(PATIENCE, "the relay has entered both", || {
        let both = staff.find("anne");
        (both.contains("Anne Bergmann") && both.contains("ada@example.com")).then_some(())
    });
    // Her name has the letters of an order's number.
    for q in [tickets[1].as_str(), "anne+bergmann", "anne.b@exam", "BERGM"] {
        assert_eq!(staff.find(q), order, "{q}");
    }
    assert!(staff.find("nobody").contains("No order was found"));
    assert!(staff.find("ergmann").contains("No order was found"));
    assert!(staff.find("an").contains("three letters at least"));
    for refused in ["--", "%00anne"] {
        let page = staff.get(&format!("/console/orders?q={refused}"));
        assert!(page.status == 422 && page.body.contains("a letter or a digit"));
    }

    let page = staff.get(&order).body;
    assert!(page.contains("anne.b@example.org") && page.contains(&tickets[0]));
    assert!(!page.contains("History") && !page.contains("Cancel the order"));
    let cancel = format!("{order}/cancel");
    assert_eq!(staff.post(&cancel, "").status, 403);
    assert_eq!(operator.post_from_elsewhere(&cancel, "").status, 403);
    let page = operator.get(&order).body;
    assert!(page.contains("Payment captured") && page.contains("Cancel the order"));
    assert_eq!(location(&operator.post(&cancel, "")), order);
    let page = operator.get(&order).body;
    assert!(page.contains("Refunded") && page.contains("Void") && page.contains("by operator"));
    assert!(!page.contains("Cancel the order"));
}

#[tokio::test]
async fn a_ticket_opens_the_door_once_and_every_answer_says_why_not() {
    let house = House::open().await;
    let (number, tickets) = house.sell("Anne Bergmann", "anne@example.org");
    let (staff, operator) = (house.desk("staff"), house.desk("operator"));
    let door = format!("/console/e/{}/door", house.event);
    let check_in_at =
        |gate: &str, ticket: &str| staff.post(&door, &format!("code={ticket}&gate={gate}"));
    let check_in = |ticket: &str| check_in_at("North", ticket);
    assert!(staff.get(&door).body.contains("<strong>0</strong> of 2"));
    let admitted = check_in(&tickets[0]).body;
    assert!(admitted.contains("Admitted") && admitted.contains("<strong>1</strong> of 2"));
    // Its answer may have been lost; anywhere else it is a second person.
    let again = check_in(&tickets[0]).body;
    assert!(again.contains("Checked in here") && again.contains("one person"));
    let elsewhere = check_in_at("South", &tickets[0]).body;
    assert!(elsewhere.contains("Already used at") && elsewhere.contains("at North by staff"));
    let other_staff = operator.post(&door, &format!("code={}&gate=North", tickets[0]));
    assert!(other_staff.body.contains("Already used at"));
    assert!(check_in("nonsense").body.contains("Unknown ticket"));
    assert_eq!(staff.post(&door, "code=x&gate=").status, 422);

    // An order with a used ticket stays; another one's tickets open nothing.
    let cancel = operator.post(&format!("/console/orders/{number}/cancel"), "");
    assert_eq!(cancel.status, 409);
    let (other, void) = house.sell("Ada Fan", "ada@example.org");
    operator.post(&format!("/console/orders/{other}/cancel"), "");
    assert!(check_in(&void[0]).body.contains("Cancelled or refunded"));

    assert_eq!(
        staff.post_from_elsewhere(&door, "code=x&gate=N").status,
        403
    );
    let viewer = house.desk("viewer");
    assert_eq!(viewer.get(&door).status, 403);
    assert_eq!(viewer.post(&door, "code=x&gate=N").status, 403);
    assert_eq!(viewer.get("/console/orders").status, 403);
    assert_eq!(
        location(&house.target().get(&door, None).unwrap()),
        "/console"
    );
}

#[tokio::test]
async fn a_count_that_fails_takes_no_answer_from_the_door() {
    let house = House::open().await;
    let (_, tickets) = house.sell("Anne Bergmann", "anne@example.org");
    let pool = PgPool::connect(&house.sandbox.postgres.url())
        .await
        .unwrap();
    sqlx::raw_sql(LOSE_COUNT).execute(&pool).await.unwrap();
    let staff = house.desk("staff");
    let door = format!("/console/e/{}/door", house.event);
    let admitted = staff.post(&door, &format!("code={}&gate=North", tickets[0]));
    assert_eq!(admitted.status, 200);
    assert!(admitted.body.contains("Admitted") && !admitted.body.contains("checked in</span>"));
}

#[tokio::test]
async fn operators_make_codes_and_take_them_back() {
    let house = House::open().await;
    let lanes = json!({ "line": { "lanes": [
        { "lane": "main" }, { "lane": "presale", "weight": 3, "needs_code": true },
    ] } });
    let event = format!("{EVENTS}/{}", house.event);
    let changed = house
        .target()
        .call("PATCH", &event, Some(API_KEY), Some(&lanes));
    changed.unwrap().expect(200);
    let (staff, operator) = (house.desk("staff"), house.desk("operator"));
    let page = format!("/console/e/{}/invites", house.event);
    let fields = "lane=presale&count=3&uses=2&expires_at=2099-05-01T10:00&code=";
    assert_eq!(staff.get(&page).status, 403);
    assert_eq!(staff.post(&page, fields).status, 403);
    assert_eq!(operator.post_from_elsewhere(&page, fields).status, 403);
    let made = operator.post(&page, fields);
    assert_eq!(made.status, 201, "{}", made.body);
    assert!(made.body.contains("3 codes") && made.body.contains("2099"));
    let over = fields.replace("2099", "2001");
    let over = operator.post(&page, &over);
    assert!(over.status == 422 && over.body.contains("is over already"));

    let listed = operator.get(&page).body;
    let codes: Vec<_> = listed.match_indices("/take-back\"").collect();
    assert_eq!(codes.len(), 3);
    let end = codes[0].0;
    let start = listed[..end].rfind("action=\"").unwrap() + "action=\"".len();
    let take_back = format!("{}/take-back", &listed[start..end]);
    assert_eq!(staff.post(&take_back, "").status, 403);
    assert_eq!(location(&operator.post(&take_back, "")), page);
    assert_eq!(operator.post(&take_back, "").status, 404);
    let first = operator.get(&format!("{page}?limit=1")).body;
    assert!(first.contains("More codes"));
}
