//! A fan's place by WebSocket, by Server-Sent Events and by asking: the same
//! content on each, from the real binary with its own Redis and Postgres.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use common::fan::Fan;
use common::http::Target;
use common::process::Usher;
use common::{API_KEY, import_event, set_rate, settings, signing_keys, wait_for};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{self, Message, WebSocket};
use usher_base::Timestamp;
use usher_sandbox::Sandbox;

/// Everybody hears at least every ten seconds.
const FRAME_WITHIN: Duration = Duration::from_secs(15);
/// Frames among which enough are met by a poll of the same tick.
const MAX_FRAMES: usize = 40;
/// What a frame and a poll's answer say alike of a wait.
const OF_A_WAIT: [&str; 4] = ["number", "ahead", "estimated_wait_seconds", "reason"];
/// What a frame and a poll's answer say alike of a place.
const OF_A_PLACE: [&str; 6] = [
    "phase",
    "number",
    "ahead",
    "waiting",
    "rate_per_minute",
    "message",
];

fn connect(edge: &Target) -> TcpStream {
    let stream = TcpStream::connect(edge.0).unwrap();
    stream.set_read_timeout(Some(FRAME_WITHIN)).unwrap();
    stream
}

struct Events(BufReader<TcpStream>);

impl Events {
    fn open(edge: &Target, event: &str, token: &str) -> Self {
        let mut stream = connect(edge);
        let request = format!(
            "GET /api/v1/events/{event}/queue/events HTTP/1.1\r\nhost: {}\r\n\
             authorization: Bearer {token}\r\n\r\n",
            edge.0
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut events = Self(BufReader::new(stream));
        let head: Vec<String> = std::iter::from_fn(|| Some(events.line()))
            .take_while(|line| !line.is_empty())
            .collect();
        assert!(head[0].starts_with("HTTP/1.1 200"), "{head:?}");
        for wanted in [
            "content-type: text/event-stream",
            "x-accel-buffering: no",
            "cache-control: no-store",
        ] {
            assert!(head.iter().any(|line| line == wanted), "{wanted}: {head:?}");
        }
        events
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        let read = self.0.read_line(&mut line).unwrap();
        assert!(read > 0, "the stream ended");
        line.trim_end().to_owned()
    }

    fn frame(&mut self) -> Value {
        loop {
            if let Some(data) = self.line().strip_prefix("data: ") {
                return serde_json::from_str(data).unwrap();
            }
        }
    }

    /// Skips frames of another type.
    fn next(&mut self, kind: &str) -> Value {
        std::iter::from_fn(|| Some(self.frame()))
            .find(|frame| frame["type"] == kind)
            .unwrap()
    }

    /// Until the stream says that a newer one took over.
    fn expect_replaced(&mut self) {
        while self.line() != "event: replaced" {}
    }
}

struct Socket(WebSocket<TcpStream>);

impl Socket {
    fn open(edge: &Target, event: &str, token: &str) -> Self {
        let url = format!(
            "ws://{}/api/v1/events/{event}/queue/stream?token={token}",
            edge.0
        );
        let request = url.into_client_request().unwrap();
        let (socket, _) = tungstenite::client(request, connect(edge)).unwrap();
        Self(socket)
    }

    /// The code that the stream is closed with.
    fn closed(&mut self) -> u16 {
        loop {
            if let Message::Close(frame) = self.0.read().unwrap() {
                return frame.unwrap().code.into();
            }
        }
    }

