//! A browser's orders on the real stack: listed, opened without the reply of the
//! payment, given back by their fan and by an operator, and shown to nobody else.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use common::fan::{Fan, payment, text};
use common::http::Target;
use common::process::Usher;
use common::{API_KEY, set_rate, settings, signing_keys, wait_for};
use serde_json::{Value, json};
use usher_sandbox::Sandbox;

const EVENTS: &str = "/api/v1/admin/events";
const SEEN_WITHIN: Duration = Duration::from_secs(10);
const PLACES: u64 = 10;

/// What a browser sends besides its cookie: nothing.
fn ask(shop: &Target, method: &str, path: &str, cookie: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(shop.0).unwrap();
    let host = shop.0;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\ncookie: {cookie}\r\n\
         content-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer)
}

fn json_of(answer: &(u16, String)) -> Value {
    let (_, body) = answer.1.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap()
}

/// The cookie that the event's page gives a new browser.
fn browser(shop: &Target, event: &str) -> String {
    let page = shop.get(&format!("/e/{event}"), None).unwrap();
    let mut lines = page.head.lines();
    let cookie = lines.find_map(|line| line.strip_prefix("set-cookie: usher_browser="));
    let value = cookie.unwrap().split(';').next().unwrap();
    format!("usher_browser={value}")
}

struct House {
    _sandbox: Sandbox,
    usher: Usher,
    event: String,
}

impl House {
    async fn open() -> Self {
        let sandbox = Sandbox::start().await.unwrap();
        let usher = Usher::serve("all", &settings(&sandbox, &signing_keys()));
        let shop = usher.target();
        let draft = json!({
            "slug": "aurora", "title": "Aurora", "category": "concert", "currency": "EUR",
            "venue": { "name": "Hall", "city": "Berlin" }, "start_time": "2027-05-14T19:30:00Z",
            "cancellable_until": "2027-05-01T00:00:00Z",
            "tiers": [{ "code": "standing", "name": "Standing", "capacity": PLACES,
                        "price": 3_900 }],
        });
        let made = shop.call("POST", EVENTS, Some(API_KEY), Some(&draft));
        let event = text(&made.unwrap().expect(201), "id");
        let phase = format!("{EVENTS}/{event}/phase");
        let opened = shop.call(
            "POST",
            &phase,
            Some(API_KEY),
            Some(&json!({ "phase": "open" })),
        );
        opened.unwrap().expect(200);
        set_rate(&shop, &event, Some(600));
        wait_for(SEEN_WITHIN, "the event's page", || {
            let page = shop.get(&format!("/e/{event}"), None).unwrap();
            (page.status == 200).then_some(())
        });
        Self {
            _sandbox: sandbox,
            usher,
            event,
        }
    }

    fn shop(&self) -> Target {
        self.usher.target()
    }

    /// Joins as this browser and buys; the replies' cookies are lost.
    fn buy(&self, browser: &str) -> (Fan, String) {
        let path = format!("/api/v1/events/{}/queue", self.event);
        let joined = ask(&self.shop(), "POST", &path, browser);
        let mut fan = Fan::joined(&self.event, text(&json_of(&joined), "queue_token"));
        fan.wait_for_turn(&self.shop());
        fan.claim(&self.shop());
        let held = fan.hold(&self.shop());
        let order = fan.commit(&self.shop(), &held, &payment());
        (fan, text(&order, "order_number"))
    }

    fn wait_for_places(&self, free: u64) {
        let path = format!("/api/v1/events/{}", self.event);
        wait_for(SEEN_WITHIN, "the places are back on sale", || {
            let seen = self.shop().get(&path, None).unwrap().json();
            (seen["availability"]["available_seats"] == free).then_some(())
        });
    }
}

#[tokio::test]
async fn a_browser_finds_its_orders_again_and_gives_one_back() {
    let house = House::open().await;
    let (shop, own) = (house.shop(), browser(&house.shop(), &house.event));
    let other = browser(&shop, &house.event);
    let (fan, number) = house.buy(&own);
    house.wait_for_places(PLACES - 2);

    let listed = json_of(&ask(&shop, "GET", "/api/v1/orders", &own));
    let order = &listed["data"][0];
    assert_eq!(order["order_number"], number.as_str());
    assert_eq!(
        (&order["status"], &order["cancellable"]),
        (&json!("confirmed"), &json!(true))
    );
    assert!(ask(&shop, "GET", "/orders", &own).1.contains(&number));
    let by_token = format!("/api/v1/orders?event={}", house.event);
    let by_token = shop
        .get(&by_token, Some(&fan.access_token))
        .unwrap()
        .expect(200);
    assert_eq!(by_token["data"][0]["order_number"], number.as_str());
    let nothing = json_of(&ask(&shop, "GET", "/api/v1/orders", &other));
    assert_eq!(nothing["data"], json!([]));
    assert_eq!(ask(&shop, "GET", "/api/v1/orders", "").0, 401);

    let page = format!("/orders/{number}");
    let (status, html) = ask(&shop, "GET", &page, &own);
    assert!(status == 200 && html.contains("Cancel this order"));
    assert!(html.contains(&format!("set-cookie: usher_order_{number}=")));
    let cancel = format!("{page}/cancel");
    for nobody in [other.as_str(), ""] {
        assert_eq!(ask(&shop, "GET", &page, nobody).0, 401);
        assert_eq!(ask(&shop, "POST", &cancel, nobody).0, 401);
    }
    assert_eq!(ask(&shop, "POST", &cancel, &own).0, 303);
    let (_, html) = ask(&shop, "GET", &page, &own);
    assert!(
        html.contains("refunded") && !html.contains("organiser"),
        "{html}"
    );
    assert!(!html.contains("Cancel this order"));
    house.wait_for_places(PLACES);
}

#[tokio::test]
async fn an_operator_gives_an_order_back_and_its_fan_is_told() {
    let house = House::open().await;
    let (shop, own) = (house.shop(), browser(&house.shop(), &house.event));
    let (_, number) = house.buy(&own);
    let path = format!("/api/v1/admin/orders/{number}/cancel");
    assert_eq!(shop.call("POST", &path, None, None).unwrap().status, 401);
    let cancelled = shop.call("POST", &path, Some(API_KEY), None).unwrap();
    assert_eq!(cancelled.expect(200)["status"], "refunded");
    let (_, html) = ask(&shop, "GET", &format!("/orders/{number}"), &own);
    assert!(
        html.contains("The organiser cancelled this order"),
        "{html}"
    );
    house.wait_for_places(PLACES);
    let audit = format!("/api/v1/admin/audit?subject={number}");
    let audit = shop.get(&audit, Some(API_KEY)).unwrap().expect(200);
    assert!(audit.to_string().contains("order_cancelled"));
}
