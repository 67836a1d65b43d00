//! An event is deleted while people reach for its places: either nobody holds
//! one and it is gone with all that Redis had of it, or it stays and sells on.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Barrier;
use std::time::Duration;

use common::http::Target;
use common::insiders::{Insiders, named};
use common::process::Usher;
use common::{API_KEY, settings, signing_keys, wait_for};
use serde_json::json;
use usher_sandbox::Sandbox;

const EVENTS: &str = "/api/v1/admin/events";
const ROUNDS: u32 = 8;
const REACHING: u32 = 4;
const SEEN_WITHIN: Duration = Duration::from_secs(10);

fn create(shop: &Target, slug: &str) -> String {
    let draft = json!({
        "slug": slug, "title": "Aurora", "category": "concert", "currency": "EUR",
        "venue": { "name": "Hall", "city": "Berlin" }, "start_time": "2027-05-14T19:30:00Z",
        "tiers": [{ "code": "standing", "name": "Standing", "capacity": 100, "price": 3_900 }],
    });
    let made = shop.call("POST", EVENTS, Some(API_KEY), Some(&draft));
    made.unwrap().expect(201)["id"].as_str().unwrap().to_owned()
}

fn wait_until_served(shop: &Target, event: &str) {
    let path = format!("/api/v1/events/{event}");
    wait_for(SEEN_WITHIN, "the event is served", || {
        (shop.get(&path, None).unwrap().status == 200).then_some(())
    });
}

fn standing() -> serde_json::Value {
    named(json!({ "tiers": [{ "tier": "standing", "count": 1 }] }))
}

/// The deletion's status, and how many held a place.
fn race(shop: &Target, keys: &str, event: &str) -> (u16, usize) {
    let insiders = Insiders::new(keys, event);
    let start = Barrier::new(REACHING as usize + 1);
    std::thread::scope(|scope| {
        let reach = |number| {
            let fan = insiders.fan(number);
            start.wait();
            fan.try_reserve(shop, &standing()).unwrap().status
        };
        let reaching: Vec<_> = (0..REACHING)
            .map(|number| scope.spawn(move || reach(number)))
            .collect();
        start.wait();
        let path = format!("{EVENTS}/{event}");
        let deleted = shop.call("DELETE", &path, Some(API_KEY), None).unwrap();
        let held = reaching.into_iter().map(|reached| reached.join().unwrap());
        (deleted.status, held.filter(|status| *status == 201).count())
    })
}

#[tokio::test]
async fn no_place_is_held_of_an_event_that_is_gone() {
    let (sandbox, keys) = (Sandbox::start().await.unwrap(), signing_keys());
    let usher = Usher::serve("all", &settings(&sandbox, &keys));
    let shop = usher.target();
    let events: Vec<_> = (0..ROUNDS)
        .map(|round| create(&shop, &format!("aurora-{round}")))
        .collect();
    for event in events {
        wait_until_served(&shop, &event);
        let (status, held) = race(&shop, &keys, &event);
        match status {
            204 => assert_eq!(held, 0, "a place was held of {event}"),
            409 => {
                assert!(held > 0, "nothing was in the way");
                let fan = Insiders::new(&keys, &event).fan(REACHING);
                fan.reserve(&shop, &standing()).1.expect(201);
            }
            other => panic!("{other}"),
        }
    }
    // With nobody in the way it is gone, and what Redis has left of it fades.
    let event = create(&shop, "aurora-alone");
    let path = format!("{EVENTS}/{event}");
    let deleted = shop.call("DELETE", &path, Some(API_KEY), None).unwrap();
    assert_eq!(deleted.status, 204, "{}", deleted.body);
    let client = redis::Client::open(sandbox.redis.url()).unwrap();
    let mut redis = client.get_connection().unwrap();
    wait_for(SEEN_WITHIN, "nothing of it stays", || {
        let pattern = format!("{{{event}}}:*");
        let left: Vec<String> = redis::cmd("KEYS").arg(pattern).query(&mut redis).unwrap();
        let mut stays = left.into_iter().filter(|key| {
            let ttl: i64 = redis::cmd("TTL").arg(key).query(&mut redis).unwrap();
            ttl == -1
        });
        stays.next().is_none().then_some(())
    });
}
