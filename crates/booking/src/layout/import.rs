//! Takes a layout in any form that we read, and says which line is wrong when
//! it is none of them.

use serde_json::Value;

use super::pretix::Plan;
use super::simple::SimpleLayout;
use super::{Layout, LayoutError};

#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("This is neither JSON nor TOML: {0}")]
    Syntax(String),
    #[error("This is not a layout that usher reads: {0}")]
    Form(String),
    #[error("{0:?} is no list of names; write for example \"1-20\", \"A-F\" or \"1-9,11\".")]
    BadRange(String),
    #[error("Section {0:?} has rows without a category; give one to the section or to its rows.")]
    NoCategory(String),
    #[error("Row {0:?} has no seat {1:?} to mark.")]
    NoSuchSeat(String, String),
    #[error("A seat is of the category {0:?}, which the plan does not list.")]
    UnknownCategory(String),
    #[error(transparent)]
    Layout(#[from] LayoutError),
}

/// A file's text: usher's simple form in TOML or JSON, or a pretix plan.
pub fn import(text: &str) -> Result<Layout, ImportError> {
    let syntax = |error: String| ImportError::Syntax(error);
    let value: Value = if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|e| syntax(e.to_string()))?
    } else {
        toml::from_str(text).map_err(|e| syntax(e.to_string()))?
    };
    import_value(value)
}

/// The same, already parsed: a part of an event's file or request.
pub fn import_value(value: Value) -> Result<Layout, ImportError> {
    let form = |error: serde_json::Error| ImportError::Form(error.to_string());
    let sections = if value.get("zones").is_some() {
        let plan: Plan = serde_json::from_value(value).map_err(form)?;
        plan.into_sections()?
    } else {
        let simple: SimpleLayout = serde_json::from_value(value).map_err(form)?;
        simple.into_sections()?
    };
    Ok(Layout::new(sections)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::inventory::SeatIndex;

    const HALL: &str = r#"
        [[sections]]
        id = "stalls"
        name = "Stalls"
        category = "standard"
        rows = [
          { row = "A-B", seats = "1-4", aisles_after = ["2"] },
          { row = "C", seats = "1,3,5", category = "premium", accessible = ["5"] },
        ]
    "#;

    #[test]
    fn the_simple_form_counts_seats_out() {
        let layout = import(HALL).unwrap();
        assert_eq!(layout.seat_count(), 11);
        assert_eq!(layout.index_of("stalls-B-1"), Some(SeatIndex(4)));
        let last = layout.seat(SeatIndex(10)).unwrap();
        assert_eq!(
            (last.id.as_str(), last.category.as_str()),
            ("stalls-C-5", "premium")
        );
        assert!(last.accessible && layout.seat(SeatIndex(1)).unwrap().aisle_after);
        assert_eq!(layout.categories(), ["standard", "premium"]);
    }

    #[test]
    fn a_layout_survives_json_with_its_version() {
        let layout = import(HALL).unwrap();
        let json = serde_json::to_string(&layout).unwrap();
        let back: Layout = serde_json::from_str(&json).unwrap();
        assert_eq!(back.version(), layout.version());
        let other = import(&HALL.replace("1-4", "1-5")).unwrap();
        assert_ne!(other.version(), layout.version());
    }

    #[test]
    fn what_is_wrong_is_said() {
        let says = |text: &str| import(text).unwrap_err().to_string();
        assert!(says("{").contains("neither"));
        assert!(says(&HALL.replace("1-4", "4-1")).contains("\"4-1\""));
        assert!(says(&HALL.replace("[\"5\"]", "[\"9\"]")).contains("no seat \"9\""));
        assert!(says(&HALL.replace("category = \"standard\"", "")).contains("category"));
        assert!(says(&HALL.replace("A-B", "A,A")).contains("Two seats"));
        assert!(says("sections = []").contains("no seats"));
    }
}
