//! A venue's seats: sections, rows, seats, in serving order. Immutable: a
//! layout's version is the digest of its content, so another content is
//! another version. A seat's index is its place in the file, counted through.
//! Pure.

mod import;
mod pretix;
mod ranges;
mod simple;

use std::collections::HashMap;

use ring::digest;
use serde::{Deserialize, Serialize};

use crate::inventory::{MAX_SEATS_PER_EVENT, SeatIndex};

pub use import::{ImportError, import, import_value};

/// What a section, row, seat or category can be called at most.
const MAX_NAME_CHARS: usize = 80;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    pub id: String,
    pub name: String,
    pub rows: Vec<Row>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    pub row_number: String,
    pub seats: Vec<Seat>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat {
    pub id: String,
    pub seat_number: String,
    /// What the price hangs on.
    pub category: String,
    #[serde(default, skip_serializing_if = "is_false")]
    pub accessible: bool,
    /// The next seat of the row is not its neighbour.
    #[serde(default, skip_serializing_if = "is_false")]
    pub aisle_after: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
}

/// In the units of the plan it was imported from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    pub x: i32,
    pub y: i32,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    #[error("The layout has no seats.")]
    Empty,
    #[error("The layout has more than {MAX_SEATS_PER_EVENT} seats.")]
    TooManySeats,
    #[error("Two seats have the id {0:?}; each needs its own.")]
    SeatTwice(String),
    #[error("Two sections have the id {0:?}; each needs its own.")]
    SectionTwice(String),
    #[error("A name in the layout is empty or longer than {MAX_NAME_CHARS} characters: {0:?}.")]
    BadName(String),
}

/// Where a seat is: positions in `sections`, its `rows`, its `seats`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    section: usize,
    row: usize,
    seat: usize,
}

/// Checked, and indexed both ways.
#[derive(Clone, Debug)]
pub struct Layout {
    sections: Vec<Section>,
    places: Vec<Place>,
    by_id: HashMap<String, SeatIndex>,
    version: String,
}

impl PartialEq for Layout {
    fn eq(&self, other: &Self) -> bool {
        self.version == other.version
    }
}

impl Layout {
    pub fn new(sections: Vec<Section>) -> Result<Self, LayoutError> {
        let mut places = Vec::new();
        let mut by_id = HashMap::new();
        for (section, s) in sections.iter().enumerate() {
            if sections[..section].iter().any(|other| other.id == s.id) {
                return Err(LayoutError::SectionTwice(s.id.clone()));
            }
            check_name(&s.id)?;
            check_name(&s.name)?;
            for (row, r) in s.rows.iter().enumerate() {
                check_name(&r.row_number)?;
                for (seat, one) in r.seats.iter().enumerate() {
                    check_name(&one.id)?;
                    check_name(&one.seat_number)?;
                    check_name(&one.category)?;
                    let index = SeatIndex(u32::try_from(places.len()).unwrap_or(u32::MAX));
                    if by_id.insert(one.id.clone(), index).is_some() {
                        return Err(LayoutError::SeatTwice(one.id.clone()));
                    }
                    places.push(Place { section, row, seat });
                    if places.len() > MAX_SEATS_PER_EVENT as usize {
                        return Err(LayoutError::TooManySeats);
                    }
                }
            }
        }
        if places.is_empty() {
            return Err(LayoutError::Empty);
        }
        let version = version_of(&sections);
        Ok(Self {
            sections,
            places,
            by_id,
            version,
        })
    }

    /// Sixteen hex digits of the digest of the content.
    pub fn version(&self) -> &str {
        &self.version
    }

    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    pub fn seat_count(&self) -> u32 {
        u32::try_from(self.places.len()).unwrap_or(u32::MAX)
    }

    pub fn index_of(&self, seat_id: &str) -> Option<SeatIndex> {
        self.by_id.get(seat_id).copied()
    }

    pub fn seat(&self, index: SeatIndex) -> Option<&Seat> {
        let place = self.places.get(index.0 as usize)?;
        Some(&self.sections[place.section].rows[place.row].seats[place.seat])
    }

    pub fn row(&self, index: SeatIndex) -> Option<&Row> {
        let place = self.places.get(index.0 as usize)?;
        Some(&self.sections[place.section].rows[place.row])
    }

    pub fn section(&self, index: SeatIndex) -> Option<&Section> {
        let place = self.places.get(index.0 as usize)?;
        self.sections.get(place.section)
    }

    /// Every category once, in the order of the plan.
    pub fn categories(&self) -> Vec<&str> {
        let mut seen = Vec::<&str>::new();
        let rows = self.sections.iter().flat_map(|s| &s.rows);
        for seat in rows.flat_map(|row| &row.seats) {
            if !seen.contains(&seat.category.as_str()) {
                seen.push(&seat.category);
            }
        }
        seen
    }
}

fn check_name(name: &str) -> Result<(), LayoutError> {
    let fits = !name.trim().is_empty() && name.chars().count() <= MAX_NAME_CHARS;
    fits.then_some(())
        .ok_or_else(|| LayoutError::BadName(name.chars().take(MAX_NAME_CHARS).collect()))
}

fn version_of(sections: &[Section]) -> String {
    // Plain structs of texts and numbers always have a JSON form.
    let json = serde_json::to_vec(sections).unwrap_or_default();
    hex::encode(&digest::digest(&digest::SHA256, &json).as_ref()[..8])
}

impl Serialize for Layout {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.sections.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Layout {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let sections = Vec::<Section>::deserialize(from)?;
        Self::new(sections).map_err(serde::de::Error::custom)
    }
}
