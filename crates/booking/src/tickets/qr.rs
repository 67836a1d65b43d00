//! The QR of a ticket as SVG, and as PNG for wallets and mail that show no SVG.

use qrcode::render::svg;
use qrcode::{Color, EcLevel, QrCode};

use super::bitmap::black_on_white;

/// The shorter side of the SVG, in CSS pixels; it scales without loss.
const SIDE: u32 = 240;
/// Pixels of the PNG for one module of the code.
const MODULE_PIXELS: usize = 8;
/// Modules of white around the code, as the standard wants.
const QUIET_MODULES: usize = 4;

/// A text longer than a QR can carry; none of ours is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the ticket's code is too long for a QR")]
pub struct TooLong;

/// Error correction M: a scratched screen or a fold still scans.
fn encode(code: &str) -> Result<QrCode, TooLong> {
    QrCode::with_error_correction_level(code, EcLevel::M).map_err(|_| TooLong)
}

pub fn svg(code: &str) -> Result<String, TooLong> {
    let image = encode(code)?
        .render::<svg::Color<'_>>()
        .min_dimensions(SIDE, SIDE)
        .quiet_zone(true)
        .build();
    Ok(image)
}

pub fn png(code: &str) -> Result<Vec<u8>, TooLong> {
    let qr = encode(code)?;
    let width = qr.width();
    let side = (width + 2 * QUIET_MODULES) * MODULE_PIXELS;
    let is_dark = |x: usize, y: usize| {
        let module = |pixel: usize| (pixel / MODULE_PIXELS).checked_sub(QUIET_MODULES);
        let inside = |module: &usize| *module < width;
        match (module(x).filter(inside), module(y).filter(inside)) {
            (Some(x), Some(y)) => qr[(x, y)] == Color::Dark,
            _ => false,
        }
    };
    Ok(black_on_white(side, is_dark))
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

    #[test]
    fn the_same_code_becomes_a_bitmap() {
        let bitmap = png("usher1.a.b.c").unwrap();
        assert!(bitmap.starts_with(b"\x89PNG"));
        assert_ne!(bitmap, png("usher1.a.b.d").unwrap());
    }
}
