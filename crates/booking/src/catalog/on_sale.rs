//! An event together with its layout: what the seat map, the best-available
//! search and an order's items need to know about a place. Pure.

use std::sync::Arc;

use serde::Serialize;

use super::Event;
use crate::inventory::{SeatIndex, Selection, TierIndex};
use crate::layout::Layout;

#[derive(Clone, Debug)]
pub struct OnSale {
    pub event: Event,
    /// `None`: standing tiers only.
    pub layout: Option<Arc<Layout>>,
}

/// A price as the API spells it: minor units and ISO 4217 currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Price<'a> {
    pub amount: i64,
    pub currency: &'a str,
}

/// A standing tier as fans see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TierView<'a> {
    pub id: &'a str,
    pub name: &'a str,
    pub price: Price<'a>,
    pub capacity: u32,
    pub available: u32,
}

impl OnSale {
    /// So many minor units of the event's currency.
    pub fn price(&self, amount: i64) -> Price<'_> {
        Price {
            amount,
            currency: &self.event.currency,
        }
    }

    /// In minor units.
    pub fn seat_price(&self, seat: SeatIndex) -> Option<i64> {
        let seat = self.layout.as_ref()?.seat(seat)?;
        self.event.prices.get(&seat.category).copied()
    }

    pub fn tier_price(&self, tier: TierIndex) -> Option<i64> {
        let tier = self.event.tiers.get(usize::from(tier.0))?;
        Some(tier.price)
    }

    /// As on the ticket: `Stalls, row C, seat 12`.
    pub fn seat_label(&self, seat: SeatIndex) -> Option<String> {
        let layout = self.layout.as_ref()?;
        let (section, row) = (layout.section(seat)?, layout.row(seat)?);
        let number = &layout.seat(seat)?.seat_number;
        Some(format!(
            "{}, row {}, seat {number}",
            section.name, row.row_number
        ))
    }

    pub fn tier_label(&self, tier: TierIndex) -> Option<&str> {
        let tier = self.event.tiers.get(usize::from(tier.0))?;
        Some(&tier.name)
    }

    pub fn seat_id(&self, seat: SeatIndex) -> Option<&str> {
        Some(&self.layout.as_ref()?.seat(seat)?.id)
    }

    /// Sum of a selection in minor units; `None` when a place does not exist.
    pub fn total(&self, selection: &Selection) -> Option<i64> {
        let seats = selection.seats().iter().map(|seat| self.seat_price(*seat));
        let tiers = selection.tiers().iter();
        let tiers = tiers.map(|(tier, n)| Some(self.tier_price(*tier)? * i64::from(*n)));
        seats.chain(tiers).sum()
    }

    /// The standing tiers with the places left in each.
    pub fn tiers<'a>(&'a self, left: &'a [u32]) -> impl Iterator<Item = TierView<'a>> {
        self.event
            .tiers
            .iter()
            .zip(left)
            .map(|(tier, left)| TierView {
                id: &tier.code,
                name: &tier.name,
                price: self.price(tier.price),
                capacity: tier.capacity,
                available: *left,
            })
    }
}
