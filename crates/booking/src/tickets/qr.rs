//! The QR of a ticket as SVG.

use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};

/// The shorter side, in CSS pixels; it scales without loss.
const SIDE: u32 = 240;

/// A text longer than a QR can carry; none of ours is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the ticket's code is too long for a QR")]
pub struct TooLong;

/// Error correction M: a scratched screen or a fold still scans.
pub fn svg(code: &str) -> Result<String, TooLong> {
    let qr = QrCode::with_error_correction_level(code, EcLevel::M).map_err(|_| TooLong)?;
    let image = qr
        .render::<svg::Color<'_>>()
        .min_dimensions(SIDE, SIDE)
        .quiet_zone(true)
        .build();
    Ok(image)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_code_becomes_a_picture() {
        let picture = svg("usher1.a.b.c").unwrap();
        assert!(picture.contains("<svg") && picture.contains("path"));
        assert_ne!(picture, svg("usher1.a.b.d").unwrap());
        assert_eq!(svg(&"x".repeat(5_000)), Err(TooLong));
    }
}
