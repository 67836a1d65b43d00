//! What one hold or order is about: some seats, some places in standing tiers.
//! Always in one order and without repetition, so that equal things are equal.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{MAX_SEATS_PER_EVENT, MAX_TICKETS_PER_ORDER, MAX_TIERS_PER_EVENT};

/// A seat's place in the event's layout, from 0, without gaps.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
#[serde(transparent)]
pub struct SeatIndex(pub u32);

/// A standing tier's place in the event's list of them, from 0.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
#[serde(transparent)]
pub struct TierIndex(pub u16);

/// Why some wish cannot be a selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSelection {
    #[error("Choose at least one ticket.")]
    Empty,
    #[error("Choose each seat only once.")]
    SeatTwice,
    #[error("Choose at most {MAX_TICKETS_PER_ORDER} tickets at once.")]
    TooMany,
    #[error("This event has no such seat or tier.")]
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Selection {
    seats: Vec<SeatIndex>,
    tiers: Vec<(TierIndex, u32)>,
}

impl Selection {
    /// Seats sorted; counts of the same tier added up.
    pub fn new(
        mut seats: Vec<SeatIndex>,
        tiers: impl IntoIterator<Item = (TierIndex, u32)>,
    ) -> Result<Self, BadSelection> {
        seats.sort_unstable();
        if seats.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(BadSelection::SeatTwice);
        }
        let mut counts = BTreeMap::<TierIndex, u32>::new();
        for (tier, count) in tiers {
            let sum = counts.entry(tier).or_default();
            *sum = sum.saturating_add(count);
        }
        counts.retain(|_, count| *count > 0);
        let in_tiers = counts
            .values()
            .fold(0, |sum: u32, n| sum.saturating_add(*n));
        let tickets = in_tiers.saturating_add(u32::try_from(seats.len()).unwrap_or(u32::MAX));
        if tickets == 0 {
            return Err(BadSelection::Empty);
        }
        if tickets > MAX_TICKETS_PER_ORDER {
            return Err(BadSelection::TooMany);
        }
        let seats_exist = seats.iter().all(|seat| seat.0 < MAX_SEATS_PER_EVENT);
        let tiers_exist = counts.keys().all(|tier| tier.0 < MAX_TIERS_PER_EVENT);
        if !(seats_exist && tiers_exist) {
            return Err(BadSelection::Unknown);
        }
        let tiers = counts.into_iter().collect();
        Ok(Self { seats, tiers })
    }

    pub fn seats(&self) -> &[SeatIndex] {
        &self.seats
    }

    pub fn tiers(&self) -> &[(TierIndex, u32)] {
        &self.tiers
    }

    /// Seats and standing places together.
    pub fn tickets(&self) -> u32 {
        let seats = u32::try_from(self.seats.len()).unwrap_or(u32::MAX);
        seats + self.tiers.iter().map(|(_, count)| count).sum::<u32>()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn seats(indexes: &[u32]) -> Vec<SeatIndex> {
        indexes.iter().copied().map(SeatIndex).collect()
    }

    #[test]
    fn equal_wishes_are_equal_selections() {
        let one = Selection::new(seats(&[3, 1]), [(TierIndex(0), 1), (TierIndex(0), 1)]).unwrap();
        let other = Selection::new(seats(&[1, 3]), [(TierIndex(1), 0), (TierIndex(0), 2)]).unwrap();
        assert_eq!(one, other);
        assert_eq!(one.tickets(), 4);
    }

    #[test]
    fn impossible_wishes_are_refused() {
        let none: [(TierIndex, u32); 0] = [];
        assert_eq!(Selection::new(vec![], none), Err(BadSelection::Empty));
        assert_eq!(
            Selection::new(seats(&[1, 1]), none),
            Err(BadSelection::SeatTwice)
        );
        let flood = [(TierIndex(0), u32::MAX), (TierIndex(1), 1)];
        assert_eq!(Selection::new(vec![], flood), Err(BadSelection::TooMany));
        let beyond = seats(&[MAX_SEATS_PER_EVENT]);
        assert_eq!(Selection::new(beyond, none), Err(BadSelection::Unknown));
    }
}
