//! What comes out of a simulation: one run's report, and the tables and pictures of many.

use std::io::{self, Write};
use std::path::Path;

use super::judge::{Measure, Rule, TARGET_MS, judge, refused, seconds_over, utilisation};
use super::law::LawKind;
use super::meter::Row;
use super::plant::Plant;
use super::scenario::{Judge, Scenario};
use super::svg;
use super::world::play;
use crate::control::TuningError;

/// The laws of the contrast table, in its order.
const CONTRAST: [LawKind; 8] = [
    LawKind::Usher,
    LawKind::Fixed(1.0),
    LawKind::Fixed(2.0),
    LawKind::Fixed(0.5),
    LawKind::Aimd,
    LawKind::Gradient,
    LawKind::Batched(10),
    LawKind::Batched(30),
];

/// One run, judged.
#[derive(Debug)]
pub struct Report {
    /// What the scenario asks for, and what came.
    pub measures: Vec<Measure>,
    /// Goodput over what the backend could do, over the whole run.
    pub used: f64,
    /// Share of all attempts that was refused.
    pub refused: f64,
    /// Seconds with p99 above the target.
    pub seconds_over: f64,
    /// Fans who gave up for being refused, of a thousand admitted.
    pub gave_up_per_mille: f64,
    /// Share of the admitted who found nothing.
    pub found_nothing: f64,
    rows: Vec<Row>,
    turn_s: u32,
}

impl Report {
    /// Second by second: what was decided, and how many were really let in.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The run as an SVG picture.
    pub fn picture(&self, title: &str) -> String {
        svg::draw(title, &self.rows, self.turn_s, TARGET_MS)
    }
}

/// Plays one scenario on one plant under one law with one seed.
pub fn run(
    plant: &Plant,
    scenario: &Scenario,
    law: LawKind,
    seed: u64,
) -> Result<Report, TuningError> {
    let outcome = play(plant, scenario, law, seed)?;
    let oracle = match scenario.judge {
        Judge::Stock => Some(play(plant, scenario, LawKind::Oracle, seed)?),
        _ => None,
    };
    let admitted = outcome.admitted.max(1) as f64;
    let gave_up = outcome.rows.last().map_or(0, |row| row.gave_up);
    Ok(Report {
        measures: judge(plant, scenario, &outcome, oracle.as_ref()),
        used: utilisation(&outcome.rows),
        refused: refused(&outcome.rows),
        seconds_over: seconds_over(&outcome.rows),
        gave_up_per_mille: 1_000.0 * gave_up as f64 / admitted,
        found_nothing: outcome.found_nothing as f64 / admitted,
        rows: outcome.rows,
        turn_s: scenario.turn_s,
    })
}

/// One measure over all seeds.
#[derive(Debug, Clone)]
pub struct Summary {
    /// What was measured.
    pub what: &'static str,
    /// Its bound as written in the table: `<= 10`.
    pub bound: String,
    /// Median over the seeds.
    pub median: f64,
    /// Worst of the seeds.
    pub worst: f64,
    /// Whether the bound is kept, by every seed or (for what hangs on one fan's luck) by the median.
    pub passed: bool,
}

/// Sums up one scenario's reports, one summary a measure.
pub fn summarise(reports: &[Report]) -> Vec<Summary> {
    let Some(first) = reports.first() else {
        return Vec::new();
    };
    let summary = |(index, measure): (usize, &Measure)| {
        let mut values: Vec<f64> = reports.iter().map(|r| r.measures[index].value).collect();
        values.sort_by(f64::total_cmp);
        if !measure.at_most {
            values.reverse();
        }
        let (median, worst) = (values[values.len() / 2], values[values.len() - 1]);
        let judged = match measure.rule {
            Rule::EverySeed => worst,
            Rule::Median => median,
        };
        Summary {
            what: measure.what,
            bound: format!(
                "{} {}",
                if measure.at_most { "<=" } else { ">=" },
                figure(measure.bound)
            ),
            median,
            worst,
            passed: Measure {
                value: judged,
                ..measure.clone()
            }
            .passed(),
        }
    };
    first.measures.iter().enumerate().map(summary).collect()
}

/// What `usher simulate` was asked for.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// A scenario's name, or `all`.
    pub scenario: &'a str,
    /// Seeds; the table gives their median and worst.
    pub seeds: &'a [u64],
    /// Also play the laws that usher's is compared with.
    pub contrast: bool,
    /// Where pictures go (one a scenario and plant, of the first seed); none without.
    pub pictures: Option<&'a Path>,
}