    fn next(&mut self, kind: &str) -> Value {
        loop {
            let Message::Text(text) = self.0.read().unwrap() else {
                continue;
            };
            let frame: Value = serde_json::from_str(&text).unwrap();
            if frame["type"] == kind {
                return frame;
            }
        }
    }
}

#[tokio::test]
async fn all_three_ways_tell_the_same_place_and_the_same_turn() {
    let sandbox = Sandbox::start().await.unwrap();
    let set = settings(&sandbox, &signing_keys());
    let usher = Usher::serve("all", &set);
    let (edge, event) = (usher.target(), import_event(&set));
    set_rate(&edge, &event, None);
    let ahead = Fan::join(&edge, &event);
    let fan = Fan::join(&edge, &event);

    let mut events = Events::open(&edge, &event, &fan.queue_token);
    wait_for(FRAME_WITHIN, "the board shows both fans", || {
        (fan.place(&edge)?["waiting"] == 2).then_some(())
    });
    let polled = fan.place(&edge).unwrap();
    assert_eq!(
        (&polled["number"], &polled["ahead"]),
        (&2.into(), &1.into())
    );
    let until_current = |mut next: Box<dyn FnMut() -> Value + '_>| loop {
        let frame = next();
        if OF_A_PLACE.iter().all(|field| frame[field] == polled[field]) {
            return frame;
        }
    };
    until_current(Box::new(|| events.next("place")));
    let mut events = Events::open(&edge, &event, &ahead.queue_token);
    let mut socket = Socket::open(&edge, &event, &fan.queue_token);
    until_current(Box::new(|| socket.next("place")));
    wait_for(FRAME_WITHIN, "one stream of each kind is counted", || {
        let metrics = usher.metrics().get("/metrics", None).ok()?.body;
        let counted = |kind| metrics.contains(&format!("usher_line_streams{{kind=\"{kind}\"}} 1"));
        (counted("sse") && counted("websocket")).then_some(())
    });

    set_rate(&edge, &event, Some(600));
    ahead.wait_for_turn(&edge);
    for (turn, whose) in [
        (events.next("admitted"), &ahead),
        (socket.next("admitted"), &fan),
    ] {
        whose.wait_for_turn(&edge);
        let claim_by = &whose.place(&edge).unwrap()["claim_by"];
        assert!(claim_by.is_string());
        assert_eq!(&turn["claim_by"], claim_by);
    }
}

#[tokio::test]
async fn a_newer_stream_of_a_fan_takes_over_whatever_carries_it() {
    let sandbox = Sandbox::start().await.unwrap();
    let set = settings(&sandbox, &signing_keys());
    let usher = Usher::serve("all", &set);
    let (edge, event) = (usher.target(), import_event(&set));
    set_rate(&edge, &event, None);
    let fan = Fan::join(&edge, &event);
    let other = Fan::join(&edge, &event);
    let mut of_other = Socket::open(&edge, &event, &other.queue_token);
    let mut first = Socket::open(&edge, &event, &fan.queue_token);
    first.next("place");
    let mut second = Events::open(&edge, &event, &fan.queue_token);
    assert_eq!(first.closed(), 4_001);
    second.next("place");
    let mut third = Socket::open(&edge, &event, &fan.queue_token);
    second.expect_replaced();
    third.next("place");
    of_other.next("place");
    // The place is still present, by the one stream that is left.
    wait_for(FRAME_WITHIN, "one stream of each is left", || {
        let metrics = usher.metrics().get("/metrics", None).ok()?.body;
        let left = metrics.contains("usher_line_streams{kind=\"websocket\"} 2")
            && metrics.contains("usher_line_streams{kind=\"sse\"} 0");
        left.then_some(())
    });
    assert_eq!(fan.place(&edge).unwrap()["standing"], "waiting");
}

/// Frames that were met by a poll of the same tick, which said the same of the wait,
/// until so many of the wanted ones were.
fn compared(
    mut next: impl FnMut() -> Value,
    poll: impl Fn() -> Value,
    is_wanted: impl Fn(&Value) -> bool,
    count: usize,
) -> Vec<Value> {
    let mut compared = Vec::new();
    for _ in 0..MAX_FRAMES {
        let (frame, polled) = (next(), poll());
        if frame["at"] == polled["at"] {
            for field in OF_A_WAIT {
                assert_eq!(frame[field], polled[field], "{field}: {frame} {polled}");
            }
            compared.extend(is_wanted(&frame).then_some(frame));
        }
        if compared.len() == count {
            return compared;
        }
    }
    panic!("only {compared:?} could be compared with a poll");
}

/// A line of 41, the last of whom asks; whoever asked lately is present.
fn line_of_41(edge: &Target, event: &str) -> Fan {
    for _ in 0..40 {
        Fan::join(edge, event).place(edge);
    }
    Fan::join(edge, event)
}

