//! The report: one model, three faces (terminal, JSON, a self-contained page).

pub mod answers;
mod charts;
pub mod checks;
pub mod html;
pub mod model;
pub mod svg;
pub mod terminal;
