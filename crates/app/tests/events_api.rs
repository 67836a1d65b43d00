//! Events over HTTP on the real stack: made from a pretix plan, found, changed
//! while tickets are held and sold, and taken away only when nobody is hurt.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use common::fan::{Fan, payment};
use common::http::{Answer, Target};
use common::process::Usher;
use common::{API_KEY, set_rate, settings, signing_keys, wait_for};
use serde_json::{Value, json};
use usher_sandbox::Sandbox;

const EVENTS: &str = "/api/v1/admin/events";
const SEEN_WITHIN: Duration = Duration::from_secs(10);

/// A row of four seats as pretix exports it, and a standing tier.
fn draft(slug: &str) -> Value {
    let seat = |number: u32| {
        json!({
            "seat_guid": format!("A-{number}"), "seat_number": number.to_string(),
            "category": "Stalls", "position": { "x": 20 * number, "y": 0 },
        })
    };
    json!({
        "slug": slug, "title": "Aurora Live", "category": "concert", "currency": "EUR",
        "venue": { "name": "Grand Hall", "city": "Berlin" },
        "start_time": "2027-05-14T19:30:00Z",
        "prices": { "Stalls": 6_900 },
        "tiers": [{ "code": "standing", "name": "Standing", "capacity": 10, "price": 3_900 }],
        "layout": {
            "name": "Grand Hall",
            "categories": [{ "name": "Stalls", "color": "#7f4a91" }],
            "zones": [{
                "name": "Stalls", "position": { "x": 0, "y": 0 },
                "rows": [{
                    "row_number": "A", "position": { "x": 0, "y": 0 },
                    "seats": (1..=4).map(seat).collect::<Vec<_>>(),
                }],
            }],
            "size": { "width": 100, "height": 100 },
        },
    })
}

struct House {
    _sandbox: Sandbox,
    usher: Usher,
}

impl House {
    async fn start() -> Self {
        let sandbox = Sandbox::start().await.unwrap();
        let usher = Usher::serve("all", &settings(&sandbox, &signing_keys()));
        Self {
            _sandbox: sandbox,
            usher,
        }
    }

    fn target(&self) -> Target {
        self.usher.target()
    }

    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let called = self.target().call(method, path, Some(API_KEY), body);
        called.unwrap()
    }

    fn create(&self, slug: &str) -> String {
        let made = self.call("POST", EVENTS, Some(&draft(slug))).expect(201);
        assert_eq!(made["phase"], "draft");
        assert_eq!(made["seat_count"], 4);
        made["id"].as_str().unwrap().to_owned()
    }

    fn open(&self, event: &str) {
        let path = format!("{EVENTS}/{event}/phase");
        let opened = self.call("POST", &path, Some(&json!({ "phase": "open" })));
        opened.expect(200);
        set_rate(&self.target(), event, Some(600));
    }

    fn change(&self, event: &str, patch: &Value) -> Answer {
        self.call("PATCH", &format!("{EVENTS}/{event}"), Some(patch))
    }

    fn refused(&self, answer: &Answer, code: &str) {
        assert_eq!(answer.expect(409)["error"], code);
    }

    fn admit(&self, event: &str) -> Fan {
        let mut fan = Fan::join(&self.target(), event);
        fan.wait_for_turn(&self.target());
        fan.claim(&self.target());
        fan
    }

    /// What fans read of the event, once it is as wanted.
    fn wait_for_fans_to_see(&self, event: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let path = format!("/api/v1/events/{event}");
        wait_for(SEEN_WITHIN, "fans see the change", || {
            let answer = self.target().get(&path, None).ok()?;
            (answer.status == 200)
                .then(|| answer.json())
                .filter(&wanted)
        })
    }
}

/// As a PNG, to the holder of the order's token only.
fn shows_its_ticket(target: &Target, order: &Value) {
    let svg = order["tickets"][0]["qr_url"].as_str().unwrap();
    let path = svg.replace("qr.svg", "qr.png");
    assert_eq!(target.get(&path, None).unwrap().status, 401);
    let token = order["order_token"].as_str().unwrap();
    let mut stream = TcpStream::connect(target.0).unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\n\
         connection: close\r\n\r\n",
        target.0
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let text = String::from_utf8_lossy(&answer);
    assert!(text.starts_with("HTTP/1.1 200") && text.contains("image/png"));
    assert!(answer.windows(8).any(|bytes| bytes == b"\x89PNG\r\n\x1a\n"));
}

