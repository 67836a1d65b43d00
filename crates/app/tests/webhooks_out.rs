//! Outgoing webhooks of the real binary: made over HTTP, audited, their secret
//! in no log, and sent again under the same id after the process was killed in
//! the middle of a delivery. That takes a lease of ten seconds to run out.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use common::fan::text;
use common::http::Answer;
use common::insiders::{Insiders, named};
use common::process::Usher;
use common::{API_KEY, import_event, set_rate, settings, signing_keys};
use serde_json::{Value, json};
use usher_sandbox::Sandbox;

const HEARD_WITHIN: Duration = Duration::from_secs(30);

/// Listens for deliveries and gives each to the test, which answers or not.
fn listen() -> (String, Receiver<Delivery>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hooks", listener.local_addr().unwrap());
    let (told, heard) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            take(stream.unwrap(), &told);
        }
    });
    (url, heard)
}

struct Delivery {
    stream: TcpStream,
    event: Value,
    id: String,
}

impl Delivery {
    fn accept(mut self) -> String {
        let _ = self
            .stream
            .write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
        self.id
    }
}

/// A connection that ends before its request did is a killed process's.
fn take(mut stream: TcpStream, told: &Sender<Delivery>) {
    let (mut text, mut part) = (String::new(), [0; 4096]);
    loop {
        let Ok(count @ 1..) = stream.read(&mut part) else {
            return;
        };
        text.push_str(std::str::from_utf8(&part[..count]).unwrap());
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        if let Ok(event) = serde_json::from_str(body) {
            let mut lines = head.lines();
            let id = lines.find_map(|line| line.strip_prefix("usher-delivery: "));
            let id = id.unwrap().to_owned();
            // A test that is over hears nothing more.
            let _ = told.send(Delivery { stream, event, id });
            return;
        }
    }
}

struct Sale {
    sandbox: Sandbox,
    keys: String,
    event: String,
    usher: Usher,
}

impl Sale {
    async fn start() -> Self {
        let (sandbox, keys) = (Sandbox::start().await.unwrap(), signing_keys());
        let settings = settings(&sandbox, &keys).with("WEBHOOKS_TO_PRIVATE_NETWORKS", "true");
        let event = import_event(&settings);
        let usher = Usher::serve("all", &settings);
        // The process knows the event from here on.
        set_rate(&usher.target(), &event, Some(60));
        Self {
            sandbox,
            keys,
            event,
            usher,
        }
    }

    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let path = format!("/api/v1/admin/events/{}/webhooks{path}", self.event);
        let called = self.usher.target().call(method, &path, Some(API_KEY), body);
        called.unwrap()
    }

    fn sell(&self) -> String {
        let fan = Insiders::new(&self.keys, &self.event).fan(1);
        let wish = named(json!({ "tiers": [{ "tier": "standing", "count": 1 }] }));
        let held = fan.reserve(&self.usher.target(), &wish).1.expect(201);
        let order = fan.commit(&self.usher.target(), &held).expect(200);
        text(&order, "order_id")
    }
}

#[tokio::test]
async fn a_killed_process_leaves_its_delivery_to_the_next_under_the_same_id() {
    let mut sale = Sale::start().await;
    let (url, heard) = listen();
    let wanted = json!({ "url": url, "kinds": ["BookingConfirmed", "TicketCreated"] });
    let made = sale.call("POST", "", Some(&wanted)).expect(201);
    let order = sale.sell();
    let first = heard.recv_timeout(HEARD_WITHIN).unwrap();
    assert_eq!(first.event["order_id"], order.as_str());
    sale.usher.stop();
    let before = sale.usher.log();

    let settings = settings(&sale.sandbox, &sale.keys).with("WEBHOOKS_TO_PRIVATE_NETWORKS", "true");
    sale.usher = Usher::serve("all", &settings);
    let again = heard.recv_timeout(HEARD_WITHIN).unwrap();
    assert_eq!((&again.id, &again.event), (&first.id, &first.event));
    let second = |delivery: Delivery| {
        let id: i64 = delivery.id.parse().unwrap();
        delivery.accept();
        id
    };
    let first = second(again);
    let then = heard.recv_timeout(HEARD_WITHIN).unwrap();
    assert!(second(then) > first, "in order");

    let secret = text(&made, "secret");
    let listed = sale.call("GET", "", None).body;
    let log = before + &sale.usher.log();
    assert!(!listed.contains(&secret) && !log.contains(&secret));
    assert!(!log.contains(&url), "an address may hold a token");
    let audit = sale
        .usher
        .target()
        .get("/api/v1/admin/audit", Some(API_KEY));
    let audit = audit.unwrap().expect(200).to_string();
    assert!(audit.contains("webhook_added") && !audit.contains(&secret));
    let webhook = format!("/{}", text(&made, "id"));
    assert_eq!(sale.call("DELETE", &webhook, None).status, 204);
    assert_eq!(sale.call("DELETE", &webhook, None).status, 404);
}

#[tokio::test]
async fn what_cannot_be_told_is_refused_and_dead_letters_are_seen() {
    let sandbox = Sandbox::start().await.unwrap();
    let keys = signing_keys();
    let settings = settings(&sandbox, &keys);
    let event = import_event(&settings);
    let usher = Usher::serve("all", &settings);
    set_rate(&usher.target(), &event, Some(60));
    let sale = Sale {
        sandbox,
        keys,
        event,
        usher,
    };
    for url in [
        "https://127.0.0.1/hooks",
        "https://[::1]/hooks",
        "https://169.254.169.254/latest/meta-data",
        "http://shop.example/hooks",
        "nonsense",
    ] {
        let refused = sale.call("POST", "", Some(&json!({ "url": url })));
        assert_eq!(refused.expect(422)["error"], "invalid_request", "{url}");
    }
    let kinds = json!({ "url": "https://shop.example/", "kinds": ["Everything"] });
    let refused = sale.call("POST", "", Some(&kinds)).expect(422);
    assert!(refused["message"].as_str().unwrap().contains("TicketUsed"));
    assert_eq!(
        sale.call("GET", "/dead", None).expect(200)["data"],
        json!([])
    );
    let made = sale.call("POST", "", Some(&json!({ "url": "https://shop.example/" })));
    let path = format!("/{}/redeliver", text(&made.expect(201), "id"));
    sale.call("POST", &path, Some(&json!({}))).expect(404);
}
