//! Go or no-go: each objective against what was measured.

use serde::{Deserialize, Serialize};

use super::model::{CallRow, Report};
use crate::objectives::Objectives;
use crate::record::Ending;
use crate::score::waits::Shares;

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
        measured: measured.map_or("-".to_owned(), |value| figure(value, unit)),
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
        .max(report.tool.sample_lag.p99_ms)
        .max(report.tool.slot_wait.p99_ms);
    let somebody = |name: &str, fans: u64| at_least(Held, name, Some(fans as f64), 1.0, "");
    vec![
        somebody("fans who joined", report.joined),
        // A line that lets nobody in breaks no other goal and is still no on-sale.
        somebody("fans who were let in", report.pace.admitted),
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
    let end = report.answered_at_end.map(f64::from);
    vec![
        at_least(Held, "operators' status at the end", end, 1.0, ""),
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
    let enough = |shares: &Shares| shares.judged >= WAITS_JUDGED_MIN;
    let half = Some(&report.waits.halfway).filter(|half| enough(half));
    let same_rate = Some(&report.waits.halfway_same_rate).filter(|half| enough(half));
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
            "intervals shown half-way that held",
            half.and_then(|half| half.contained),
            goals.halfway_contained_share_min,
            "%",
        ),
        at_most(
            Honest,
            "median error half-way, same rate",
            same_rate.and_then(|half| half.median_error),
            goals.halfway_median_error_max,
            "%",
        ),
        at_most(
            Honest,
            "let in, and shown no wait half-way",
            share(report.waits.let_in_untold, report.waits.let_in)
                .filter(|_| report.waits.let_in >= WAITS_JUDGED_MIN),
            goals.untold_share_max,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::model::{Evidence, Setting};
    use crate::score::stock::Facts;
    use crate::score::waits::tests::honest_crowd;
    use crate::tally::Tally;

    fn report(records: Vec<crate::record::FanRecord>, admissions: u64) -> Report {
        let mut tally = Tally::default();
        tally.second(0).admissions = admissions;
        let setting = Setting {
            targets: Vec::new(),
            event: String::new(),
            fans: 100,
            curve: String::new(),
            profile: String::new(),
            arrive_seconds: 1,
            max_seconds: 1,
            seed: 1,
            processes: 1,
            push_interval_ms: 1000,
            wait_tolerance_s: 3.0,
            started_at: String::new(),
            version: String::new(),
        };
        let evidence = Evidence {
            setting,
            records,
            tally,
            facts: Facts::default(),
            statuses: Vec::new(),
            ran_ms: 1000,
            processes_lost: 0,
        };
        Report::build(evidence, &Objectives::default())
    }

    fn failed(report: &Report) -> Vec<&str> {
        let failed = report
            .checks
            .iter()
            .filter(|check| check.passed == Some(false));
        failed.map(|check| check.name.as_str()).collect()
    }

    #[test]
    fn an_honest_crowd_is_a_go() {
        let report = report(honest_crowd(100), 100);
        assert!(report.go, "{:?}", failed(&report));
    }

    #[test]
    fn a_line_that_lets_nobody_in_is_no_go() {
        let mut crowd = honest_crowd(100);
        for record in &mut crowd {
            record.admitted_ms = None;
            record.waits.clear();
        }
        let report = report(crowd, 0);
        assert!(!report.go);
        assert_eq!(failed(&report), ["fans who were let in"]);
        let order = report
            .answers
            .iter()
            .find(|answer| answer.question == Question::Order);
        assert_eq!(
            order.and_then(|answer| answer.passed),
            None,
            "nothing to compare with"
        );
    }

    #[test]
    fn each_planted_fault_answers_no_to_its_own_question() {
        let mut halved = honest_crowd(100);
        for wait in halved.iter_mut().flat_map(|record| &mut record.waits) {
            wait.low_s /= 2.0;
            wait.high_s /= 2.0;
        }
        let mut skipped = honest_crowd(100);
        skipped[10].admitted_ms = None;
        skipped[10].still_waiting_ms = Some(100_000);
        skipped[10].present[0].to_ms = 100_000;
        for (crowd, question) in [(halved, Question::Honest), (skipped, Question::Order)] {
            let report = report(crowd, 100);
            assert!(!report.go);
            let no: Vec<Question> = report
                .answers
                .iter()
                .filter(|answer| answer.passed == Some(false))
                .map(|answer| answer.question)
                .collect();
            assert_eq!(no, [question], "{:?}", failed(&report));
        }
    }
}
