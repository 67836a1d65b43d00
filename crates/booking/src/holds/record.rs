//! The text of a hold in Redis and of seats and tiers in script arguments; the
//! counterpart of `lua/booking/record.lua`.

use std::fmt::Write;
use std::str::FromStr;

use usher_base::redis::CallError;
use usher_base::{OrderId, ReservationId, Timestamp};

use super::{Hold, ReservationStatus};
use crate::inventory::{SeatIndex, Selection, TierIndex};

/// `1,2,3`
pub(super) fn seats_text(seats: &[SeatIndex]) -> String {
    let mut text = String::new();
    for seat in seats {
        let comma = if text.is_empty() { "" } else { "," };
        // Writing to a string cannot fail.
        let _ = write!(text, "{comma}{}", seat.0);
    }
    text
}

/// `0:2,3:1`
pub(super) fn tiers_text(tiers: &[(TierIndex, u32)]) -> String {
    let mut text = String::new();
    for (tier, count) in tiers {
        let comma = if text.is_empty() { "" } else { "," };
        let _ = write!(text, "{comma}{}:{count}", tier.0);
    }
    text
}

pub(super) fn parse_seats(text: &str) -> Option<Vec<SeatIndex>> {
    let items = text.split(',').filter(|item| !item.is_empty());
    items.map(|n| n.parse().ok().map(SeatIndex)).collect()
}

pub(super) fn parse_tiers(text: &str) -> Option<Vec<(TierIndex, u32)>> {
    let pair = |item: &str| {
        let (tier, count) = item.split_once(':')?;
        Some((TierIndex(tier.parse().ok()?), count.parse().ok()?))
    };
    let items = text.split(',').filter(|item| !item.is_empty());
    items.map(pair).collect()
}

pub(super) fn parse(id: ReservationId, text: &str) -> Result<Hold, CallError> {
    fields(id, text).ok_or_else(|| CallError::Shape("a hold's record is malformed".into()))
}

fn fields(id: ReservationId, text: &str) -> Option<Hold> {
    let parts: [&str; 12] = text.split(';').collect::<Vec<_>>().try_into().ok()?;
    let [
        state,
        fan,
        _tag,
        created,
        expires,
        ends,
        left,
        _by,
        attempts,
        order,
        seats,
        tiers,
    ] = parts;
    let order = match order {
        "" => None,
        order => Some(OrderId::from_str(order).ok()?),
    };
    Some(Hold {
        id,
        fan: fan.parse().ok()?,
        status: ReservationStatus::from_letter(state)?,
        selection: Selection::new(parse_seats(seats)?, parse_tiers(tiers)?).ok()?,
        created_at: time(created)?,
        expires_at: time(expires)?,
        ends_at: time(ends)?,
        extensions_remaining: left.parse().ok()?,
        attempts: attempts.parse().ok()?,
        order,
    })
}

pub(super) fn time(millis: &str) -> Option<Timestamp> {
    millis.parse().ok().map(Timestamp::from_millis)
}
