//! A fan's request for tickets, by seat or by "best available", carried out:
//! finds the seats, tries again when somebody was faster, and says what else
//! there is when it cannot be had.

use std::time::Duration;

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};
use usher_base::redis::CallError;
use usher_base::{FanId, ReservationId, Timestamp};

use super::{Hold, HoldError, HoldRequest, HoldTag, Holds};
use crate::catalog::OnSale;
use crate::inventory::{
    BadSelection, MAX_TICKETS_PER_ORDER, Pick, SeatBits, SeatIndex, Selection, TierIndex, Wish,
    best_available,
};

/// Tries of one request for the best seats before it is told to choose.
const MAX_TRIES: usize = 6;
/// Among how many good picks a repeated try draws lots, so that a crowd that
/// asks for the best does not meet again and again at the same seats.
const MAX_PICKS: usize = 16;
/// Alternatives offered to who was too late.
const MAX_ALTERNATIVES: usize = 3;

/// The body of `POST /api/v1/events/{id}/reservations`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReserveRequest {
    pub client_reservation_id: ReservationId,
    #[serde(default)]
    pub seat_ids: Vec<String>,
    pub best_available: Option<BestAvailable>,
    #[serde(default)]
    pub tiers: Vec<TierCount>,
    pub ttl_seconds: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BestAvailable {
    pub section: Option<String>,
    /// Price category; any when not said.
    pub category: Option<String>,
    pub count: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TierCount {
    pub tier: String,
    pub count: u32,
}

/// What was free when we looked, as the API names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Alternatives {
    /// Groups of seat ids, as many as were asked for.
    pub seats: Vec<Vec<String>>,
    /// Standing tiers with room for as many.
    pub tiers: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReserveError {
    #[error(transparent)]
    Selection(#[from] BadSelection),
    #[error("Tickets for this event are not on sale now.")]
    NotOnSale {
        /// `None`: the sale is over.
        opens_at: Option<Timestamp>,
    },
    #[error("Choose seats or ask for the best available ones, not both.")]
    SeatsTwice,
    #[error("This event has no section or price category of that name.")]
    NoSuchSection,
    #[error("Somebody else was faster; choose other tickets.")]
    Unavailable {
        /// Seat ids.
        seats: Vec<String>,
        /// Tier codes.
        tiers: Vec<String>,
        alternatives: Alternatives,
    },
    #[error(transparent)]
    Hold(#[from] HoldError),
}

impl From<CallError> for ReserveError {
    fn from(error: CallError) -> Self {
        Self::Hold(error.into())
    }
}

impl Holds {
    /// For a fan who has been verified and admitted. A retry of the same
    /// request returns the same hold.
    pub async fn reserve(
        &self,
        on_sale: &OnSale,
        fan: FanId,
        request: &ReserveRequest,
        now: Timestamp,
        rng: &mut (impl Rng + Send),
    ) -> Result<Hold, ReserveError> {
        if !on_sale.event.is_on_sale(now) {
            let opens_at = on_sale.event.sale_from.filter(|from| now < *from);
            return Err(ReserveError::NotOnSale { opens_at });
        }
        let tiers = tiers_of(on_sale, request)?;
        match &request.best_available {
            None => {
                let seats = seats_of(on_sale, request)?;
                let selection = Selection::new(seats, tiers)?;
                self.try_hold(on_sale, fan, request, selection).await
            }
            Some(_) if !request.seat_ids.is_empty() => Err(ReserveError::SeatsTwice),
            Some(best) => {
                let best = (best, tiers);
                self.hold_best(on_sale, fan, request, best, rng).await
            }
        }
    }

    async fn hold_best(
        &self,
        on_sale: &OnSale,
        fan: FanId,
        request: &ReserveRequest,
        (best, tiers): (&BestAvailable, Vec<(TierIndex, u32)>),
        rng: &mut (impl Rng + Send),
    ) -> Result<Hold, ReserveError> {
        let wish = wish_of(on_sale, best)?;
        let asked = tiers
            .iter()
            .fold(best.count, |sum, (_, n)| sum.saturating_add(*n));
        let limit = on_sale.event.rules.tickets_per_order;
        if asked > limit {
            return Err(HoldError::OrderLimit { limit }.into());
        }
        // A retry: its seats are no longer free because it has them.
        match self
            .get(on_sale.event.id, request.client_reservation_id)
            .await
        {
            Ok(known) => return self.try_hold(on_sale, fan, request, known.selection).await,
            Err(HoldError::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
        let mut lots = 1;
        for _ in 0..MAX_TRIES {
            let bits = self.bits(on_sale).await?;
            let mut picks = picks(on_sale, &bits, &wish, lots);
            if picks.is_empty() {
                let seen = (bits, self.left(on_sale).await?);
                return Err(unavailable(on_sale, (vec![], vec![]), &wish, asked, &seen));
            }
            let pick = picks.swap_remove(rng.random_range(0..picks.len()));
            let selection = Selection::new(pick.seats, tiers.clone())?;
            match self.try_hold(on_sale, fan, request, selection).await {
                // Only the seats were taken: others may do as well.
                Err(ReserveError::Unavailable { tiers, .. }) if tiers.is_empty() => {}
                decided => return decided,
            }
            lots = MAX_PICKS;
        }
        let seen = self.look(on_sale).await?;
        Err(unavailable(on_sale, (vec![], vec![]), &wish, asked, &seen))
    }

    async fn try_hold(
        &self,
        on_sale: &OnSale,
        fan: FanId,
        request: &ReserveRequest,
        selection: Selection,
    ) -> Result<Hold, ReserveError> {
        let rules = on_sale.event.rules.for_holds();
        let ttl = request.ttl_seconds.map(|n| Duration::from_secs(n.into()));
        let asked = selection.tickets();
        let wish = wish_like(on_sale, &selection);
        let ask = HoldRequest {
            id: request.client_reservation_id,
            fan,
            selection,
            ttl: rules.ttl_for(ttl),
            // A plain struct of texts and numbers always has a JSON form.
            tag: HoldTag::of(&serde_json::to_vec(request).unwrap_or_default()),
        };
        match self.hold(on_sale.event.id, &ask, &rules).await {
            Err(HoldError::Unavailable { seats, tiers }) => {
                let seen = self.look(on_sale).await?;
                Err(unavailable(on_sale, (seats, tiers), &wish, asked, &seen))
            }
            decided => Ok(decided?),
        }
    }

    async fn look(&self, on_sale: &OnSale) -> Result<Seen, CallError> {
        Ok((self.bits(on_sale).await?, self.left(on_sale).await?))
    }

    async fn bits(&self, on_sale: &OnSale) -> Result<SeatBits, CallError> {
        let bits = self
            .seats(on_sale.event.id, on_sale.event.seat_count)
            .await?;
        bits.ok_or(CallError::Rebuilding)
    }

    async fn left(&self, on_sale: &OnSale) -> Result<Vec<u32>, CallError> {
        self.places_left(on_sale.event.id, on_sale.event.tier_count())
            .await
    }
}

/// Seats, and places left in each standing tier, at one moment.
type Seen = (SeatBits, Vec<u32>);

fn seats_of(on_sale: &OnSale, request: &ReserveRequest) -> Result<Vec<SeatIndex>, BadSelection> {
    if request.seat_ids.len() > MAX_TICKETS_PER_ORDER as usize {
        return Err(BadSelection::TooMany);
    }
    let index = |id: &String| on_sale.layout.as_ref()?.index_of(id);
    let seats = request.seat_ids.iter().map(index).collect::<Option<_>>();
    seats.ok_or(BadSelection::Unknown)
}

fn tiers_of(
    on_sale: &OnSale,
    request: &ReserveRequest,
) -> Result<Vec<(TierIndex, u32)>, BadSelection> {
    let index = |ask: &TierCount| Some((on_sale.event.tier(&ask.tier)?, ask.count));
    let tiers = request.tiers.iter().map(index).collect::<Option<_>>();
    tiers.ok_or(BadSelection::Unknown)
}

fn wish_of<'a>(on_sale: &OnSale, best: &'a BestAvailable) -> Result<Wish<'a>, ReserveError> {
    if best.count == 0 {
        return Err(BadSelection::Empty.into());
    }
    let sections = on_sale.layout.as_ref().map_or(&[][..], |l| l.sections());
    let known = |id: &String| sections.iter().any(|section| section.id == *id);
    let priced = |name: &String| on_sale.event.prices.contains_key(name);
    if !(best.section.as_ref().is_none_or(known) && best.category.as_ref().is_none_or(priced)) {
        return Err(ReserveError::NoSuchSection);
    }
    Ok(Wish {
        count: best.count as usize,
        section: best.section.as_deref(),
        category: best.category.as_deref(),
    })
}

/// Seats like the first of these: as many, in its section, of its price.
fn wish_like<'a>(on_sale: &'a OnSale, selection: &Selection) -> Wish<'a> {
    let first = selection.seats().first();
    let layout = on_sale.layout.as_deref();
    let like = layout.zip(first);
    Wish {
        count: selection.seats().len(),
        section: like.and_then(|(l, seat)| Some(l.section(*seat)?.id.as_str())),
        category: like.and_then(|(l, seat)| Some(l.seat(*seat)?.category.as_str())),
    }
}

fn picks(on_sale: &OnSale, bits: &SeatBits, wish: &Wish<'_>, limit: usize) -> Vec<Pick> {
    let layout = on_sale.layout.as_deref();
    layout.map_or_else(Vec::new, |layout| best_available(layout, bits, wish, limit))
}

/// The refusal, with what else was free when we looked: seats of the same kind
/// first, then anywhere; and standing tiers with room for everybody.
fn unavailable(
    on_sale: &OnSale,
    (seats, tiers): (Vec<SeatIndex>, Vec<TierIndex>),
    wish: &Wish<'_>,
    asked: u32,
    (bits, left): &Seen,
) -> ReserveError {
    let anywhere = Wish {
        count: wish.count,
        section: None,
        category: None,
    };
    let mut groups = picks(on_sale, bits, wish, MAX_ALTERNATIVES);
    if groups.is_empty() {
        groups = picks(on_sale, bits, &anywhere, MAX_ALTERNATIVES);
    }
    let id = |seat: &SeatIndex| on_sale.seat_id(*seat).map(str::to_owned);
    let group = |pick: Pick| pick.seats.iter().filter_map(id).collect();
    let code = |tier: &TierIndex| {
        let tier = on_sale.event.tiers.get(usize::from(tier.0));
        tier.map(|tier| tier.code.clone())
    };
    let roomy = on_sale.tiers(left).filter(|tier| tier.available >= asked);
    ReserveError::Unavailable {
        seats: seats.iter().filter_map(id).collect(),
        tiers: tiers.iter().filter_map(code).collect(),
        alternatives: Alternatives {
            seats: groups.into_iter().map(group).collect(),
            tiers: roomy.map(|tier| tier.id.to_owned()).collect(),
        },
    }
}
