//! The four answers that a reader wants at a glance, each with its one sentence:
//! did it hold, where was the limit, were the waits honest, was the order kept.

use serde::{Deserialize, Serialize};

use super::checks::Question;
use super::model::Report;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    pub question: Question,
    pub asks: String,
    pub short: String,
    pub sentence: String,
    pub passed: Option<bool>,
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
