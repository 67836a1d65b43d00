//! How a benchmark is shown: the figure, the ceiling of the same run, and the
//! ratio of the two, which is what can be compared between machines and runs.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

/// A ratio that fell below this part of the recorded one is a clear regression;
/// less is noise on a small machine.
const REGRESSION: f64 = 0.7;

/// A run: its figures and the machine they are of.
#[derive(Debug, Serialize, Deserialize)]
pub struct Results {
    pub version: String,
    pub cores: usize,
    pub rows: Vec<Row>,
}

impl Results {
    pub fn of_this_machine(rows: Vec<Row>) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            rows,
        }
    }
}

/// One measured figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub name: String,
    pub value: f64,
    pub unit: String,
    /// What the same machine can do at most in the same run, and what that was.
    pub ceiling: Option<f64>,
    pub ceiling_name: String,
    pub ratio: Option<f64>,
    /// The goal for the ratio (or for the value, where there is no ceiling).
    pub goal: Option<f64>,
    pub p50_ms: Option<f64>,
    pub p99_ms: Option<f64>,
    pub note: String,
}

impl Row {
    pub fn new(name: &str, value: f64, unit: &str) -> Self {
        Self {
            name: name.to_owned(),
            value,
            unit: unit.to_owned(),
            ceiling: None,
            ceiling_name: String::new(),
            ratio: None,
            goal: None,
            p50_ms: None,
            p99_ms: None,
            note: String::new(),
        }
    }

    /// Sets the ceiling and with it the ratio; a ceiling of nothing gives none.
    #[must_use]
    pub fn under(mut self, ceiling_name: &str, ceiling: f64) -> Self {
        self.ceiling_name = ceiling_name.to_owned();
        self.ceiling = Some(ceiling);
        self.ratio = (ceiling > 0.0).then(|| self.value / ceiling);
        self
    }

    #[must_use]
    pub fn goal(mut self, goal: f64) -> Self {
        self.goal = Some(goal);
        self
    }

    #[must_use]
    pub fn latency(mut self, spread: &usher_rehearsal::spread::Spread) -> Self {
        let summary = spread.summary();
        self.p50_ms = Some(summary.p50_ms);
        self.p99_ms = Some(summary.p99_ms);
        self
    }

    #[must_use]
    pub fn note(mut self, note: &str) -> Self {
        self.note = note.to_owned();
        self
    }
}

/// The rows as a table for people (Markdown, so that it can go into the docs).
pub fn render(rows: &[Row]) -> String {
    let optional = |value: Option<f64>, digits: usize| {
        value.map_or("-".to_owned(), |v| format!("{v:.digits$}"))
    };
    let mut out = String::from(
        "| measure | value | unit | ceiling | ratio | goal | p50 ms | p99 ms | note |\n\
         | --- | --: | --- | --- | --: | --: | --: | --: | --- |\n",
    );
    for row in rows {
        let ceiling = match row.ceiling {
            Some(ceiling) => format!("{ceiling:.0} ({})", row.ceiling_name),
            None => "-".to_owned(),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "| {} | {:.0} | {} | {ceiling} | {} | {} | {} | {} | {} |",
            row.name,
            row.value,
            row.unit,
            optional(row.ratio, 3),
            optional(row.goal, 2),
            optional(row.p50_ms, 2),
            optional(row.p99_ms, 2),
            row.note
        );
    }
    out
}

/// Sets the ratios of a new run beside recorded ones; an error names what fell.
pub fn compare_files(recorded: &Path, new: &Path) -> anyhow::Result<()> {
    let (recorded, new) = (read(recorded)?, read(new)?);
    let compared = compare(&recorded.rows, &new.rows);
    if compared.is_empty() {
        bail!("the two runs have no measure with a ceiling in common");
    }
    let mut fell = Vec::new();
    for (name, before, now) in compared {
        println!("{name}: ratio {now:.3}, recorded {before:.3}");
        if now < before * REGRESSION {
            fell.push(name);
        }
    }
    if fell.is_empty() {
        return Ok(());
    }
    bail!("clearly slower than recorded: {}", fell.join(", "))
}

fn read(path: &Path) -> anyhow::Result<Results> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
    serde_json::from_str(&text).with_context(|| format!("{shown} is no run of the benchmarks"))
}

/// Name, recorded ratio and new ratio of what both runs measured.
fn compare(recorded: &[Row], new: &[Row]) -> Vec<(String, f64, f64)> {
    let pairs = recorded.iter().filter_map(|before| {
        let now = new.iter().find(|now| now.name == before.name)?;
        Some((before.name.clone(), before.ratio?, now.ratio?))
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_compared_by_their_ratios() {
        let row = |value| Row::new("joins", value, "1/s").under("empty", 100.0);
        let alone = Row::new("memory", 5.0, "kB");
        let compared = compare(&[row(40.0), alone.clone()], &[row(20.0), alone]);
        assert_eq!(compared, [("joins".to_owned(), 0.4, 0.2)]);
    }

    #[test]
    fn a_figure_stands_beside_its_ceiling() {
        let row = Row::new("joins", 33_000.0, "1/s")
            .under("empty handler", 100_000.0)
            .goal(0.35);
        assert_eq!(row.ratio, Some(0.33));
        let table = render(&[row, Row::new("memory", 5.0, "kB").under("nothing", 0.0)]);
        assert!(
            table.contains("| joins | 33000 | 1/s | 100000 (empty handler) | 0.330 | 0.35 |"),
            "{table}"
        );
        assert!(
            table.lines().all(|line| line.matches('|').count() == 10),
            "{table}"
        );
    }
}
