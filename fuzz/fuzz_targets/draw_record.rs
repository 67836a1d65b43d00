//! Whatever is published as the record of a draw: it is refused, or it has the one
//! spelling that there is; and checking what it says comes to an end.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use usher_queue::draw::{read_record, verify_record, write_record};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(record) = read_record(&mut Cursor::new(bytes), &mut |_| Ok(())) {
        if verify_record(&record).is_ok() {
            let order: Vec<_> = record.places.iter().map(|place| place.fan).collect();
            let mut written = Vec::new();
            let done = write_record(&mut written, &record.header, &order);
            assert!(
                done.is_ok() && written == bytes,
                "a second spelling was taken"
            );
        }
    }
});