#[tokio::test]
async fn what_is_sold_and_held_is_protected_from_changes() {
    let house = House::start().await;
    let event = house.create("aurora-berlin");
    house.open(&event);
    let mut fan = house.admit(&event);
    let held = fan.hold(&house.target());
    let order = fan.commit(&house.target(), &held, &payment());
    assert_eq!(order["status"], "confirmed");
    shows_its_ticket(&house.target(), &order);

    let tier = |capacity: u32| {
        json!({ "tiers": [{ "code": "standing", "name": "Standing", "capacity": capacity,
                           "price": 4_500 }] })
    };
    house.refused(&house.change(&event, &tier(1)), "already_sold");
    house.refused(
        &house.change(&event, &json!({ "currency": "USD" })),
        "already_sold",
    );
    house.change(&event, &tier(5)).expect(200);
    // Two of five are sold; two of four seats go off sale.
    let blocked = house.change(&event, &json!({ "block_seats": ["A-1", "A-2"] }));
    assert!(blocked.expect(200).get("not_blocked_yet").is_none());
    house.wait_for_fans_to_see(&event, |seen| {
        seen["availability"]["available_seats"] == 3 + 2 && seen["price_range"]["min"] == 4_500
    });
    let typo = house.change(&event, &json!({ "titel": "x" }));
    assert!(
        typo.expect(422)["message"]
            .as_str()
            .unwrap()
            .contains("titel")
    );

    let path = format!("{EVENTS}/{event}");
    house.refused(&house.call("DELETE", &path, None), "line_in_the_way");
    let close = json!({ "phase": "closed" });
    let closed = house.call("POST", &format!("{path}/phase"), Some(&close));
    closed.expect(200);
    house.refused(&house.call("DELETE", &path, None), "has_orders");
}

#[tokio::test]
async fn a_held_seat_is_blocked_once_it_is_free() {
    let house = House::start().await;
    let event = house.create("aurora-berlin");
    house.open(&event);
    let fan = house.admit(&event);
    let form = json!({ "client_reservation_id": "0198c0de-0000-7000-8000-000000000001",
                       "seat_ids": ["A-1"] });
    let hold = format!("/api/v1/events/{event}/reservations");
    let target = house.target();
    let held = target.call("POST", &hold, Some(&fan.access_token), Some(&form));
    let held = held.unwrap().expect(201);

    let block = json!({ "block_seats": ["A-1"] });
    let answer = house.change(&event, &block).expect(200);
    assert_eq!(answer["not_blocked_yet"], json!(["A-1"]));
    let path = format!("{EVENTS}/{event}");
    let close = json!({ "phase": "closed" });
    let closed = house.call("POST", &format!("{path}/phase"), Some(&close));
    closed.expect(200);
    house.refused(&house.call("DELETE", &path, None), "holds_in_the_way");

    let id = held["reservation_id"].as_str().unwrap();
    let path_of_hold = format!("/api/v1/reservations/{id}");
    let released = target.call("DELETE", &path_of_hold, Some(&fan.access_token), None);
    assert!(released.unwrap().status < 300);
    let again = house.change(&event, &block).expect(200);
    assert!(again.get("not_blocked_yet").is_none());
}

#[tokio::test]
async fn dates_of_a_title_are_found_and_an_untouched_one_goes_away() {
    let house = House::start().await;
    let (first, second) = (house.create("aurora-1"), house.create("aurora-2"));
    let taken = house.call("POST", EVENTS, Some(&draft("aurora-2")));
    house.refused(&taken, "slug_taken");
    let list = |query: &str| {
        house
            .call("GET", &format!("{EVENTS}?{query}"), None)
            .expect(200)
    };
    let all = list("q=aurora%20berl");
    assert_eq!(all["total"], 2);
    let title = all["data"][0]["title_id"].as_str().unwrap();
    assert_eq!(list(&format!("title={title}&limit=1"))["total"], 2);
    assert_eq!(list("city=hamburg")["total"], 0);

    let path = format!("{EVENTS}/{first}");
    assert_eq!(
        house.call("GET", &path, None).expect(200)["slug"],
        "aurora-1"
    );
    assert_eq!(house.call("DELETE", &path, None).status, 204);
    assert_eq!(house.call("DELETE", &path, None).status, 404);
    assert_eq!(house.call("GET", &path, None).status, 404);
    assert_eq!(list("q=aurora")["data"][0]["id"], second.as_str());
    let audit = house.call("GET", "/api/v1/admin/audit", None).expect(200);
    let audit = audit.to_string();
    assert!(audit.contains("event_created") && audit.contains("event_deleted"));

    let wrong = house.call("POST", EVENTS, Some(&json!({ "slug": "x" })));
    let said = wrong.expect(422)["message"].as_str().unwrap().to_owned();
    assert!(
        said.contains("missing field") && !said.contains('\n'),
        "{said}"
    );
}
