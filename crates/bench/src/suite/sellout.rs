//! A sell-out from end to end: far more fans than seats, on streams, through the
//! line, the shop and the till. `usher rehearse` plays them and judges, as anybody
//! would who rehearses an on-sale.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use tokio::process::Command;
use usher_queue::Room;
use usher_rehearsal::report::model::Report;

use super::Scale;
use super::streams::STREAMS_PER_PROCESS;
use crate::pg;
use crate::processes::usher_binary;
use crate::stack::{API_KEY, Stack};
use crate::table::Row;

const FANS: u32 = 100_000;
const SEATS: u32 = 5_000;
/// The till takes it on two cores; a faster line would only fill the shop.
const RATE_PER_MINUTE: u32 = 6_000;
const ARRIVE_SECONDS: u32 = 60;
const LONGEST_SECONDS: u32 = 180;
const HESITATION_SECONDS: u32 = 2;

/// Leaves the rehearsal's own report in `out`, to be looked at.
pub async fn run(scale: Scale, out: &Path) -> anyhow::Result<Vec<Row>> {
    let fans = scale.of(FANS);
    let edges = fans.div_ceil(STREAMS_PER_PROCESS);
    let stack = Stack::start(edges as usize).await?;
    let event = stack
        .event("bench-sellout", scale.of(SEATS), Room::On)
        .await?;
    let rate = scale.of(RATE_PER_MINUTE);
    stack.set_rate(event, Some(rate)).await?;
    rehearse(&stack, &event.to_string(), fans, out).await?;
    let report = std::fs::read(out.join("report.json"))?;
    let report: Report = serde_json::from_slice(&report)?;
    let twice = pg::seats_sold_twice(&stack.pool, event).await?;
    ensure!(twice == 0, "{twice} seats are sold twice");
    ensure!(
        report.stock.oversold() == 0,
        "{} tickets are oversold",
        report.stock.oversold()
    );
    rows(&report, fans, rate)
}

/// Its verdict is read from the report: a "no-go" is a result, not an error.
async fn rehearse(stack: &Stack, event: &str, fans: u32, out: &Path) -> anyhow::Result<()> {
    let mut command = Command::new(usher_binary()?);
    command.args(["rehearse", "--profile", "calm", "--event", event]);
    for usher in &stack.ushers {
        command.arg(format!("--target=http://{}", usher.address));
    }
    let figures = [
        ("--fans", fans),
        ("--arrive-seconds", ARRIVE_SECONDS),
        ("--max-seconds", LONGEST_SECONDS),
        ("--hesitation-seconds", HESITATION_SECONDS),
    ];
    for (name, figure) in figures {
        command.arg(name).arg(figure.to_string());
    }
    command
        .arg("--out")
        .arg(out)
        .env("USHER_ADMIN_API_KEY", API_KEY);
    let done = command.stdin(Stdio::null()).output().await?;
    let told = String::from_utf8_lossy(&done.stderr);
    let ended = out.join("report.json").exists();
    ensure!(ended, "the rehearsal brought no report: {told}");
    Ok(())
}

fn rows(report: &Report, fans: u32, rate: u32) -> anyhow::Result<Vec<Row>> {
    let seconds = || (0u32..).zip(&report.seconds);
    let first = seconds().find(|(_, second)| second.admissions > 0);
    let last = seconds().filter(|(_, second)| second.orders > 0).last();
    let (first, last) = first.zip(last).context("nobody bought anything")?;
    let took = f64::from(last.0 - first.0 + 1);
    let pay = report.calls.iter().find(|row| row.call == "pay");
    let pay = pay.context("the report has no row for paying")?;
    let name = |what: &str| format!("sell-out: {what}");
    Ok(vec![
        Row::new(&name("first let in to last order"), took, "s").note(&format!(
            "{fans} fans, {} tickets in {} orders, {rate} let in a minute, oversold 0",
            report.stock.tickets, report.stock.orders
        )),
        Row::new(&name("checkout p99"), pay.latency.p99_ms, "ms").goal(2_000.0),
        Row::new(&name("push lag p99"), report.push_lag.p99_ms, "ms")
            .goal(1_500.0)
            .note(&format!("{} frames", report.frames)),
        Row::new(
            &name("overtaken while present"),
            report.order.overtaken as f64,
            "fans",
        )
        .goal(0.0),
    ])
}
