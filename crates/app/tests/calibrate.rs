//! `usher calibrate` over the real stack: what it measures is stored with its
//! evidence, auto begins from it, and nothing is left held. The limit of another
//! backend is found from below; that takes some seven steps of two to five seconds each.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::process::{Settings, Usher, run};
use common::{API_KEY, import_event, settings, signing_keys, wait_for, wait_for_page};
use serde_json::Value;
use usher_sandbox::Sandbox;

const SOON: Duration = Duration::from_secs(20);

fn calibrate(settings: &Settings, event: &str, more: &[&str]) -> Result<Value, String> {
    let arguments = [&["calibrate", "--event", event, "--json"], more].concat();
    let ended = run(&arguments, settings);
    if ended.is_success() {
        Ok(serde_json::from_str(&ended.stdout).unwrap())
    } else {
        Err(ended.stderr.clone())
    }
}

fn ask(usher: &Usher, event: &str, what: &str) -> Option<Value> {
    let path = format!("/api/v1/admin/events/{event}/{what}");
    let answer = usher.target().get(&path, Some(API_KEY)).ok()?;
    (answer.status == 200).then(|| answer.json())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_booking_nodes_bear_is_stored_and_auto_begins_from_it() {
    let sandbox = Sandbox::start().await.unwrap();
    let plain = settings(&sandbox, &signing_keys());
    let event = import_event(&plain);
    let trusting = plain.with("TRUSTED_PROXIES", "127.0.0.1/32");
    let usher = Usher::serve("all", &trusting);
    wait_for_page(&usher, &event);
    let left = |usher: &Usher| ask(usher, &event, "status")?["seats_left"].as_u64();
    let seats = wait_for(SOON, "what is left", || left(&usher));
    assert!(ask(&usher, &event, "calibration").is_none());

    let target = format!("http://{}", usher.target().0);
    let step = ["--target", &target, "--step-seconds", "1"];
    let small = [&step[..], &["--from", "24", "--max", "36"]].concat();
    let measured = calibrate(&trusting, &event, &small).unwrap();
    let borne = measured["requests_per_s"].as_f64().unwrap();
    // A busy machine may not bear the first steps in time.
    assert!(borne > 0.0 && borne <= 37.0, "{measured}");
    assert!(!measured["steps"].as_array().unwrap().is_empty());

    let stored = ask(&usher, &event, "calibration").unwrap();
    assert_eq!(stored, measured);
    // The law's own start is 100; nobody is inside, so it does not grow.
    wait_for(SOON, "auto begins from it", || {
        let status = ask(&usher, &event, "status")?;
        let wanted = status["decision"]["state"]["wanted_requests_per_s"].as_f64()?;
        ((wanted - borne).abs() < 1e-9).then_some(())
    });
    wait_for(SOON, "nothing is left held", || {
        (left(&usher)? == seats).then_some(())
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_the_target_or_a_foreign_host_is_said_plainly() {
    let sandbox = Sandbox::start().await.unwrap();
    let settings = settings(&sandbox, &signing_keys());
    let event = import_event(&settings);
    let usher = Usher::serve("all", &settings);
    wait_for_page(&usher, &event);
    let target = format!("http://{}", usher.target().0);
    // More than the 300 a minute that one address may ask.
    let many = ["--target", &target, "--step-seconds", "2", "--from", "300"];
    let refused = calibrate(&settings, &event, &many).unwrap_err();
    assert!(refused.contains("trusted_proxies"), "{refused}");
    let foreign = ["--target", "http://192.0.2.7:80"];
    let refused = calibrate(&settings, &event, &foreign).unwrap_err();
    assert!(
        refused.contains("--i-own-this-target 192.0.2.7"),
        "{refused}"
    );
    assert!(ask(&usher, &event, "calibration").is_none());
}

/// Answers one request at a time, each after 20 ms: it bears 50 a second.
fn fifty_a_second() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let one_at_a_time = Arc::new(Mutex::new(()));
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let turn = Arc::clone(&one_at_a_time);
            std::thread::spawn(move || serve(stream, &turn));
        }
    });
    address
}

fn serve(stream: TcpStream, turn: &Mutex<()>) -> Option<()> {
    let mut answers = stream.try_clone().ok()?;
    let mut lines = BufReader::new(stream).lines();
    loop {
        while !lines.next()?.ok()?.is_empty() {}
        let working = turn.lock().ok()?;
        std::thread::sleep(Duration::from_millis(20));
        drop(working);
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        answers.write_all(answer).ok()?;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_backends_limit_is_found_from_below() {
    let sandbox = Sandbox::start().await.unwrap();
    let settings = settings(&sandbox, &signing_keys());
    let event = import_event(&settings);
    let target = format!("http://{}", fifty_a_second());
    let ramp = [
        "--from",
        "32",
        "--max",
        "64",
        "--step-seconds",
        "1",
        "--target-p99-ms",
        "300",
    ];
    let asked = [&["--target", target.as_str(), "--path", "/work"], &ramp[..]].concat();
    let measured = calibrate(&settings, &event, &asked).unwrap();
    let borne = measured["requests_per_s"].as_f64().unwrap();
    // Sleeping takes a little longer than asked, more so on a busy machine.
    assert!(borne > 0.0 && borne <= 50.5, "{measured}");
    let steps = measured["steps"].as_array().unwrap();
    assert!(
        steps.iter().any(|step| step["is_good"] == false),
        "{measured}"
    );
}
