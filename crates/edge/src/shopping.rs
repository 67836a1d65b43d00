//! Between a fan's wish and the booking core: which event and session a request
//! belongs to, what a selection is called and costs.

use std::ops::Range;
use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use serde::Serialize;
use usher_base::{EventId, ReservationId, Timestamp};
use usher_booking::catalog::OnSale;
use usher_booking::holds::{Hold, HoldError};
use usher_booking::inventory::{Selection, TierIndex};
use usher_booking::orders::{Item, Limits, Place, Priced};
use usher_queue::AccessClaims;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::cookies;
use crate::error::{ApiError, ApiResult};
use crate::identity;
use crate::live::LiveEvent;
use crate::state::Edge;

/// Sessions that one browser may have open at once.
const MAX_OPEN_SESSIONS: usize = 16;

/// An amount in minor units of an ISO 4217 currency.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Amount {
    pub amount: i64,
    pub currency: String,
}

/// A hold together with whom it belongs to.
pub struct OwnHold {
    pub live: Arc<LiveEvent>,
    pub on_sale: Arc<OnSale>,
    pub access: AccessClaims,
    pub hold: Hold,
}

/// One line of what is held.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HeldPlace {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seat_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    pub label: String,
    pub count: u32,
    pub price: Amount,
}

impl Edge {
    /// The reservation, if one of the request's sessions is its owner's. The
    /// path names no event, so the sessions that the request shows are tried.
    pub async fn own_hold(&self, headers: &HeaderMap, id: ReservationId) -> ApiResult<OwnHold> {
        let mut refusal = identity::access_required();
        for event in shown_events(headers) {
            let Some(live) = self.live.event(event) else {
                continue;
            };
            let access = match self.access_of(&live, headers) {
                Ok(access) => access,
                Err(error) => {
                    refusal = error;
                    continue;
                }
            };
            match self.holds.get(event, id).await {
                Ok(hold) if hold.fan == access.sub => {
                    let on_sale = self.on_sale(event)?;
                    return Ok(OwnHold {
                        live,
                        on_sale,
                        access,
                        hold,
                    });
                }
                Ok(_) | Err(HoldError::NotFound) => refusal = ApiError::not_found("reservation"),
                Err(error) => return Err(hold_refusal(error)),
            }
        }
        Err(refusal)
    }
}

/// The events for which the request shows an access token.
pub fn shown_events(headers: &HeaderMap) -> Vec<EventId> {
    if let Some(token) = cookies::bearer(headers) {
        return audience_of(token).into_iter().collect();
    }
    let cookies = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    cookies
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter_map(|(name, _)| name.strip_prefix(cookies::ACCESS_PREFIX))
        .filter_map(|event| Uuid::try_parse(event).ok())
        .map(EventId::from_uuid)
        .take(MAX_OPEN_SESSIONS)
        .collect()
}

/// What a token says of itself; nothing is believed before it is verified.
#[derive(serde::Deserialize)]
struct Says {
    /// For whom it is.
    aud: String,
    /// When it was made and when it ends, in Unix seconds.
    iat: i64,
    exp: i64,
}

fn says(token: &str) -> Option<Says> {
    use base64::Engine as _;
    let claims = token.split('.').nth(1)?;
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(claims)
        .ok()?;
    serde_json::from_slice(&claims).ok()
}

fn audience_of(token: &str) -> Option<EventId> {
    says(token)?.aud.parse().ok()
}

/// From when and until when the access is that a request shows, verified by now.
pub fn access_life(headers: &HeaderMap, event: EventId) -> Option<Range<Timestamp>> {
    let name = cookies::access(event);
    let token = cookies::bearer(headers).or_else(|| cookies::read(headers, &name))?;
    let Says { iat, exp, .. } = says(token)?;
    let at = |second: i64| second.checked_mul(1_000).map(Timestamp::from_millis);
    Some(at(iat)?..at(exp)?)
}

