//! The seat map that fans look at: a snapshot of all seats, and afterwards only
//! what changed. Both come from the one string of two bits a seat that is read
//! once a tick, however many fans look. Pure.

use serde::Serialize;
use usher_base::{EventId, Timestamp};
use uuid::Uuid;

use crate::catalog::{OnSale, Price, TierView};
use crate::inventory::{SeatBits, SeatIndex, SeatStatus};
use crate::layout::{Row, Section};

/// The JSON of `GET /api/v1/events/{id}/seatmap`.
#[derive(Clone, Debug, Serialize)]
pub struct SeatMap<'a> {
    pub event_id: EventId,
    pub venue_id: Uuid,
    pub layout_version: Option<&'a str>,
    pub last_updated: Timestamp,
    pub sections: Vec<SectionView<'a>>,
    pub tiers: Vec<TierView<'a>>,
}

#[derive(Clone, Debug, Serialize)]
pub struct SectionView<'a> {
    pub id: &'a str,
    pub name: &'a str,
    /// The lowest of its seats.
    pub price: Price<'a>,
    pub rows: Vec<RowView<'a>>,
}

#[derive(Clone, Debug, Serialize)]
pub struct RowView<'a> {
    pub row_number: &'a str,
    pub seats: Vec<SeatView<'a>>,
}

#[derive(Clone, Debug, Serialize)]
pub struct SeatView<'a> {
    pub id: &'a str,
    pub seat_number: &'a str,
    pub status: SeatStatus,
    pub price: Price<'a>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub accessible: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub aisle_after: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<crate::layout::Position>,
}

/// How much is left, for lists of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Availability {
    pub total_seats: u32,
    pub available_seats: u32,
}

impl<'a> SeatMap<'a> {
    /// `left`: places in each standing tier.
    pub fn new(on_sale: &'a OnSale, bits: &SeatBits, left: &'a [u32], now: Timestamp) -> Self {
        let sections = on_sale.layout.as_ref().map_or(&[][..], |l| l.sections());
        let mut view = Viewer {
            on_sale,
            bits,
            next: 0,
        };
        Self {
            event_id: on_sale.event.id,
            venue_id: on_sale.event.venue.id,
            layout_version: on_sale.event.layout_version.as_deref(),
            last_updated: now,
            sections: sections.iter().map(|s| view.section(s)).collect(),
            tiers: on_sale.tiers(left).collect(),
        }
    }
}

/// Goes through the layout and the bits in step.
struct Viewer<'a, 'b> {
    on_sale: &'a OnSale,
    bits: &'b SeatBits,
    next: u32,
}

impl<'a> Viewer<'a, '_> {
    fn section(&mut self, section: &'a Section) -> SectionView<'a> {
        let rows: Vec<_> = section.rows.iter().map(|row| self.row(row)).collect();
        let prices = rows
            .iter()
            .flat_map(|row| &row.seats)
            .map(|s| s.price.amount);
        let lowest = prices.min().unwrap_or(0);
        SectionView {
            id: &section.id,
            name: &section.name,
            price: self.on_sale.price(lowest),
            rows,
        }
    }

    fn row(&mut self, row: &'a Row) -> RowView<'a> {
        let first = self.next;
        self.next += u32::try_from(row.seats.len()).unwrap_or(u32::MAX);
        let seats = (first..).zip(&row.seats).map(|(index, seat)| SeatView {
            id: &seat.id,
            seat_number: &seat.seat_number,
            status: self.bits.get(SeatIndex(index)),
            price: self.price(&seat.category),
            accessible: seat.accessible,
            aisle_after: seat.aisle_after,
            position: seat.position,
        });
        RowView {
            row_number: &row.row_number,
            seats: seats.collect(),
        }
    }

    /// A checked event has a price for every category.
    fn price(&self, category: &str) -> Price<'a> {
        let known = self.on_sale.event.prices.get(category);
        self.on_sale.price(known.copied().unwrap_or(0))
    }
}

impl Availability {
    pub fn new(on_sale: &OnSale, bits: &SeatBits, left: &[u32]) -> Self {
        Self {
            total_seats: on_sale.event.places(),
            available_seats: bits.counts().available + left.iter().sum::<u32>(),
        }
    }
}

