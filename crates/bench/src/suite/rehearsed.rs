//! On-sales from end to end, played by `usher rehearse` as anybody would who rehearses
//! one: on streams, through the line, the shop and the till, over as many edges as the
//! streams need. The rehearsal judges; what can be counted from outside is counted here.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use usher_queue::Room;
use usher_rehearsal::report::model::Report;

use super::Scale;
use super::streams::STREAMS_PER_PROCESS;
use crate::pg;
use crate::processes::{command, usher_binary};
use crate::stack::{API_KEY, Stack};
use crate::table::Row;

pub struct OnSale {
    /// The event's slug, and the folder of the rehearsal's own report.
    slug: &'static str,
    title: &'static str,
    profile: &'static str,
    fans: u32,
    seats: u32,
    standing: u32,
    rate_per_minute: u32,
    arrive_seconds: u32,
    longest_seconds: u32,
    hesitation_seconds: u32,
}

/// Far more fans than seats. The till takes 6,000 a minute on two cores; a faster line
/// would only fill the shop.
pub const SELL_OUT: OnSale = OnSale {
    slug: "sellout",
    title: "sell-out",
    profile: "calm",
    fans: 100_000,
    seats: 5_000,
    standing: 0,
    rate_per_minute: 6_000,
    arrive_seconds: 60,
    longest_seconds: 180,
    hesitation_seconds: 2,
};

/// Enough for everybody, and a usual crowd: some leave, cheat, lose the connection.
pub const CROWD: OnSale = OnSale {
    slug: "crowd",
    title: "crowd",
    profile: "usual",
    fans: 40_000,
    seats: 5_000,
    standing: 100_000,
    rate_per_minute: 9_000,
    arrive_seconds: 60,
    longest_seconds: 330,
    hesitation_seconds: 6,
};

impl OnSale {
    /// Leaves the rehearsal's own report in a folder of `out`, to be looked at.
    pub async fn run(&self, scale: Scale, out: &Path) -> anyhow::Result<Vec<Row>> {
        let out = out.join(self.slug);
        let fans = scale.of(self.fans);
        let edges = fans.div_ceil(STREAMS_PER_PROCESS);
        let stack = Stack::start(edges as usize).await?;
        let slug = format!("bench-{}", self.slug);
        let [seats, standing] = [self.seats, self.standing].map(|full| scale.of(full));
        let event = stack
            .event_with_standing(&slug, seats, standing, Room::On)
            .await?;
        let rate = scale.of(self.rate_per_minute);
        stack.set_rate(event, Some(rate)).await?;
        self.rehearse(&stack, &event.to_string(), fans, &out)
            .await?;
        let report = std::fs::read(out.join("report.json"))?;
        let report: Report = serde_json::from_slice(&report)?;
        let twice = pg::seats_sold_twice(&stack.pool, event).await?;
        ensure!(twice == 0, "{twice} seats are sold twice");
        ensure!(
            report.stock.oversold() == 0,
            "{} tickets are oversold",
            report.stock.oversold()
        );
        let setting = format!("{fans} fans over {edges} processes, {rate} let in a minute");
        self.rows(&report, &setting)
    }

    /// Its verdict is read from the report: a "no-go" is a result, not an error.
    async fn rehearse(
        &self,
        stack: &Stack,
        event: &str,
        fans: u32,
        out: &Path,
    ) -> anyhow::Result<()> {
        let mut command = command(usher_binary()?);
        command.args(["rehearse", "--profile", self.profile, "--event", event]);
        for usher in &stack.ushers {
            command.arg(format!("--target=http://{}", usher.address));
        }
        let figures = [
            ("--fans", fans),
            ("--arrive-seconds", self.arrive_seconds),
            ("--max-seconds", self.longest_seconds),
            ("--hesitation-seconds", self.hesitation_seconds),
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

    fn rows(&self, report: &Report, setting: &str) -> anyhow::Result<Vec<Row>> {
        let seconds = || (0u32..).zip(&report.seconds);
        let first = seconds().find(|(_, second)| second.admissions > 0);
        let last = seconds().filter(|(_, second)| second.orders > 0).last();
        let (first, last) = first.zip(last).context("nobody bought anything")?;
        let took = f64::from(last.0 - first.0 + 1);
        let pay = report.calls.iter().find(|row| row.call == "pay");
        let pay = pay.context("the report has no row for paying")?;
        let missed: Vec<&str> = report
            .checks
            .iter()
            .filter(|check| check.passed == Some(false))
            .map(|check| check.name.as_str())
            .collect();
        let row = |what: &str, value: f64, unit: &str| {
            Row::new(&format!("{}: {what}", self.title), value, unit)
        };
        Ok(vec![
            row("first let in to last order", took, "s").note(&format!(
                "{setting}, {} tickets in {} orders, oversold 0",
                report.stock.tickets, report.stock.orders
            )),
            row("checkout p99", pay.latency.p99_ms, "ms").goal(2_000.0),
            row("push lag p99", report.push_lag.p99_ms, "ms")
                .goal(1_500.0)
                .note(&format!("{} frames", report.frames)),
            row(
                "overtaken while present",
                report.order.overtaken as f64,
                "fans",
            )
            .goal(0.0),
            row("objectives missed", missed.len() as f64, "")
                .goal(0.0)
                .note(&missed.join(", ")),
        ])
    }
}