pub fn amount(on_sale: &OnSale, amount: i64) -> Amount {
    Amount {
        amount,
        currency: on_sale.event.currency.clone(),
    }
}

/// What is held, line by line, as fans read it.
pub fn held_places(on_sale: &OnSale, selection: &Selection) -> Vec<HeldPlace> {
    let seats = selection.seats().iter().filter_map(|seat| {
        Some(HeldPlace {
            seat_id: Some(on_sale.seat_id(*seat)?.to_owned()),
            tier: None,
            label: on_sale.seat_label(*seat)?,
            count: 1,
            price: amount(on_sale, on_sale.seat_price(*seat)?),
        })
    });
    let tiers = selection.tiers().iter().filter_map(|(tier, count)| {
        Some(HeldPlace {
            seat_id: None,
            tier: Some(tier_code(on_sale, *tier)?.to_owned()),
            label: on_sale.tier_label(*tier)?.to_owned(),
            count: *count,
            price: amount(on_sale, on_sale.tier_price(*tier)? * i64::from(*count)),
        })
    });
    seats.chain(tiers).collect()
}

fn tier_code(on_sale: &OnSale, tier: TierIndex) -> Option<&str> {
    let tier = on_sale.event.tiers.get(usize::from(tier.0))?;
    Some(&tier.code)
}

/// The selection as items of an order, one a ticket; `None` for what is not there.
pub fn priced(on_sale: &OnSale, selection: &Selection) -> Option<Priced> {
    let mut items = Vec::new();
    for seat in selection.seats() {
        items.push(Item {
            place: Place::Seat(*seat),
            label: on_sale.seat_label(*seat)?,
            price: on_sale.seat_price(*seat)?,
        });
    }
    let mut capacities = Vec::new();
    for (tier, count) in selection.tiers() {
        let known = on_sale.event.tiers.get(usize::from(tier.0))?;
        capacities.push((*tier, known.capacity));
        for _ in 0..*count {
            items.push(Item {
                place: Place::Tier(*tier),
                label: known.name.clone(),
                price: known.price,
            });
        }
    }
    Some(Priced {
        items,
        currency: on_sale.event.currency.clone(),
        limits: Limits {
            per_fan: on_sale.event.rules.tickets_per_fan,
            capacities,
        },
    })
}

/// What a refused hold hears. Alternatives are added by who knows them.
pub fn hold_refusal(error: HoldError) -> ApiError {
    use axum::http::StatusCode as Status;
    let message = error.to_string();
    let expired_at: Option<Timestamp> = error.expired_at();
    match error {
        HoldError::Call(error) => error.into(),
        HoldError::NotFound => ApiError::not_found("reservation"),
        HoldError::Ended(_) => ApiError::new(Status::GONE, "reservation_expired", message)
            .detail("expired_at", expired_at.map(Timestamp::to_rfc3339)),
        HoldError::Unavailable { .. } => {
            ApiError::new(Status::CONFLICT, "seat_unavailable", message)
        }
        HoldError::OrderLimit { limit } => {
            ApiError::new(Status::UNPROCESSABLE_ENTITY, "order_limit", message)
                .detail("limit", limit)
        }
        HoldError::FanLimit { limit, has } => ApiError::new(Status::CONFLICT, "fan_limit", message)
            .detail("limit", limit)
            .detail("has", has),
        HoldError::AnotherRequest => {
            ApiError::new(Status::CONFLICT, "reservation_id_reused", message)
        }
        HoldError::Committing(_) => {
            ApiError::new(Status::CONFLICT, "reservation_committing", message)
        }
        HoldError::NoExtensionLeft(_) => {
            ApiError::new(Status::CONFLICT, "no_extension_left", message)
        }
        HoldError::OrderOver(_) => ApiError::new(Status::CONFLICT, "order_over", message),
        HoldError::TooManyCommitting => {
            let wait = std::time::Duration::from_secs(3);
            ApiError::unavailable("overloaded", &message, wait)
        }
    }
}
