//! The whole instrument over real sockets against a stand-in server: an honest one
//! gets a go, and each planted fault turns the report red for its own reason.
#![allow(clippy::unwrap_used)]

mod stub;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use stub::{Fault, Stub};
use usher_rehearsal::http::origin::Origin;
use usher_rehearsal::http::request::Request;
use usher_rehearsal::load::{Load, Pace, Traffic, load};
use usher_rehearsal::report::model::Report;
use usher_rehearsal::{RehearseArgs, Verdict, run};

#[derive(Debug, Parser)]
#[command(args_override_self = true)]
struct Cli {
    #[command(flatten)]
    args: RehearseArgs,
}

fn arguments(target: SocketAddr, out: &Path, more: &[&str]) -> Vec<String> {
    let target = format!("http://{target}");
    let out = out.to_str().unwrap();
    let mut all = vec![
        "rehearse",
        "--target",
        &target,
        "--out",
        out,
        "--fans",
        "60",
        "--arrive-seconds",
        "1",
    ];
    all.extend([
        "--api-key",
        "k",
        "--max-seconds",
        "60",
        "--hesitation-seconds",
        "0.2",
    ]);
    all.extend(["--wait-tolerance-seconds", "0.4"]);
    all.extend(more);
    all.into_iter().map(str::to_owned).collect()
}

/// Rehearses against a stub with `fault` and hands back the report it wrote.
async fn rehearse(fault: Fault, more: &[&str]) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let target = Stub::start(fault, 1).await;
    let args = Cli::parse_from(arguments(target, folder.path(), more)).args;
    let verdict = run(args).await.unwrap();
    let report: Report =
        serde_json::from_slice(&std::fs::read(folder.path().join("report.json")).unwrap()).unwrap();
    assert_eq!(report.go, matches!(verdict, Verdict::Go { .. }));
    let page = std::fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(page.contains(if report.go { ">Go<" } else { ">No-go<" }));
    assert!(
        !page.contains("http-equiv") && !page.contains("src="),
        "the page loads nothing"
    );
    report
}

fn missed(report: &Report) -> Vec<&str> {
    let missed = report
        .checks
        .iter()
        .filter(|check| check.passed == Some(false));
    missed.map(|check| check.name.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_honest_server_gets_a_go() {
    let report = rehearse(Fault::None, &["--profile", "calm"]).await;
    assert!(
        report.go,
        "missed {:?}, answers {:?}, codes {:?}",
        missed(&report),
        report.answers,
        report.codes
    );
    assert_eq!((report.joined, report.order.admitted), (60, 60));
    assert_eq!(report.stock.orders, 60, "{:?}", report.endings);
    assert_eq!(report.stock.usher_orders, Some(60));
    assert!(report.waits.all.judged > 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_usual_crowd_ends_in_every_way_and_cheats_get_nowhere() {
    let report = rehearse(Fault::None, &["--profile", "hostile"]).await;
    assert_eq!(report.endings.values().sum::<u64>(), 60);
    assert!(report.endings.len() > 2, "{:?}", report.endings);
    assert!(
        report.cheats.tried > 5 && report.cheats.got_through == 0,
        "{:?}",
        report.cheats
    );
    assert_eq!(report.order.overtaken, 0, "{:?}", report.order.examples);
    assert_eq!(report.stock.oversold() + report.stock.broken_orders(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fan_who_is_skipped_turns_the_report_red() {
    let report = rehearse(
        Fault::SkipsNumberFive,
        &["--profile", "calm", "--max-seconds", "16"],
    )
    .await;
    assert!(!report.go);
    assert_eq!(report.order.overtaken, 1, "{:?}", report.order.examples);
    assert_eq!(report.order.examples[0].number, 5);
    assert!(missed(&report).contains(&"fans overtaken while present"));
}

#[tokio::test(flavor = "multi_thread")]
async fn halved_waits_turn_the_report_red() {
    let report = rehearse(Fault::HalvesWaits, &["--profile", "calm"]).await;
    assert!(!report.go);
    assert!(
        missed(&report).contains(&"waits kept by the high end shown"),
        "{:?}",
        report.waits.all
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seat_sold_twice_turns_the_report_red() {
    let report = rehearse(Fault::SellsOneSeat, &["--profile", "calm"]).await;
    assert!(!report.go);
    assert_eq!(report.stock.examples[0].seat, "A-1");
    assert_eq!(missed(&report), ["tickets oversold"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cheat_who_gets_through_turns_the_report_red() {
    let report = rehearse(Fault::BelievesTokens, &["--profile", "hostile"]).await;
    assert!(!report.go);
    assert!(report.cheats.got_through > 0);
    assert!(missed(&report).contains(&"cheats that got through"));
}

/// The example is this crate's own program; the test harness builds it beside us.
#[tokio::test(flavor = "multi_thread")]
async fn several_processes_play_the_same_crowd_together() {
    let folder = tempfile::tempdir().unwrap();
    let target = Stub::start(Fault::None, 5).await;
    let program = std::env::current_exe()
        .unwrap()
        .parent()
        .unwrap()
        .join("../examples/rehearse");
    let all = arguments(
        target,
        folder.path(),
        &["--profile", "calm", "--processes", "3"],
    );
    let status = tokio::process::Command::new(program)
        .args(&all[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .status();
    let status = tokio::time::timeout(Duration::from_secs(60), status)
        .await
        .unwrap()
        .unwrap();
    let report: Report =
        serde_json::from_slice(&std::fs::read(folder.path().join("report.json")).unwrap()).unwrap();
    assert_eq!(
        (
            report.joined,
            report.setting.processes,
            report.tool.processes_lost
        ),
        (60, 3, 0)
    );
    assert_eq!(report.stock.orders, 60, "{:?}", report.endings);
    assert_eq!(status.success(), report.go);
}

#[tokio::test]
async fn a_target_that_is_not_this_machine_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let foreign: SocketAddr = "192.0.2.1:80".parse().unwrap();
    let refusal = run(Cli::parse_from(arguments(foreign, folder.path(), &[])).args)
        .await
        .unwrap_err();
    assert!(
        refusal
            .to_string()
            .contains("--i-own-this-target 192.0.2.1"),
        "{refusal}"
    );
}

struct EventReads {
    host: String,
    most: u64,
}

impl Traffic for EventReads {
    fn request(&self, sequence: u64, out: &mut Vec<u8>) -> bool {
        let request = Request {
            method: "GET",
            path: "/api/v1/events",
            host: &self.host,
            ..Request::default()
        };
        request.write(out);
        sequence < self.most
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_load_generator_counts_what_was_answered() {
    let target = Origin::resolve(&format!("http://{}", Stub::start(Fault::None, 1).await))
        .await
        .unwrap();
    let host = target.authority();
    let closed = Load {
        target: target.clone(),
        concurrency: 4,
        warm_up: Duration::ZERO,
        duration: Duration::from_secs(30),
        pace: Pace::Closed,
    };
    let traffic = Arc::new(EventReads {
        host: host.clone(),
        most: 500,
    });
    let measured = load(&closed, traffic).await;
    assert_eq!((measured.with_status(200..300), measured.failed), (500, 0));
    assert_eq!(measured.latency.count(), 500);

    let open = Load {
        duration: Duration::from_secs(1),
        pace: Pace::Open { per_second: 100.0 },
        ..closed
    };
    let measured = load(
        &open,
        Arc::new(EventReads {
            host,
            most: u64::MAX,
        }),
    )
    .await;
    assert!(
        (90..=101).contains(&measured.latency.count()),
        "{:?}",
        measured.by_status
    );
}
