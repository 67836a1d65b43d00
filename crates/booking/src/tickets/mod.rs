//! Tickets: their numbers, the signed code in the QR, and check-in.

mod bitmap;
mod check_in;
mod number;
mod payload;

mod qr;

pub use check_in::{CheckIn, Door, MAX_OFFLINE_SCANS, OfflineScan, Scan, Use};
pub use number::{InvalidTicketNumber, TicketNumber};
pub use payload::{Forged, TicketClaim};
pub use qr::{TooLong, png, svg};
