//! A change of an event that may be on sale: everything that fans rely on is
//! either left alone or checked against what is sold. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use usher_base::Timestamp;

use super::draft::{check_event, seats_by_id};
use super::{DraftError, Event, Rules, TierDraft, Title};
use crate::catalog::Tier;
use crate::inventory::{SeatIndex, TierIndex};
use crate::layout::Layout;

/// What is given is changed; the rest stays. A time can be taken back by
/// giving `null`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventPatch {
    pub slug: Option<String>,
    pub title: Option<String>,
    pub description: Option<String>,
    pub category: Option<String>,
    pub start_time: Option<Timestamp>,
    #[serde(deserialize_with = "given")]
    pub sale_from: Option<Option<Timestamp>>,
    #[serde(deserialize_with = "given")]
    pub sale_until: Option<Option<Timestamp>>,
    #[serde(deserialize_with = "given")]
    pub cancellable_until: Option<Option<Timestamp>>,
    pub currency: Option<String>,
    /// New prices of some categories; orders that exist keep theirs.
    pub prices: BTreeMap<String, i64>,
    /// Tiers by code: changed where the code exists, else added at the end.
    pub tiers: Vec<TierDraft>,
    pub rules: Option<Rules>,
    pub block_seats: Vec<String>,
    pub unblock_seats: Vec<String>,
}

fn given<'de, D, T>(from: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(from).map(Some)
}

#[derive(Debug, thiserror::Error)]
pub enum PatchError {
    #[error("The currency cannot change once there are orders.")]
    CurrencyIsUsed,
    #[error("The tier {code:?} has {sold} places sold; its capacity cannot go below that.")]
    BelowSold { code: String, sold: u32 },
    #[error("The seat {0:?} is sold and cannot be blocked.")]
    SeatIsSold(String),
    #[error(transparent)]
    Draft(#[from] DraftError),
}

/// What Postgres says is sold or being paid.
#[derive(Clone, Debug, Default)]
pub struct Sold {
    pub seats: BTreeSet<SeatIndex>,
    pub tiers: BTreeMap<TierIndex, u32>,
    pub has_orders: bool,
}

/// The changed event, and what the inventory in Redis has to be told.
#[derive(Clone, Debug)]
pub struct PatchedEvent {
    pub event: Event,
    pub block: Vec<SeatIndex>,
    pub unblock: Vec<SeatIndex>,
    pub capacities: Vec<(TierIndex, u32)>,
}

impl EventPatch {
    pub fn apply(
        self,
        event: &Event,
        layout: Option<&Layout>,
        sold: &Sold,
    ) -> Result<PatchedEvent, PatchError> {
        let mut changed = event.clone();
        changed.revision += 1;
        let block = seats_by_id(layout, &self.block_seats)?;
        let unblock = seats_by_id(layout, &self.unblock_seats)?;
        if let Some(at) = block.iter().find(|seat| sold.seats.contains(seat)) {
            let id = layout.and_then(|layout| layout.seat(*at)).map(|s| &s.id);
            return Err(PatchError::SeatIsSold(id.cloned().unwrap_or_default()));
        }
        let currency = self.currency.as_ref();
        if sold.has_orders && currency.is_some_and(|new| *new != event.currency) {
            return Err(PatchError::CurrencyIsUsed);
        }
        let blocked: BTreeSet<_> = event.blocked.iter().chain(&block).copied().collect();
        changed.blocked = blocked
            .into_iter()
            .filter(|seat| !unblock.contains(seat))
            .collect();
        let capacities = change_tiers(&mut changed, &self.tiers, sold)?;
        self.change_fields(&mut changed);
        check_event(&changed, layout)?;
        Ok(PatchedEvent {
            event: changed,
            block,
            unblock,
            capacities,
        })
    }

    fn change_fields(self, event: &mut Event) {
        fn set<T>(field: &mut T, new: Option<T>) {
            if let Some(new) = new {
                *field = new;
            }
        }
        set(&mut event.slug, self.slug);
        let title = self.title.map(|name| Title::named(name.trim()));
        set(&mut event.title, title);
        set(&mut event.description, self.description);
        set(&mut event.category, self.category);
        set(&mut event.start_time, self.start_time);
        set(&mut event.sale_from, self.sale_from);
        set(&mut event.sale_until, self.sale_until);
        set(&mut event.cancellable_until, self.cancellable_until);
        set(&mut event.currency, self.currency);
        set(&mut event.rules, self.rules);
        event.prices.extend(self.prices);
    }
}

fn change_tiers(
    event: &mut Event,
    drafts: &[TierDraft],
    sold: &Sold,
) -> Result<Vec<(TierIndex, u32)>, PatchError> {
    let mut capacities = Vec::new();
    for draft in drafts {
        let tier = Tier {
            code: draft.code.clone(),
            name: draft.name.clone(),
            capacity: draft.capacity,
            price: draft.price,
        };
        let index = event.tier(&draft.code);
        let index = index.unwrap_or(TierIndex(event.tier_count()));
        let taken = sold.tiers.get(&index).copied().unwrap_or(0);
        if draft.capacity < taken {
            return Err(PatchError::BelowSold {
                code: tier.code,
                sold: taken,
            });
        }
        capacities.push((index, tier.capacity));
        match event.tiers.get_mut(usize::from(index.0)) {
            Some(existing) => *existing = tier,
            None => event.tiers.push(tier),
        }
    }
    Ok(capacities)
}