/// `[seat_id, status]`, as `{"type":"seats"}` frames carry it.
pub type SeatChange<'a> = (&'a str, SeatStatus);

/// Remembers the last tick's seats and tells what changed since.
#[derive(Clone, Debug, Default)]
pub struct SeatDiffer {
    last: Option<SeatBits>,
}

impl SeatDiffer {
    /// The changes since the last call; nothing at the first, because whoever
    /// looks has a snapshot that is as new.
    pub fn changes<'a>(&mut self, on_sale: &'a OnSale, now: SeatBits) -> Vec<SeatChange<'a>> {
        let before = self.last.as_ref().filter(|b| b.seats() == now.seats());
        let changes = before
            .map(|before| now.changes_since(before))
            .unwrap_or_default();
        self.last = Some(now);
        let named = |(seat, status)| Some((on_sale.seat_id(seat)?, status));
        changes.into_iter().filter_map(named).collect()
    }

    /// The seats at the last tick.
    pub fn last(&self) -> Option<&SeatBits> {
        self.last.as_ref()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use super::*;
    use crate::catalog::EventDraft;

    fn on_sale() -> OnSale {
        let draft = EventDraft::parse(
            r#"
            slug = "concert"
            title = "Concert"
            category = "music"
            venue = { name = "Hall", city = "Ghent" }
            start_time = "2027-05-01T19:00:00Z"
            currency = "EUR"
            prices = { low = 2500, high = 4000 }
            tiers = [{ code = "floor", name = "Floor", capacity = 50, price = 1500 }]
            [layout]
            sections = [{ id = "s", category = "low", rows = [
              { row = "A", seats = "1-3", accessible = ["3"] },
              { row = "B", seats = "1", category = "high" } ] }]
            "#,
        );
        let draft = draft
            .unwrap()
            .check(EventId::from_uuid(Uuid::nil()))
            .unwrap();
        OnSale {
            event: draft.event,
            layout: draft.layout.map(Arc::new),
        }
    }

    #[test]
    fn a_snapshot_is_the_json_of_the_contract() {
        let on_sale = on_sale();
        let mut bits = SeatBits::free(4);
        bits.set(SeatIndex(1), SeatStatus::Held);
        bits.set(SeatIndex(3), SeatStatus::Booked);
        let now = Timestamp::from_millis(1_795_255_200_000);
        let json = serde_json::to_value(SeatMap::new(&on_sale, &bits, &[7], now)).unwrap();
        let eur = |amount: i64| serde_json::json!({"amount": amount, "currency": "EUR"});
        let section = &json["sections"][0];
        assert_eq!(
            (&section["id"], &section["price"]),
            (&"s".into(), &eur(2500))
        );
        let seat = |row: usize, seat: usize| &section["rows"][row]["seats"][seat];
        assert_eq!(
            *seat(0, 1),
            serde_json::json!({
                "id": "s-A-2", "seat_number": "2", "status": "held", "price": eur(2500),
            })
        );
        assert_eq!(seat(0, 2)["accessible"], true);
        assert_eq!(
            (&seat(1, 0)["status"], &seat(1, 0)["price"]),
            (&"booked".into(), &eur(4000))
        );
        let tier = &json["tiers"][0];
        assert_eq!(
            (&tier["available"], &tier["price"]),
            (&7.into(), &eur(1500))
        );
        assert_eq!(json["last_updated"], "2026-11-21T10:00:00Z");
        let left = Availability::new(&on_sale, &bits, &[7]);
        assert_eq!((left.total_seats, left.available_seats), (54, 9));
    }

    #[test]
    fn only_changes_are_told_and_each_once() {
        let on_sale = on_sale();
        let mut differ = SeatDiffer::default();
        assert!(differ.changes(&on_sale, SeatBits::free(4)).is_empty());
        let mut bits = SeatBits::free(4);
        bits.set(SeatIndex(2), SeatStatus::Held);
        assert_eq!(
            differ.changes(&on_sale, bits.clone()),
            [("s-A-3", SeatStatus::Held)]
        );
        assert!(differ.changes(&on_sale, bits).is_empty());
    }
}
