//! A Prometheus as the capacity source: an admin sets an event's queries, and what it
//! answers is what the law goes by, until it answers no more. Here a few lines of HTTP
//! stand for it, in its format; it is no part of usher. Half a minute: the law sees
//! means over ten seconds, which must fill and empty.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::process::{Usher, run};
use common::{API_KEY, import_event, settings, signing_keys, wait_for, wait_for_page};
use serde_json::{Value, json};
use usher_sandbox::Sandbox;

const SOON: Duration = Duration::from_secs(30);

struct Prometheus {
    address: SocketAddr,
    is_well: Arc<AtomicBool>,
}

impl Prometheus {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let is_well = Arc::new(AtomicBool::new(true));
        let well = Arc::clone(&is_well);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let well = Arc::clone(&well);
                std::thread::spawn(move || answer_all(stream, &well));
            }
        });
        Self { address, is_well }
    }
}

fn answer_all(mut stream: TcpStream, is_well: &AtomicBool) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    loop {
        let first = lines.next()?.ok()?;
        while !lines.next()?.ok()?.is_empty() {}
        let found = match first.split(' ').nth(1)? {
            // sum(rate(served[5s]))
            "/prom/api/v1/query?query=sum%28rate%28served%5B5s%5D%29%29" => {
                r#"[{"metric":{},"value":[1795255200.781,"42.5"]}]"#
            }
            "/prom/api/v1/query?query=p99" => r#"[{"metric":{},"value":[1795255200.781,"211"]}]"#,
            _ => "[]",
        };
        let (status, body) = if is_well.load(Ordering::Relaxed) {
            let data = format!(r#"{{"resultType":"vector","result":{found}}}"#);
            ("200 OK", format!(r#"{{"status":"success","data":{data}}}"#))
        } else {
            ("503 Service Unavailable", String::new())
        };
        let length = body.len();
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}");
        stream.write_all(answer.as_bytes()).ok()?;
    }
}

fn call(usher: &Usher, method: &str, event: &str, form: Option<&Value>) -> (u16, String) {
    let path = format!("/api/v1/admin/events/{event}/prometheus");
    let answer = usher.target().call(method, &path, Some(API_KEY), form);
    let answer = answer.unwrap();
    (answer.status, answer.body)
}

/// Goodput over 10 s and p99 of the last second, as the law sees them.
fn seen(usher: &Usher, event: &str) -> Option<(f64, f64)> {
    let path = format!("/api/v1/admin/events/{event}/status");
    let answer = usher.target().get(&path, Some(API_KEY)).ok()?;
    let status = (answer.status == 200).then(|| answer.json())?;
    let state = &status["decision"]["state"];
    Some((state["goodput_per_s"].as_f64()?, state["p99_ms"].as_f64()?))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_law_goes_by_what_prometheus_answers_until_it_does_not() {
    let sandbox = Sandbox::start().await.unwrap();
    let plain = settings(&sandbox, &signing_keys());
    let event = import_event(&plain);
    let prometheus = Prometheus::start();
    let url = format!("http://{}/prom", prometheus.address);
    let usher = Usher::serve("all", &plain.with("PROMETHEUS_URL", url));
    wait_for_page(&usher, &event);

    let queries =
        json!({ "completed": "sum(rate(served[5s]))", "p99_ms": "p99", "errors": "none" });
    wait_for(SOON, "the event is known", || {
        (call(&usher, "PUT", &event, Some(&queries)).0 == 204).then_some(())
    });
    let (status, body) = call(&usher, "GET", &event, None);
    assert_eq!(
        (status, serde_json::from_str(&body).ok()),
        (200, Some(queries))
    );
    let many_lines = json!({ "completed": "a\nb" });
    let (status, body) = call(&usher, "PUT", &event, Some(&many_lines));
    assert!(
        status == 422 && body.contains("one line"),
        "{status} {body}"
    );

    wait_for(SOON, "its numbers are what the law sees", || {
        let (goodput, p99_ms) = seen(&usher, &event)?;
        (goodput > 30.0 && p99_ms == 211.0).then_some(())
    });
    let (goodput, _) = seen(&usher, &event).unwrap();
    assert!(goodput <= 42.5 + 1e-9, "{goodput}");

    prometheus.is_well.store(false, Ordering::Relaxed);
    // The booking node goes on reporting, but it answers nobody.
    wait_for(SOON, "what it said last is believed no longer", || {
        let (goodput, p99_ms) = seen(&usher, &event)?;
        (goodput < 1.0 && p99_ms == 0.0).then_some(())
    });
    assert_eq!(call(&usher, "DELETE", &event, None).0, 204);
    assert_eq!(call(&usher, "GET", &event, None).0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_address_in_the_settings_is_ever_asked() {
    let sandbox = Sandbox::start().await.unwrap();
    let plain = settings(&sandbox, &signing_keys());
    let event = import_event(&plain);
    let usher = Usher::serve("all", &plain);
    wait_for_page(&usher, &event);
    let with_url = json!({ "completed": "up", "url": "http://192.0.2.7/" });
    let (status, body) = call(&usher, "PUT", &event, Some(&with_url));
    assert!(status == 422 && body.contains("url"), "{status} {body}");
    let queries = json!({ "completed": "up" });
    let (status, body) = call(&usher, "PUT", &event, Some(&queries));
    assert!(
        status == 409 && body.contains("prometheus_url"),
        "{status} {body}"
    );

    for odd in [
        "ftp://a.example",
        "http://user@a.example",
        "http://a.example/?x",
    ] {
        let odd = plain.clone().with("PROMETHEUS_URL", odd);
        run(&["config"], &odd).refuses("prometheus_url");
    }
}
