//! The seat map as it is sent: written once for all who look, tagged, and new
//! within a tick of a change.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use common::http::Target;
use common::insiders::{Insiders, named};
use common::process::Usher;
use common::{import_event, set_rate, settings, signing_keys, wait_for};
use serde_json::{Value, json};
use usher_sandbox::Sandbox;

/// A tick takes a second; the rest is for a busy machine.
const SEEN_WITHIN: Duration = Duration::from_secs(3);

/// Status, tag and body of a look with the tag that is known.
fn look(target: &Target, path: &str, known: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(target.0).unwrap();
    let host = target.0;
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {host}\r\nif-none-match: {known}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let tag = head.lines().find_map(|line| line.strip_prefix("etag: "));
    (status, tag.unwrap().to_owned(), body.to_owned())
}

fn status_of(map: &str, seat: &str) -> String {
    let map: Value = serde_json::from_str(map).unwrap();
    let sections = map["sections"].as_array().unwrap().iter();
    let rows = sections.flat_map(|section| section["rows"].as_array().unwrap());
    let mut seats = rows.flat_map(|row| row["seats"].as_array().unwrap());
    let found = seats.find(|known| known["id"] == seat).unwrap();
    found["status"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_look_is_answered_304_until_a_seat_changes_and_then_shows_it_at_once() {
    let (sandbox, keys) = (Sandbox::start().await.unwrap(), signing_keys());
    let settings = settings(&sandbox, &keys);
    let event = import_event(&settings);
    let usher = Usher::serve("all", &settings);
    let target = usher.target();
    set_rate(&target, &event, Some(60));
    let path = format!("/api/v1/events/{event}/seatmap");
    wait_for(Duration::from_secs(10), "the seats are read", || {
        (target.get(&path, None).unwrap().status == 200).then_some(())
    });
    let (status, tag, before) = look(&target, &path, "");
    assert_eq!(status, 200);
    let (status, same, body) = look(&target, &path, &tag);
    assert_eq!((status, same, body.as_str()), (304, tag.clone(), ""));

    let fan = Insiders::new(&keys, &event).fan(1);
    let wish = named(json!({ "best_available": { "count": 1 } }));
    let held = fan.reserve(&target, &wish).1.expect(201);
    let seat = held["seats"][0]["seat_id"].as_str().unwrap();
    assert_eq!(status_of(&before, seat), "available");
    let (tag, after) = wait_for(SEEN_WITHIN, "the held seat is seen", || {
        let (status, tag, body) = look(&target, &path, &tag);
        (status == 200).then_some((tag, body))
    });
    assert_eq!(status_of(&after, seat), "held");
    // Ticks go by; as long as nothing changes the answer is the same.
    let at = |body: &str| serde_json::from_str::<Value>(body).unwrap()["last_updated"].clone();
    std::thread::sleep(Duration::from_millis(2_100));
    assert_eq!(look(&target, &path, &tag).0, 304);
    assert_eq!(at(&look(&target, &path, "").2), at(&after));
}
