//! The read models and whether they are true: availability as fans are shown
//! it (two bits a seat and the places of tiers in Redis), fans' bookings,
//! sales per minute, and the words that orders are found by. Each is compared with what it is made from.

use sqlx::PgPool;
use usher_base::EventId;
use usher_base::redis::CallError;

use crate::catalog::Event;
use crate::holds::{Holds, LiveOrder, LiveOrderState};
use crate::inventory::{SeatBits, SeatIndex, SeatStatus};
use crate::pg::{InventoryError, inventory_state, views, words};

/// Differences that one comparison names.
const MAX_NAMED: usize = 100;

#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
    #[error(transparent)]
    Inventory(#[from] InventoryError),
    #[error(transparent)]
    Redis(#[from] CallError),
    #[error("Redis has nothing of this event; a running usher restores it")]
    Forgotten,
}

/// One read model and where it differs, in words.
#[derive(Debug)]
pub struct Compared {
    pub view: &'static str,
    pub differences: Vec<String>,
}

pub struct Views {
    pub pool: PgPool,
    pub holds: Holds,
}

impl Views {
    /// Writes anew what Postgres keeps of them. Availability is rebuilt by the
    /// fence, which closes the event while it does.
    pub async fn rebuild(&self, event: EventId) -> Result<(), ViewError> {
        views::rebuild(&self.pool, event).await?;
        Ok(words::rebuild(&self.pool, event).await?)
    }

    /// All of them. In a running sale an order is paid a moment before its seat
    /// is shown as sold: what differs then is gone at the next look.
    pub async fn compare(&self, event: &Event) -> Result<[Compared; 4], ViewError> {
        let compared = |view, differences| Compared { view, differences };
        Ok([
            compared("availability", self.availability(event).await?),
            compared(
                "fans' bookings",
                views::booking_differences(&self.pool, event.id).await?,
            ),
            compared(
                "sales per minute",
                views::sales_differences(&self.pool, event.id).await?,
            ),
            compared(
                "the desk's words",
                words::differences(&self.pool, event.id).await?,
            ),
        ])
    }

    async fn availability(&self, event: &Event) -> Result<Vec<String>, ViewError> {
        let orders = inventory_state(&self.pool, event.id).await?;
        let seats = self.holds.seats(event.id, event.seat_count).await?;
        let left = self.holds.places_left(event.id, event.tier_count()).await?;
        let seats = seats.ok_or(ViewError::Forgotten)?;
        let mut differences = seats_that_differ(&seats, &orders);
        differences.extend(tiers_that_differ(event, &left, &orders));
        differences.truncate(MAX_NAMED);
        Ok(differences)
    }
}

/// Seats shown as sold are those of paid orders; those being paid for are not free.
fn seats_that_differ(shown: &SeatBits, orders: &[LiveOrder]) -> Vec<String> {
    let mut of_orders = vec![None; shown.seats() as usize];
    for order in orders {
        for seat in order.selection.seats() {
            if let Some(slot) = of_orders.get_mut(seat.0 as usize) {
                *slot = Some(order);
            }
        }
    }
    let differs = |(seat, order): (u32, Option<&LiveOrder>)| {
        let shown = shown.get(SeatIndex(seat));
        let fits = match order {
            None => shown != SeatStatus::Booked,
            Some(LiveOrder { state, .. }) if *state == LiveOrderState::Paid => {
                shown == SeatStatus::Booked
            }
            Some(_) => matches!(shown, SeatStatus::Held | SeatStatus::Booked),
        };
        let owner = order.map_or("nobody".to_owned(), |order| {
            format!("order {}", order.order)
        });
        (!fits).then(|| format!("seat {seat}: {owner} has it, {shown:?} is shown"))
    };
    (0..).zip(of_orders).filter_map(differs).collect()
}

/// Places shown as free are at most those that no order has.
fn tiers_that_differ(event: &Event, left: &[u32], orders: &[LiveOrder]) -> Vec<String> {
    let differs = |(index, tier): (usize, &crate::catalog::Tier)| {
        let of_order = |order: &LiveOrder| {
            let tiers = order.selection.tiers().iter();
            let here = tiers.filter(|(tier, _)| usize::from(tier.0) == index);
            here.map(|(_, count)| *count).sum::<u32>()
        };
        let taken: u32 = orders.iter().map(of_order).sum();
        let shown = left.get(index).copied().unwrap_or(0);
        let free = tier.capacity.saturating_sub(taken);
        (shown > free).then(|| {
            format!(
                "tier {}: {shown} places are shown as free, {free} are",
                tier.code
            )
        })
    };
    event.tiers.iter().enumerate().filter_map(differs).collect()
}
