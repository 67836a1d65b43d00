//! The summary that ends a rehearsal in the terminal.

use std::fmt::Write as _;

use super::model::Report;

/// How many different answers the summary names.
const CODES_SHOWN_MAX: usize = 12;

pub fn render(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write_all(&mut out, report);
    out
}

fn write_all(out: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(
        out,
        "\n{}  {:.0} s",
        if report.go { "GO" } else { "NO-GO" },
        report.ran_s
    )?;
    for answer in &report.answers {
        writeln!(
            out,
            "  {:<24} {:<14} {}",
            answer.asks, answer.short, answer.sentence
        )?;
    }
    writeln!(
        out,
        "\n  {:<40} {:>16} {:>14}",
        "objective", "goal", "measured"
    )?;
    for check in &report.checks {
        let mark = match check.passed {
            Some(true) => "ok",
            Some(false) => "MISSED",
            None => "-",
        };
        writeln!(
            out,
            "  {:<40} {:>16} {:>14}  {mark}",
            check.name, check.goal, check.measured
        )?;
    }
    writeln!(
        out,
        "\n  {:<12} {:>9} {:>9} {:>8} {:>7} {:>9} {:>9} {:>9}",
        "call", "good", "answered", "refused", "failed", "p50 ms", "p95 ms", "p99 ms"
    )?;
    for row in &report.calls {
        writeln!(
            out,
            "  {:<12} {:>9} {:>9} {:>8} {:>7} {:>9.1} {:>9.1} {:>9.1}",
            row.call,
            row.good,
            row.answered,
            row.refused,
            row.failed,
            row.latency.p50_ms,
            row.latency.p95_ms,
            row.latency.p99_ms
        )?;
    }
    write_codes(out, report)?;
    for (reason, times) in &report.waits_not_shown {
        writeln!(out, "  {times:>8} x no wait shown: {reason}")?;
    }
    writeln!(out)?;
    for (ending, fans) in &report.endings {
        writeln!(out, "  {fans:>8} fans: {}", ending.words())?;
    }
    Ok(())
}

/// The most frequent answers other than yes.
fn write_codes(out: &mut String, report: &Report) -> std::fmt::Result {
    let mut codes: Vec<(&String, &u64)> = report.codes.iter().collect();
    codes.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    writeln!(out)?;
    for (code, count) in codes.into_iter().take(CODES_SHOWN_MAX) {
        writeln!(out, "  {count:>8} x {code}")?;
    }
    Ok(())
}
