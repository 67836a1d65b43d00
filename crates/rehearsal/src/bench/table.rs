//! How a benchmark is shown: the figure, the ceiling of the same run, and the
//! ratio of the two, which is what can be compared between machines.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

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
    pub fn latency(mut self, spread: &crate::spread::Spread) -> Self {
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

#[cfg(test)]
mod tests {
    use super::*;

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
