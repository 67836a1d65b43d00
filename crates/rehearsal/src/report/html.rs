//! `report.html`: one file, nothing loaded from anywhere, readable on a phone.

use std::fmt::Write as _;

use super::answers::Answer;
use super::charts;
use super::model::Report;
use super::svg::escape;

const CSS: &str = include_str!("page.css");

pub fn render(report: &Report) -> String {
    let mut page = String::new();
    // Writing to a String cannot fail.
    let _ = write_page(&mut page, report);
    page
}

fn write_page(page: &mut String, report: &Report) -> std::fmt::Result {
    let setting = &report.setting;
    let (class, word) = if report.go {
        ("", "Go")
    } else {
        (" bad", "No-go")
    };
    write!(
        page,
        r#"<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{word}: rehearsal of {event}</title><style>{CSS}</style></head><body><h1>Rehearsal of {event}</h1><p class="soft">{fans} fans, curve {curve}, profile {profile}, seed {seed}, {processes} process(es), {ran:.0} s, against {targets}, started {started}, usher-rehearsal {version}</p><div class="verdict{class}">{word}</div>"#,
        event = escape(&setting.event),
        fans = setting.fans,
        curve = escape(&setting.curve),
        profile = escape(&setting.profile),
        seed = setting.seed,
        processes = setting.processes,
        ran = report.ran_s,
        targets = escape(&setting.targets.join(", ")),
        started = escape(&setting.started_at),
        version = escape(&setting.version),
    )?;
    page.push_str(r#"<div class="grid2">"#);
    for answer in &report.answers {
        write_answer(page, answer)?;
    }
    page.push_str(r#"</div><div class="grid2">"#);
    charts::write(page, report)?;
    page.push_str(r#"</div><div class="grid2">"#);
    write_checks(page, report)?;
    write_calls(page, report)?;
    write_waits(page, report)?;
    write_counts(page, report)?;
    page.push_str("</div></body></html>\n");
    Ok(())
}

fn tone(passed: Option<bool>) -> (&'static str, &'static str) {
    match passed {
        Some(true) => ("good", "ok"),
        Some(false) => ("bad", "missed"),
        None => ("open", "not measured"),
    }
}

fn write_answer(page: &mut String, answer: &Answer) -> std::fmt::Result {
    write!(
        page,
        r#"<section class="card"><h2>{}</h2><div class="short {}">{}</div><p>{}</p></section>"#,
        escape(&answer.asks),
        tone(answer.passed).0,
        escape(&answer.short),
        escape(&answer.sentence)
    )
}

fn write_checks(page: &mut String, report: &Report) -> std::fmt::Result {
    page.push_str(r#"<section class="card scroll"><h2>Objectives</h2><table class="wrap"><tr><th>what</th><th>measured</th><th>goal</th><th></th></tr>"#);
    for check in &report.checks {
        let (class, word) = tone(check.passed);
        write!(
            page,
            r#"<tr><td>{}</td><td>{}</td><td>{}</td><td class="{class}">{word}</td></tr>"#,
            escape(&check.name),
            escape(&check.measured),
            escape(&check.goal)
        )?;
    }
    page.push_str("</table></section>");
    Ok(())
}

fn write_calls(page: &mut String, report: &Report) -> std::fmt::Result {
    page.push_str(r#"<section class="card scroll"><h2>Calls (latency in ms)</h2><table><tr><th>call</th><th>good</th><th>fair no</th><th>refused</th><th>failed</th><th>p50</th><th>p95</th><th>p99</th><th>max</th></tr>"#);
    for row in &report.calls {
        let latency = &row.latency;
        write!(
            page,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{:.1}</td><td>{:.1}</td><td>{:.1}</td><td>{:.0}</td></tr>",
            escape(&row.call),
            row.good,
            row.answered,
            row.refused,
            row.failed,
            latency.p50_ms,
            latency.p95_ms,
            latency.p99_ms,
            latency.max_ms
        )?;
    }
    write!(
        page,
        r#"</table><p class="soft">Latency counts from the moment the fan wanted to ask. Push lag: {} frames with a time stamp, p50 {:.0} ms, p99 {:.0} ms. The tool itself: fans sent off {:.1} ms late at p99, waited {:.1} ms for a connection at p99.</p></section>"#,
        report.push_lag.count,
        report.push_lag.p50_ms,
        report.push_lag.p99_ms,
        report.tool.start_lag.p99_ms,
        report.tool.slot_wait.p99_ms
    )
}

fn write_waits(page: &mut String, report: &Report) -> std::fmt::Result {
    page.push_str(r#"<section class="card scroll"><h2>Waits by time of asking</h2><table><tr><th>asked at s</th><th>shown s</th><th>came s (p10 p50 p90)</th><th>kept</th><th>within</th><th>median error</th></tr>"#);
    for bucket in &report.waits.by_asking {
        write!(
            page,
            "<tr><td>{:.0} to {:.0}</td><td>{:.0} to {:.0}</td><td>{:.0} {:.0} {:.0}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            bucket.asked_from_s,
            bucket.asked_to_s,
            bucket.shown_low_s,
            bucket.shown_high_s,
            bucket.came_p10_s,
            bucket.came_p50_s,
            bucket.came_p90_s,
            percent(bucket.shares.kept),
            percent(bucket.shares.within),
            percent(bucket.shares.median_error)
        )?;
    }
    page.push_str("</table>");
    write_waits_by_part(page, report)?;
    write!(
        page,
        r#"<p class="soft">The shown interval goes from P50 to P90, so exact means 90 % kept and 40 % within; it holds if the wait came between the soonest (P10) and the high end. Tolerance {:.0} s. Not known yet: {}; fan was away: {}.</p>"#,
        report.setting.wait_tolerance_s, report.waits.not_known, report.waits.away
    )?;
    write_untold(page, report)
}

/// Hidden waits cannot be wrong, so they are shown.
fn write_untold(page: &mut String, report: &Report) -> std::fmt::Result {
    let waits = &report.waits;
    write!(
        page,
        r#"<h2>Waits that were not shown</h2><p>Of {} fans let in, {} were shown none half-way. Of {} fans never let in who were shown a wait, {} saw it pass, or heard that it is over.</p><table><tr><th>heard in the open line</th><th>times</th></tr><tr><td>a wait</td><td>{}</td></tr>"#,
        waits.let_in,
        waits.let_in_untold,
        waits.left_out_told,
        waits.left_out_in_vain,
        report.waits_shown
    )?;
    for (reason, times) in &report.waits_not_shown {
        let reason = escape(reason);
        write!(page, "<tr><td>none, {reason}</td><td>{times}</td></tr>")?;
    }
    page.push_str("</table></section>");
    Ok(())
}

fn write_waits_by_part(page: &mut String, report: &Report) -> std::fmt::Result {
    page.push_str(r#"<h2>Waits by the part of the wait that had passed</h2><table><tr><th>passed</th><th>fans</th><th>held</th><th>kept</th><th>median error</th></tr>"#);
    let waits = &report.waits;
    let tenths = waits.by_part.iter().enumerate();
    let tenths = tenths.map(|(tenth, shares)| (format!("{} %", 10 * tenth), shares));
    let same = [("50 %, same rate".to_owned(), &waits.halfway_same_rate)];
    for (passed, shares) in tenths.chain(same) {
        write!(
            page,
            "<tr><td>{passed}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            shares.judged,
            percent(shares.contained),
            percent(shares.kept),
            percent(shares.median_error)
        )?;
    }
    page.push_str("</table>");
    Ok(())
}

fn percent(share: Option<f64>) -> String {
    share.map_or("-".to_owned(), |share| format!("{:.0} %", share * 100.0))
}

fn write_counts(page: &mut String, report: &Report) -> std::fmt::Result {
    page.push_str(r#"<section class="card scroll"><h2>How the fans ended</h2><table>"#);
    for (ending, fans) in &report.endings {
        write!(page, "<tr><td>{}</td><td>{fans}</td></tr>", ending.words())?;
    }
    page.push_str(r#"</table><h2>Answers other than yes</h2><table>"#);
    for (code, count) in &report.codes {
        write!(page, "<tr><td>{}</td><td>{count}</td></tr>", escape(code))?;
    }
    page.push_str("</table>");
    write_evidence(page, report)?;
    page.push_str("</section>");
    Ok(())
}

/// Names what was found wrong, so that a red report can be followed up.
fn write_evidence(page: &mut String, report: &Report) -> std::fmt::Result {
    for one in &report.order.examples {
        write!(
            page,
            r#"<p class="bad">Lane {}: number {} still heard "waiting" at {:.1} s, number {} was let in at {:.1} s.</p>"#,
            escape(&one.lane),
            one.number,
            one.still_waiting_ms as f64 / 1000.0,
            one.by_number,
            one.by_admitted_ms as f64 / 1000.0
        )?;
    }
    for one in &report.stock.examples {
        write!(
            page,
            r#"<p class="bad">Seat {} was confirmed in orders {}.</p>"#,
            escape(&one.seat),
            escape(&one.orders.join(", "))
        )?;
    }
    for (cheat, count) in &report.cheats.which {
        write!(
            page,
            r#"<p class="bad">Cheat {}: got through {count} times.</p>"#,
            escape(cheat)
        )?;
    }
    Ok(())
}
