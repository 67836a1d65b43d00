//! A fan whose device takes nothing off the stream any more: the edge drops the stream
//! within its bound, nobody else notices, and the fan returns to the same place. Takes a
//! quarter of a minute: the system keeps some kilobytes first, and a reader then has ten
//! seconds to take something.
#![allow(clippy::unwrap_used)]

mod common;

use std::net::TcpStream;
use std::time::Duration;

use common::fan::Fan;
use common::http::Target;
use common::process::Usher;
use common::{API_KEY, import_event, set_rate, settings, signing_keys, wait_for, wait_for_page};
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::TcpMaxSeg;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Message, WebSocket, client};
use usher_sandbox::Sandbox;

/// A phone's small segments: the system gives a connection room by their size, and a
/// local one would take a megabyte before anything stands in the server's way.
const SEGMENT_BYTES: u32 = 536;
const RECEIVE_BUFFER_BYTES: u32 = 2_048;
/// As long as a message may be, of characters that take four bytes each.
const MESSAGE_CHARS: usize = 480;
/// Filling the buffers, the ten seconds that a reader has, and a busy machine.
const DROPPED_WITHIN: Duration = Duration::from_secs(90);
const FRAME_WITHIN: Duration = Duration::from_secs(15);

async fn open(edge: &Target, event: &str, fan: &Fan) -> WebSocket<TcpStream> {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES).unwrap();
    setsockopt(&socket, TcpMaxSeg, &SEGMENT_BYTES).unwrap();
    let stream = socket.connect(edge.0).await.unwrap().into_std().unwrap();
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(FRAME_WITHIN)).unwrap();
    let token = &fan.queue_token;
    let url = format!(
        "ws://{}/api/v1/events/{event}/queue/stream?token={token}",
        edge.0
    );
    let (socket, _) = client(url.into_client_request().unwrap(), stream).unwrap();
    socket
}

fn next_place(socket: &mut WebSocket<TcpStream>) -> Value {
    loop {
        if let Message::Text(text) = socket.read().unwrap() {
            let frame: Value = serde_json::from_str(&text).unwrap();
            if frame["type"] == "place" {
                return frame;
            }
        }
    }
}

/// Another long message for everybody in line.
fn say(booking: &Target, event: &str, sequence: usize) {
    let path = format!("/api/v1/admin/events/{event}/message");
    let text = format!("{sequence:06} {}", "\u{1F3AB}".repeat(MESSAGE_CHARS));
    let body = json!({ "message": text });
    let answer = booking.call("PUT", &path, Some(API_KEY), Some(&body));
    answer.unwrap().expect(200);
}

/// How many streams were closed for that reason.
fn closed(usher: &Usher, reason: &str) -> bool {
    let metrics = usher.metrics().get("/metrics", None).unwrap().body;
    let sample = format!("usher_streams_closed_total{{reason=\"{reason}\"}} 1");
    metrics.lines().any(|line| line == sample)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_takes_nothing_is_dropped_and_keeps_the_place() {
    let sandbox = Sandbox::start().await.unwrap();
    let settings = settings(&sandbox, &signing_keys());
    let usher = Usher::serve("all", &settings);
    let (edge, event) = (usher.target(), import_event(&settings));
    set_rate(&edge, &event, None);
    wait_for_page(&usher, &event);
    let [deaf, other] = [(); 2].map(|()| Fan::join(&edge, &event));
    let number = deaf.place(&edge).unwrap()["number"].clone();
    let _stuck = open(&edge, &event, &deaf).await;
    let mut listening = open(&edge, &event, &other).await;

    let mut said = 0;
    wait_for(DROPPED_WITHIN, "the deaf reader is dropped", || {
        said += 1;
        say(&edge, &event, said);
        // Who listens hears each of them, as if nobody else were there.
        let wanted = format!("{said:06} ");
        while !next_place(&mut listening)["message"]
            .as_str()
            .is_some_and(|message| message.starts_with(&wanted))
        {}
        closed(&usher, "slow_reader").then_some(())
    });
    println!("dropped after {said} frames that were not read");

    let mut back = open(&edge, &event, &deaf).await;
    assert_eq!(next_place(&mut back)["number"], number);
    assert_eq!(deaf.place(&edge).unwrap()["standing"], "waiting");
}
