//! usher's own form of a layout: written by hand in a few lines, in TOML or
//! JSON. Described for people in docs/venue-layouts.md.

use serde::Deserialize;

use super::import::ImportError;
use super::ranges::names;
use super::{Row, Seat, Section};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SimpleLayout {
    sections: Vec<SimpleSection>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SimpleSection {
    id: String,
    name: Option<String>,
    /// Of every seat whose row does not say another.
    category: Option<String>,
    rows: Vec<SimpleRows>,
}

/// One row, or several alike.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SimpleRows {
    row: String,
    seats: String,
    category: Option<String>,
    /// Seats that have an aisle to their right.
    #[serde(default)]
    aisles_after: Vec<String>,
    #[serde(default)]
    accessible: Vec<String>,
}

impl SimpleLayout {
    pub fn into_sections(self) -> Result<Vec<Section>, ImportError> {
        self.sections.into_iter().map(section).collect()
    }
}

fn section(simple: SimpleSection) -> Result<Section, ImportError> {
    let mut rows = Vec::new();
    for like in &simple.rows {
        let category = like.category.as_ref().or(simple.category.as_ref());
        let category = category.ok_or_else(|| ImportError::NoCategory(simple.id.clone()))?;
        for row in range(&like.row)? {
            rows.push(one_row(&simple.id, row, like, category)?);
        }
    }
    Ok(Section {
        name: simple.name.unwrap_or_else(|| simple.id.clone()),
        id: simple.id,
        rows,
    })
}

fn one_row(
    section: &str,
    row: String,
    like: &SimpleRows,
    category: &str,
) -> Result<Row, ImportError> {
    let numbers = range(&like.seats)?;
    for named in like.aisles_after.iter().chain(&like.accessible) {
        if !numbers.contains(named) {
            return Err(ImportError::NoSuchSeat(row, named.clone()));
        }
    }
    let seat = |number: String| Seat {
        id: format!("{section}-{row}-{number}"),
        category: category.to_owned(),
        accessible: like.accessible.contains(&number),
        aisle_after: like.aisles_after.contains(&number),
        position: None,
        seat_number: number,
    };
    let seats = numbers.into_iter().map(seat).collect();
    Ok(Row {
        row_number: row,
        seats,
    })
}

fn range(text: &str) -> Result<Vec<String>, ImportError> {
    names(text).ok_or_else(|| ImportError::BadRange(text.to_owned()))
}
