//! Reads the seating plans of pretix's editor: zones become sections, and a
//! gap in a row's positions that is wider than a seat becomes an aisle.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::import::ImportError;
use super::{Position, Row, Seat, Section};

/// A gap of more than this many seat widths (in tenths) is an aisle.
const AISLE_TENTHS: i64 = 16;

#[derive(Debug, Deserialize)]
pub(super) struct Plan {
    zones: Vec<Zone>,
    categories: Vec<Category>,
}

#[derive(Debug, Deserialize)]
struct Category {
    name: String,
}

#[derive(Debug, Deserialize)]
struct Zone {
    #[serde(default)]
    name: String,
    position: Point,
    rows: Vec<PlanRow>,
}

#[derive(Debug, Deserialize)]
struct PlanRow {
    row_number: String,
    #[serde(default)]
    position: Point,
    seats: Vec<PlanSeat>,
}

#[derive(Debug, Deserialize)]
struct PlanSeat {
    seat_guid: String,
    seat_number: String,
    position: Point,
    category: String,
}

/// The editor writes fractions although the schema says whole numbers.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct Point {
    x: f64,
    y: f64,
}

impl Plan {
    pub fn into_sections(self) -> Result<Vec<Section>, ImportError> {
        let categories: BTreeSet<_> = self.categories.into_iter().map(|c| c.name).collect();
        let seats = self
            .zones
            .iter()
            .flat_map(|z| &z.rows)
            .flat_map(|r| &r.seats);
        for seat in seats {
            if !categories.contains(&seat.category) {
                return Err(ImportError::UnknownCategory(seat.category.clone()));
            }
        }
        let with_seats = self.zones.into_iter().filter(|z| !z.rows.is_empty());
        Ok((1..).zip(with_seats).map(section).collect())
    }
}

fn section((number, zone): (usize, Zone)) -> Section {
    let name = match zone.name.trim() {
        "" => format!("Zone {number}"),
        name => name.to_owned(),
    };
    let rows = zone.rows.into_iter().filter(|row| !row.seats.is_empty());
    Section {
        id: format!("zone-{number}"),
        name,
        rows: rows.map(|row| one_row(zone.position, row)).collect(),
    }
}

fn one_row(zone: Point, row: PlanRow) -> Row {
    let origin = (zone.x + row.position.x, zone.y + row.position.y);
    let seat = |seat: PlanSeat| Seat {
        id: seat.seat_guid,
        seat_number: seat.seat_number,
        category: seat.category,
        accessible: false,
        aisle_after: false,
        position: Some(Position {
            x: whole(origin.0 + seat.position.x),
            y: whole(origin.1 + seat.position.y),
        }),
    };
    let mut seats: Vec<_> = row.seats.into_iter().map(seat).collect();
    mark_aisles(&mut seats);
    Row {
        row_number: row.row_number,
        seats,
    }
}

fn whole(coordinate: f64) -> i32 {
    // Saturates, which no drawable plan reaches.
    coordinate.round() as i32
}

fn mark_aisles(seats: &mut [Seat]) {
    let gaps: Vec<i64> = seats
        .windows(2)
        .map(|pair| squared_gap(&pair[0], &pair[1]))
        .collect();
    let mut sorted = gaps.clone();
    sorted.sort_unstable();
    let Some(usual) = sorted.get(sorted.len() / 2) else {
        return;
    };
    // Distances are squared, and so is the factor.
    let widest = usual.saturating_mul(AISLE_TENTHS * AISLE_TENTHS) / 100;
    for (seat, gap) in seats.iter_mut().zip(gaps) {
        seat.aisle_after = gap > widest;
    }
}

fn squared_gap(one: &Seat, next: &Seat) -> i64 {
    let (Some(a), Some(b)) = (one.position, next.position) else {
        return 0;
    };
    let (dx, dy) = (
        i64::from(b.x) - i64::from(a.x),
        i64::from(b.y) - i64::from(a.y),
    );
    dx.saturating_mul(dx).saturating_add(dy.saturating_mul(dy))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::inventory::SeatIndex;
    use crate::layout::{Layout, Position, import};

    fn seat(guid: &str, x: i32, category: &str) -> String {
        format!(
            r#"{{"seat_guid":"{guid}","seat_number":"{guid}","position":{{"x":{x},"y":0.4}},"category":"{category}"}}"#
        )
    }

    fn plan(category: &str) -> String {
        let seats = [0, 25, 50, 110, 135].map(|x| seat(&format!("s{x}"), x, category));
        format!(
            r##"{{"name":"Hall","size":{{"width":900,"height":400}},
            "categories":[{{"name":"Stalls","color":"#7f4a91"}}],
            "zones":[{{"name":"Decoration","position":{{"x":0,"y":0}},"rows":[],"areas":[]}},
              {{"name":"","position":{{"x":100,"y":200}},"rows":[
              {{"row_number":"7","row_number_position":"both","position":{{"x":10,"y":20}},
                "seats":[{}]}}]}}]}}"##,
            seats.join(",")
        )
    }

    fn imported() -> Layout {
        import(&plan("Stalls")).unwrap()
    }

    #[test]
    fn zones_and_rows_with_seats_are_taken() {
        let layout = imported();
        assert_eq!((layout.sections().len(), layout.seat_count()), (1, 5));
        assert_eq!(layout.sections()[0].name, "Zone 1");
        assert_eq!(layout.row(SeatIndex(0)).unwrap().row_number, "7");
        assert_eq!(layout.index_of("s110"), Some(SeatIndex(3)));
        let position = layout.seat(SeatIndex(1)).unwrap().position;
        assert_eq!(position, Some(Position { x: 135, y: 220 }));
    }

    #[test]
    fn a_wide_gap_is_an_aisle() {
        let layout = imported();
        let aisles = (0..5).map(|n| layout.seat(SeatIndex(n)).unwrap().aisle_after);
        assert_eq!(
            aisles.collect::<Vec<_>>(),
            [false, false, true, false, false]
        );
    }

    #[test]
    fn a_category_must_be_listed() {
        let error = import(&plan("Circle")).unwrap_err().to_string();
        assert!(error.contains("\"Circle\""), "{error}");
    }
}
