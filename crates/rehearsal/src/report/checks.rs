//! Go or no-go: each objective against what was measured, and the four answers
//! that a reader wants at a glance, each with its one sentence.

use serde::{Deserialize, Serialize};

use super::model::{CallRow, Report};
use crate::objectives::Objectives;
use crate::record::Ending;

/// Fewer judged waits than this say nothing about a forecast.
const WAITS_JUDGED_MIN: u64 = 20;
/// Fewer seconds than this say nothing about a rate.
const PACE_SECONDS_MIN: u64 = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    Held,
    Limit,
    Honest,
    Order,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    pub question: Question,
    pub name: String,
    pub goal: String,
    pub measured: String,
    /// `None`: could not be measured.
    pub passed: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    pub question: Question,
    pub asks: String,
    pub short: String,
    pub sentence: String,
    pub passed: Option<bool>,
}

pub fn check(report: &Report, goals: &Objectives) -> Vec<Check> {
    let mut checks = held(report, goals);
    checks.extend(stock(report, goals));
    checks.extend(honest(report, goals));
    checks.extend(order(report, goals));
    checks
}

fn at_most(question: Question, name: &str, measured: Option<f64>, goal: f64, unit: &str) -> Check {
    Check {
        question,
        name: name.to_owned(),
        goal: format!("at most {}", figure(goal, unit)),
        measured: measured.map_or("not measured".to_owned(), |value| figure(value, unit)),
        passed: measured.map(|value| value <= goal),
    }
}

fn at_least(question: Question, name: &str, measured: Option<f64>, goal: f64, unit: &str) -> Check {
    Check {
        goal: format!("at least {}", figure(goal, unit)),
        passed: measured.map(|value| value >= goal),
        ..at_most(question, name, measured, goal, unit)
    }
}

fn figure(value: f64, unit: &str) -> String {
    match unit {
        "%" => format!("{:.1} %", value * 100.0),
        "ms" if value < 10.0 => format!("{value:.1} ms"),
        "ms" => format!("{value:.0} ms"),
        "x" => format!("{value:.2} x"),
        _ => format!("{value:.0}"),
    }
}