/// Why a simulation could not be done.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// No such scenario.
    #[error("There is no scenario {name}; choose all or one of: {known}.")]
    UnknownScenario {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// Nothing to do.
    #[error("Give at least one seed.")]
    NoSeeds,
    /// The constants are not legal.
    #[error("The constants of the law are out of range: {0}.")]
    Tuning(#[from] TuningError),
    /// A table or picture could not be written.
    #[error("The result could not be written: {0}.")]
    Write(#[from] io::Error),
}

/// Plays what was asked for on both plants and writes the tables (Markdown). True when every bound was kept.
pub fn simulate(request: &Request<'_>, out: &mut dyn Write) -> Result<bool, SimulateError> {
    if request.seeds.is_empty() {
        return Err(SimulateError::NoSeeds);
    }
    let scenarios = chosen(request.scenario)?;
    let plants = [Plant::a(), Plant::b()];
    writeln!(
        out,
        "| scenario | plant | measure | bound | median | worst | |"
    )?;
    writeln!(out, "| --- | --- | --- | --- | --- | --- | --- |")?;
    let mut all_passed = true;
    for scenario in &scenarios {
        for plant in &plants {
            all_passed &= table_rows(request, scenario, plant, out)?;
        }
    }
    if request.contrast {
        for plant in &plants {
            contrast(request, &scenarios, plant, out)?;
        }
    }
    Ok(all_passed)
}

fn chosen(name: &str) -> Result<Vec<Scenario>, SimulateError> {
    if name == "all" {
        return Ok(Scenario::all());
    }
    let unknown = || SimulateError::UnknownScenario {
        name: name.to_owned(),
        known: Scenario::all()
            .iter()
            .map(|s| s.name)
            .collect::<Vec<_>>()
            .join(", "),
    };
    Ok(vec![Scenario::named(name).ok_or_else(unknown)?])
}

fn play_seeds(
    plant: &Plant,
    scenario: &Scenario,
    law: LawKind,
    seeds: &[u64],
) -> Result<Vec<Report>, TuningError> {
    seeds
        .iter()
        .map(|&seed| run(plant, scenario, law, seed))
        .collect()
}

fn table_rows(
    request: &Request<'_>,
    scenario: &Scenario,
    plant: &Plant,
    out: &mut dyn Write,
) -> Result<bool, SimulateError> {
    let reports = play_seeds(plant, scenario, LawKind::Usher, request.seeds)?;
    let mut passed = true;
    for summary in summarise(&reports) {
        passed &= summary.passed;
        writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} |",
            scenario.title,
            plant.name,
            summary.what,
            summary.bound,
            figure(summary.median),
            figure(summary.worst),
            if summary.passed { "ok" } else { "**missed**" },
        )?;
    }
    if let (Some(folder), Some(report)) = (request.pictures, reports.first()) {
        std::fs::create_dir_all(folder)?;
        let title = format!("{} (plant {})", scenario.title, plant.name);
        let file = format!("{}-{}.svg", scenario.name, plant.name.to_lowercase());
        std::fs::write(folder.join(file), report.picture(&title))?;
    }
    Ok(passed)
}

/// Means over the seeds of what matters to fans and sellers, one table a plant.
fn contrast(
    request: &Request<'_>,
    scenarios: &[Scenario],
    plant: &Plant,
    out: &mut dyn Write,
) -> Result<(), SimulateError> {
    writeln!(
        out,
        "\nPlant {}: capacity used, share refused, fans who gave up of 1000 admitted\n",
        plant.name
    )?;
    let names: Vec<String> = CONTRAST.iter().map(|law| law.name()).collect();
    writeln!(out, "| scenario | {} |", names.join(" | "))?;
    writeln!(out, "| --- |{}", " --- |".repeat(names.len()))?;
    for scenario in scenarios {
        let mut cells = Vec::new();
        for law in CONTRAST {
            let reports = play_seeds(plant, scenario, law, request.seeds)?;
            let mean = |what: fn(&Report) -> f64| {
                reports.iter().map(what).sum::<f64>() / reports.len() as f64
            };
            cells.push(match scenario.judge {
                Judge::Stock => format!("{:.1} % found nothing", 100.0 * mean(|r| r.found_nothing)),
                _ => format!(
                    "{:.0} %, {:.1} %, {:.0}",
                    100.0 * mean(|r| r.used),
                    100.0 * mean(|r| r.refused),
                    mean(|r| r.gave_up_per_mille),
                ),
            });
        }
        writeln!(out, "| {} | {} |", scenario.title, cells.join(" | "))?;
    }
    Ok(())
}

/// A figure short enough for a table.
fn figure(value: f64) -> String {
    match value {
        v if v.is_infinite() => "never".into(),
        v if v.abs() >= 10.0 || v.fract() == 0.0 => format!("{v:.0}"),
        v => format!("{v:.3}"),
    }
}
