//! The pictures of the report, each a figure with its key, drawn from the model.

use std::fmt::Write as _;

use super::model::Report;
use super::svg::Chart;
use crate::score::thin;
use crate::score::waits::Point;
use crate::tally::Second;

/// Most points of one line.
const LINE_POINTS_MAX: usize = 400;
/// Admissions are shown as a mean over this many seconds.
const PACE_WINDOW_S: usize = 10;

fn card(page: &mut String, title: &str, key: &str, svg: &str) -> std::fmt::Result {
    write!(
        page,
        r#"<figure class="card"><h2>{title}</h2>{svg}<figcaption class="key">{key}</figcaption></figure>"#
    )
}

/// Appends one figure a chart.
pub fn write(page: &mut String, report: &Report) -> std::fmt::Result {
    card(
        page,
        "The crowd",
        r#"<b class="a">waiting</b>, <b class="c">let in (sum)</b>, <b class="d">orders (sum)</b>, <b class="b">streams open</b>"#,
        &crowd_chart(report),
    )?;
    card(
        page,
        "Admissions against the rate shown",
        r#"a second, mean of ten: <b class="a">let in</b>, <b class="b">shown to fans</b>"#,
        &pace_chart(report),
    )?;
    card(
        page,
        "Waits shown and waits that came",
        r#"<b class="a">came by the high end shown</b>, <b class="red">came later</b>, <b class="c">line: as the low end said</b>"#,
        &waits_chart(report),
    )?;
    card(
        page,
        "Numbers and when they were let in",
        r#"<b class="a">a fan let in</b>, <b class="red">overtaken while present</b>; an orderly line only rises"#,
        &order_chart(report),
    )?;
    card(
        page,
        "Holds and orders",
        r#"a second: <b class="a">holds</b>, <b class="b">conflicts</b>, <b class="c">orders</b>"#,
        &shop_chart(report),
    )?;
    card(
        page,
        "Requests and strain",
        r#"a second: <b class="a">requests</b>, <b class="b">slow, refused or failed</b>"#,
        &strain_chart(report),
    )
}

fn series(seconds: &[Second], value: impl Fn(&Second) -> f64) -> Vec<(f64, f64)> {
    let all: Vec<(f64, f64)> = seconds
        .iter()
        .enumerate()
        .map(|(at, second)| (at as f64, value(second)))
        .collect();
    thin(&all, LINE_POINTS_MAX)
}

fn running_sum(seconds: &[Second], value: impl Fn(&Second) -> u64) -> Vec<(f64, f64)> {
    let mut sum = 0;
    let all: Vec<(f64, f64)> = seconds
        .iter()
        .enumerate()
        .map(|(at, second)| {
            sum += value(second);
            (at as f64, sum as f64)
        })
        .collect();
    thin(&all, LINE_POINTS_MAX)
}

/// Draws the lines over axes that hold all of them.
fn lines(title: &str, seconds: usize, lines: &[(&str, Vec<(f64, f64)>)]) -> String {
    let top = lines
        .iter()
        .flat_map(|(_, points)| points)
        .map(|(_, y)| *y)
        .fold(0.0, f64::max);
    let mut chart = Chart::new(title, "seconds since the start", "", seconds as f64, top);
    for (class, points) in lines {
        chart.line(class, points);
    }
    chart.finish()
}

fn crowd_chart(report: &Report) -> String {
    let seconds = &report.seconds;
    lines(
        "The crowd over time",
        seconds.len(),
        &[
            (
                "b dash",
                series(seconds, |second| second.streams_open as f64),
            ),
            ("a", series(seconds, |second| second.waiting as f64)),
            ("c", running_sum(seconds, |second| second.admissions)),
            ("d", running_sum(seconds, |second| second.orders)),
        ],
    )
}

fn pace_chart(report: &Report) -> String {
    let parts = report.seconds.chunks(PACE_WINDOW_S).enumerate();
    let (mut admitted, mut shown) = (Vec::new(), Vec::new());
    for (index, part) in parts {
        let at = (index * PACE_WINDOW_S + part.len() / 2) as f64;
        let sum: u64 = part.iter().map(|second| second.admissions).sum();
        admitted.push((at, sum as f64 / part.len() as f64));
        let rates: Vec<f64> = part.iter().filter_map(Second::rate_shown).collect();
        if !rates.is_empty() {
            shown.push((at, rates.iter().sum::<f64>() / rates.len() as f64 / 60.0));
        }
    }
    lines(
        "Admissions a second",
        report.seconds.len(),
        &[("b dash", shown), ("a", admitted)],
    )
}

fn shop_chart(report: &Report) -> String {
    let seconds = &report.seconds;
    lines(
        "Holds and orders a second",
        seconds.len(),
        &[
            ("a", series(seconds, |second| second.holds as f64)),
            ("b", series(seconds, |second| second.conflicts as f64)),
            ("c", series(seconds, |second| second.orders as f64)),
        ],
    )
}

fn strain_chart(report: &Report) -> String {
    let seconds = &report.seconds;
    let strain = |second: &Second| (second.slow + second.refused + second.failed) as f64;
    lines(
        "Requests a second",
        seconds.len(),
        &[
            ("a", series(seconds, |second| second.requests as f64)),
            ("b", series(seconds, strain)),
        ],
    )
}

fn waits_chart(report: &Report) -> String {
    let points = &report.waits.points;
    let top = points
        .iter()
        .map(|point| point.came_s.max(point.low_s))
        .fold(0.0, f64::max);
    let mut chart = Chart::new(
        "Waits shown and come",
        "low end shown, in s",
        "came, in s",
        top,
        top,
    );
    chart.line("c dash", &[(0.0, 0.0), (top, top)]);
    let is_kept = |point: &&Point| point.came_s <= point.high_s + report.setting.wait_tolerance_s;
    let at = |point: &Point| (point.low_s, point.came_s);
    let (kept, broken): (Vec<&Point>, Vec<&Point>) = points.iter().partition(is_kept);
    let kept: Vec<(f64, f64)> = kept.into_iter().map(at).collect();
    let broken: Vec<(f64, f64)> = broken.into_iter().map(at).collect();
    chart.dots("a", 1.8, &kept);
    chart.dots("red", 1.8, &broken);
    chart.finish()
}

fn order_chart(report: &Report) -> String {
    let served: Vec<(f64, f64)> = report
        .order
        .served
        .iter()
        .map(|fan| (fan.admitted_s, fan.number as f64))
        .collect();
    let overtaken: Vec<(f64, f64)> = report
        .order
        .examples
        .iter()
        .map(|one| (one.still_waiting_ms as f64 / 1000.0, one.number as f64))
        .collect();
    let all = || served.iter().chain(&overtaken);
    let x_max = all().map(|(x, _)| *x).fold(0.0, f64::max);
    let y_max = all().map(|(_, y)| *y).fold(0.0, f64::max);
    let mut chart = Chart::new(
        "Numbers by time of admission",
        "let in at second",
        "number",
        x_max,
        y_max,
    );
    chart.dots("a", 1.6, &served);
    chart.dots("red", 4.0, &overtaken);
    chart.finish()
}