fn p99(row: Option<&CallRow>) -> Option<f64> {
    row.filter(|row| row.latency.count > 0)
        .map(|row| row.latency.p99_ms)
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn held(report: &Report, goals: &Objectives) -> Vec<Check> {
    use Question::Held;
    let failed = report.calls.iter().map(|row| row.failed).sum();
    let requests = report
        .calls
        .iter()
        .map(|row| row.good + row.answered + row.refused + row.failed)
        .sum();
    let fans = report.endings.values().sum();
    let lag = (report.push_lag.count > 0).then_some(report.push_lag.p99_ms);
    let tool_lag = report
        .tool
        .start_lag
        .p99_ms
        .max(report.tool.slot_wait.p99_ms);
    let joined = at_least(Held, "fans who joined", Some(report.joined as f64), 1.0, "");
    vec![
        joined,
        at_most(
            Held,
            "failed requests",
            share(failed, requests),
            goals.failed_share_max,
            "%",
        ),
        at_most(
            Held,
            "fans turned away for good",
            share(report.ended(Ending::TurnedAway), fans),
            goals.turned_away_share_max,
            "%",
        ),
        at_most(
            Held,
            "join p99",
            p99(report.call("join")),
            goals.join_p99_ms_max,
            "ms",
        ),
        at_most(
            Held,
            "hold p99",
            p99(report.call("hold")),
            goals.hold_p99_ms_max,
            "ms",
        ),
        at_most(
            Held,
            "pay p99",
            p99(report.call("pay")),
            goals.checkout_p99_ms_max,
            "ms",
        ),
        at_most(Held, "push lag p99", lag, goals.push_lag_p99_ms_max, "ms"),
        at_most(
            Held,
            "the tool's own lag p99",
            Some(tool_lag),
            goals.tool_lag_p99_ms_max,
            "ms",
        ),
        at_most(
            Held,
            "processes of the tool lost",
            Some(f64::from(report.tool.processes_lost)),
            0.0,
            "",
        ),
    ]
}

fn stock(report: &Report, goals: &Objectives) -> Vec<Check> {
    use Question::Held;
    let count = |value: u64| Some(value as f64);
    let tried = (report.cheats.tried > 0).then_some(report.cheats.got_through as f64);
    vec![
        at_most(
            Held,
            "tickets oversold",
            count(report.stock.oversold()),
            goals.oversold_max as f64,
            "",
        ),
        at_most(
            Held,
            "orders lost or doubled",
            count(report.stock.broken_orders()),
            goals.broken_orders_max as f64,
            "",
        ),
        at_most(
            Held,
            "cheats that got through",
            tried,
            goals.cheats_through_max as f64,
            "",
        ),
    ]
}

fn honest(report: &Report, goals: &Objectives) -> Vec<Check> {
    use Question::Honest;
    let all = &report.waits.all;
    let judged = all.judged >= WAITS_JUDGED_MIN;
    let kept = all.kept.filter(|_| judged);
    let error = all.median_error.filter(|_| judged);
    let ratio = report
        .pace
        .ratio
        .filter(|_| report.pace.seconds >= PACE_SECONDS_MIN);
    vec![
        at_least(
            Honest,
            "waits kept by the high end shown",
            kept,
            goals.waits_kept_share_min,
            "%",
        ),
        at_most(
            Honest,
            "median error of the wait shown",
            error,
            goals.waits_median_error_max,
            "%",
        ),
        at_least(
            Honest,
            "admissions against the rate shown",
            ratio,
            goals.admission_ratio_min,
            "x",
        ),
        at_most(
            Honest,
            "admissions above the rate shown",
            ratio,
            goals.admission_ratio_max,
            "x",
        ),
    ]
}

fn order(report: &Report, goals: &Objectives) -> Vec<Check> {
    use Question::Order;
    let order = &report.order;
    let comparable = order.admitted > 0 && order.judged > 0;
    let limit = goals.order_violations_max as f64;
    let count = |value: u64| comparable.then_some(value as f64);
    vec![
        at_most(
            Order,
            "fans overtaken while present",
            count(order.overtaken),
            limit,
            "",
        ),
        at_most(
            Order,
            "numbers given twice",
            Some(order.numbers_given_twice as f64),
            limit,
            "",
        ),
        at_most(
            Order,
            "numbers changed after they were final",
            Some(order.numbers_changed as f64),
            limit,
            "",
        ),
    ]
}

/// The four answers; a question without any measured check stays open.
pub fn answer(report: &Report) -> Vec<Answer> {
    vec![
        verdict(
            report,
            Question::Held,
            "Did it hold?",
            held_sentence(report),
        ),
        limit_answer(report),
        verdict(
            report,
            Question::Honest,
            "Were the waits honest?",
            honest_sentence(report),
        ),
        verdict(
            report,
            Question::Order,
            "Was the order kept?",
            order_sentence(report),
        ),
    ]
}

fn verdict(report: &Report, question: Question, asks: &str, sentence: String) -> Answer {
    let checks = || {
        report
            .checks
            .iter()
            .filter(|check| check.question == question)
    };
    let failed: Vec<&str> = checks()
        .filter(|check| check.passed == Some(false))
        .map(|check| check.name.as_str())
        .collect();
    // The order is only known to be kept if somebody could have been overtaken.
    let decisive = match question {
        Question::Order | Question::Honest => {
            checks().next().is_some_and(|check| check.passed.is_some())
        }
        Question::Held | Question::Limit => true,
    };
    let passed = if failed.is_empty() {
        decisive.then_some(true)
    } else {
        Some(false)
    };
    let sentence = if failed.is_empty() {
        sentence
    } else {
        format!("{sentence} Missed: {}.", failed.join(", "))
    };
    let short = match passed {
        Some(true) => "Yes",
        Some(false) => "No",
        None => "Not known",
    };
    Answer {
        question,
        asks: asks.to_owned(),
        short: short.to_owned(),
        sentence,
        passed,
    }
}

fn held_sentence(report: &Report) -> String {
    format!(
        "{} of {} fans joined, {} were let in, {} orders with {} tickets were confirmed, {} tickets oversold.",
        report.joined,
        report.setting.fans,
        report.pace.admitted,
        report.stock.orders,
        report.stock.tickets,
        report.stock.oversold()
    )
}

fn honest_sentence(report: &Report) -> String {
    let (all, half) = (&report.waits.all, &report.waits.halfway);
    match (all.kept, all.median_error) {
        (Some(kept), Some(error)) => format!(
            "{:.0} % of {} waits shown came by their high end (90 % would be exact); median error {:.0} %, half-way {:.0} %.",
            kept * 100.0,
            all.judged,
            error * 100.0,
            half.median_error.unwrap_or(error) * 100.0
        ),
        _ => "No shown wait could be compared with one that came.".to_owned(),
    }
}

fn order_sentence(report: &Report) -> String {
    format!(
        "{} of {} fans in line were overtaken while present; {} were let in with a number.",
        report.order.overtaken, report.order.judged, report.order.admitted
    )
}

fn limit_answer(report: &Report) -> Answer {
    let busiest = &report.limit.busiest;
    let (short, sentence) = match &report.limit.first_strained {
        Some(load) => (
            format!("{} requests/s", load.requests),
            format!(
                "First strained in second {}: {} requests, {} joins, {} streams open; {} slow, {} refused, {} failed. {} seconds were strained in all.",
                load.at_second,
                load.requests,
                load.joins,
                load.streams_open,
                load.slow,
                load.refused,
                load.failed,
                report.limit.strained_seconds
            ),
        ),
        None => (
            "Not reached".to_owned(),
            format!(
                "The busiest second ({}) carried {} requests, {} joins and {} open streams without strain.",
                busiest.at_second, busiest.requests, busiest.joins, busiest.streams_open
            ),
        ),
    };
    Answer {
        question: Question::Limit,
        asks: "Where was the limit?".to_owned(),
        short,
        sentence,
        passed: None,
    }
}
