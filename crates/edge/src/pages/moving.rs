//! `/e/{id}/move` and `/e/{id}/here`: a place goes to another device.

use askama::Template;

use super::assets::{self, Entry};
use super::model::{EventHead, Moment};

/// On the old device: what the new one scans or opens.
#[derive(Debug, Clone, Template)]
#[template(path = "move.html")]
pub struct MovePage {
    pub head: EventHead,
    /// The link as a QR code, an SVG element that usher drew itself.
    pub picture: String,
    pub link: String,
    pub expires_at: Moment,
}

/// On the new device: asks before anything moves.
#[derive(Debug, Clone, Template)]
#[template(path = "here.html")]
pub struct HerePage {
    pub head: EventHead,
    pub code: String,
}