#[tokio::test]
async fn a_poll_is_held_to_the_wait_that_a_stream_was_told() {
    let sandbox = Sandbox::start().await.unwrap();
    let set = settings(&sandbox, &signing_keys());
    let usher = Usher::serve("all", &set);
    let (edge, event) = (usher.target(), import_event(&set));
    set_rate(&edge, &event, None);
    let fan = line_of_41(&edge, &event);
    set_rate(&edge, &event, Some(60));
    let poll = || fan.place(&edge).unwrap();
    let is_told = |frame: &Value| frame["estimated_wait_seconds"].is_object();

    let mut socket = Socket::open(&edge, &event, &fan.queue_token);
    let frames = compared(|| socket.next("place"), poll, is_told, 4);
    let end = |frame: &Value| {
        let seconds = frame["estimated_wait_seconds"]["low"].as_u64().unwrap();
        let at: Timestamp = serde_json::from_value(frame["at"].clone()).unwrap();
        at.plus(Duration::from_secs(seconds))
    };
    for pair in frames.windows(2) {
        let later = end(&pair[1]).since(end(&pair[0]));
        let has_reason = pair[1]["reason"].is_string();
        assert!(later <= Duration::from_secs(2) || has_reason, "{pair:?}");
    }

    set_rate(&edge, &event, Some(20));
    let mut events = Events::open(&edge, &event, &fan.queue_token);
    let is_slower = |frame: &Value| frame["reason"] == "backend_slowed" && is_told(frame);
    compared(|| events.next("place"), poll, is_slower, 2);
}

#[tokio::test]
async fn whoever_the_stock_does_not_reach_hears_so_on_every_way() {
    let sandbox = Sandbox::start().await.unwrap();
    let set = settings(&sandbox, &signing_keys());
    let usher = Usher::serve("all", &set);
    let edge = usher.target();
    let event = event_of_ten_places(&edge);
    let fan = line_of_41(&edge, &event);
    let poll = || fan.place(&edge).unwrap();
    let is_spoken_for = |frame: &Value| {
        frame["reason"] == "spoken_for" && frame["estimated_wait_seconds"].is_null()
    };
    let mut socket = Socket::open(&edge, &event, &fan.queue_token);
    compared(|| socket.next("place"), poll, is_spoken_for, 2);
    let mut events = Events::open(&edge, &event, &fan.queue_token);
    compared(|| events.next("place"), poll, is_spoken_for, 2);
}

/// Open, and slow enough that nobody comes to the end of the line.
fn event_of_ten_places(edge: &Target) -> String {
    let form = json!({
        "slug": "ten", "title": "Ten", "description": "", "category": "concert",
        "venue": { "name": "Hall", "city": "Here", "capacity": 10 },
        "start_time": "2031-05-01T19:00:00Z", "currency": "EUR", "prices": {},
        "tiers": [{ "code": "floor", "name": "Floor", "capacity": 10, "price": 1_000 }],
    });
    let call = |method: &str, path: &str, body: &Value| {
        wait_for(FRAME_WITHIN, path, || {
            let answer = edge.call(method, path, Some(API_KEY), Some(body)).ok()?;
            assert!(
                matches!(answer.status, 200..=299 | 404 | 503),
                "{}",
                answer.body
            );
            (answer.status < 300).then_some(answer)
        })
    };
    let event = call("POST", "/api/v1/admin/events", &form).json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    set_rate(edge, &event, Some(6));
    let path = format!("/api/v1/admin/events/{event}/phase");
    for phase in ["scheduled", "open"] {
        call("POST", &path, &json!({ "phase": phase }));
    }
    event
}

#[tokio::test]
async fn a_drained_edge_sends_readers_of_events_elsewhere() {
    let sandbox = Sandbox::start().await.unwrap();
    let set = settings(&sandbox, &signing_keys()).with("DRAIN_SECONDS", "15");
    let usher = Usher::serve("all", &set);
    let (edge, event) = (usher.target(), import_event(&set));
    set_rate(&edge, &event, None);
    let fan = Fan::join(&edge, &event);
    let refused = edge
        .get(&format!("/api/v1/events/{event}/queue/events"), None)
        .unwrap();
    assert_eq!(refused.expect(401)["error"], "queue_token_required");
    let mut events = Events::open(&edge, &event, &fan.queue_token);
    events.next("place");
    usher.signal(nix::sys::signal::Signal::SIGTERM);
    events.next("reconnect");
}
