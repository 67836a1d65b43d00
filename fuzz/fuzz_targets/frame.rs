//! Whatever comes on a stream or as the answer to a join: it is read or refused, and
//! what was read can be asked for everything that a fan asks of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use usher_rehearsal::wire::{Frame, Place};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(Frame::Place(place)) = serde_json::from_slice(bytes) {
        ask(&place);
    }
    if let Ok(place) = serde_json::from_slice(bytes) {
        ask(&place);
    }
});

fn ask(place: &Place) {
    let _ = (place.is_admitted(), place.is_absent(), place.is_over());
}
