//! The status of every seat of an event, as Redis keeps it: two bits a seat,
//! the first seat in the highest bits of the first byte (BITFIELD's `u2 #n`).
//! Unused bits at the end say blocked, so no script can sell beyond the end.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::SeatIndex;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeatStatus {
    Available = 0,
    Held = 1,
    Booked = 2,
    Blocked = 3,
}

impl SeatStatus {
    fn from_bits(bits: u8) -> Self {
        match bits & 0b11 {
            0 => Self::Available,
            1 => Self::Held,
            2 => Self::Booked,
            _ => Self::Blocked,
        }
    }
}

/// How many seats have which status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SeatCounts {
    pub available: u32,
    pub held: u32,
    pub booked: u32,
    pub blocked: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeatBits {
    bytes: Vec<u8>,
    seats: u32,
}

impl SeatBits {
    /// All seats available.
    pub fn free(seats: u32) -> Self {
        let mut bits = Self {
            bytes: vec![0; seats.div_ceil(4) as usize],
            seats,
        };
        for beyond in seats..seats.next_multiple_of(4) {
            bits.set(SeatIndex(beyond), SeatStatus::Blocked);
        }
        bits
    }

    /// What was read from Redis. `None` when it is not of this many seats:
    /// Redis has forgotten the event or holds another layout of it.
    pub fn from_redis(bytes: Vec<u8>, seats: u32) -> Option<Self> {
        (bytes.len() == seats.div_ceil(4) as usize).then_some(Self { bytes, seats })
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn seats(&self) -> u32 {
        self.seats
    }

    /// A seat beyond the end is blocked.
    pub fn get(&self, seat: SeatIndex) -> SeatStatus {
        let byte = self.bytes.get(seat.0 as usize / 4).copied();
        byte.map_or(SeatStatus::Blocked, |byte| {
            SeatStatus::from_bits(byte >> shift(seat))
        })
    }

    pub fn is_available(&self, seat: SeatIndex) -> bool {
        self.get(seat) == SeatStatus::Available
    }

    /// False only when none of these seats is available. Looks at four seats at
    /// once, their neighbours in the same byte too: cheap for rows that are gone.
    pub fn may_have_available(&self, seats: Range<u32>) -> bool {
        let (first, last) = (seats.start as usize / 4, seats.end.div_ceil(4) as usize);
        let bytes = self.bytes.get(first..last.min(self.bytes.len()));
        let has_free_pair = |byte: &u8| (byte | byte >> 1) & 0b0101_0101 != 0b0101_0101;
        bytes.is_some_and(|bytes| bytes.iter().any(has_free_pair))
    }

    /// Ignored for a seat beyond the end.
    pub fn set(&mut self, seat: SeatIndex, status: SeatStatus) {
        if let Some(byte) = self.bytes.get_mut(seat.0 as usize / 4) {
            *byte = *byte & !(0b11 << shift(seat)) | (status as u8) << shift(seat);
        }
    }

    pub fn counts(&self) -> SeatCounts {
        let mut by_status = [0u32; 4];
        for byte in &self.bytes {
            for shift in [6, 4, 2, 0] {
                by_status[usize::from(byte >> shift & 0b11)] += 1;
            }
        }
        let padding = self.seats.next_multiple_of(4) - self.seats;
        let [available, held, booked, blocked] = by_status;
        SeatCounts {
            available,
            held,
            booked,
            blocked: blocked.saturating_sub(padding),
        }
    }

    /// The seats whose status is another one now than in `before`.
    pub fn changes_since(&self, before: &Self) -> Vec<(SeatIndex, SeatStatus)> {
        let mut changes = Vec::new();
        for (place, (now, then)) in self.bytes.iter().zip(&before.bytes).enumerate() {
            if now == then {
                continue;
            }
            let first = u32::try_from(place * 4).unwrap_or(u32::MAX);
            let changed = (first..first.saturating_add(4).min(self.seats))
                .map(SeatIndex)
                .filter(|seat| self.get(*seat) != before.get(*seat));
            changes.extend(changed.map(|seat| (seat, self.get(seat))));
        }
        changes
    }
}

fn shift(seat: SeatIndex) -> u32 {
    6 - 2 * (seat.0 % 4)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn bits_lie_where_redis_puts_them() {
        let mut bits = SeatBits::free(6);
        assert_eq!(bits.bytes(), [0, 0b0000_1111]);
        bits.set(SeatIndex(1), SeatStatus::Booked);
        bits.set(SeatIndex(4), SeatStatus::Held);
        assert_eq!(bits.bytes(), [0b0010_0000, 0b0100_1111]);
        assert_eq!(bits.get(SeatIndex(6)), SeatStatus::Blocked);
        assert_eq!(bits.get(SeatIndex(400)), SeatStatus::Blocked);
    }

    #[test]
    fn seats_that_are_gone_are_seen_four_at_once() {
        let mut bits = SeatBits::free(10);
        for seat in 0..10 {
            let status = [SeatStatus::Held, SeatStatus::Booked, SeatStatus::Blocked];
            bits.set(SeatIndex(seat), status[seat as usize % 3]);
        }
        assert!(!bits.may_have_available(0..10));
        bits.set(SeatIndex(9), SeatStatus::Available);
        assert!(bits.may_have_available(8..10));
        assert!(!bits.may_have_available(0..8));
        assert!(!bits.may_have_available(400..410));
    }

    #[test]
    fn counts_leave_the_padding_out() {
        let mut bits = SeatBits::free(5);
        bits.set(SeatIndex(0), SeatStatus::Blocked);
        bits.set(SeatIndex(4), SeatStatus::Booked);
        let counts = bits.counts();
        assert_eq!((counts.available, counts.booked), (3, 1));
        assert_eq!((counts.held, counts.blocked), (0, 1));
    }

    #[test]
    fn a_difference_names_each_changed_seat_once() {
        let before = SeatBits::free(9);
        let mut after = before.clone();
        after.set(SeatIndex(8), SeatStatus::Held);
        after.set(SeatIndex(2), SeatStatus::Booked);
        let expected = [
            (SeatIndex(2), SeatStatus::Booked),
            (SeatIndex(8), SeatStatus::Held),
        ];
        assert_eq!(after.changes_since(&before), expected);
        assert!(after.changes_since(&after).is_empty());
    }

    #[test]
    fn another_layouts_bits_are_not_taken() {
        assert!(SeatBits::from_redis(vec![0; 2], 9).is_none());
        assert_eq!(SeatBits::from_redis(vec![0; 3], 9).unwrap().seats(), 9);
    }
}
