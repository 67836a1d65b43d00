//! Step 2 of a commit: orders become durable, before any money moves.
//!
//! One transaction takes a whole batch. It locks the epoch row FOR SHARE, so
//! that what it writes is in every later rebuild of Redis, and takes every
//! other lock in one order: tiers, fans, orders by hold, seats. Whatever breaks
//! a rule rolls the batch back; the batch is halved until the single order at
//! fault stands alone and is refused. What waited too long for a lock is tried
//! order by order (`parts`), so that only those are sent away whose rows somebody
//! keeps. The refusal is written down as a failed order, so that a duplicate of the
//! request, on whatever node, cannot get in after the hold was given back.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use sqlx::{PgConnection, PgPool};
use usher_base::{Epoch, OrderId, Timestamp};

use super::close::{self, Attempt};
use super::fault::{self, Patience};
use super::insert::{self, Fresh};
use super::parts::Parts;
use super::{columns, epoch};
use crate::orders::{NewOrder, OrderState, Refusal};

/// How long a batch is tried again while Postgres is away.
const PATIENCE: Duration = Duration::from_secs(30);

/// What became of an order that was to be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    New,
    /// It was there before: the request is a repeated one.
    Known {
        state: OrderState,
        same_request: bool,
    },
    Refused(Refusal),
    /// Somebody else keeps its rows locked, so it was not written: ask again.
    Locked,
    /// Postgres was away: it may or may not be there.
    Unknown,
}

/// Why a transaction did not happen.
pub(super) enum Fault {
    Broken(Refusal),
    /// Somebody wrote one of the orders meanwhile: look again.
    AlreadyThere,
    Locked,
    Sql(sqlx::Error),
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        match fault::constraint(&error) {
            Some("order_items_one_live_per_seat") => Self::Broken(Refusal::SeatTaken),
            Some("orders_one_live_per_hold") => Self::Broken(Refusal::HoldBusy),
            Some("orders_pkey") => Self::AlreadyThere,
            _ if fault::breaks_a_rule(&error) => {
                tracing::error!(%error, "an order breaks a rule of the database");
                Self::Broken(Refusal::Invalid)
            }
            _ if fault::is_locked(&error) => Self::Locked,
            _ => Self::Sql(error),
        }
    }
}

/// Answers each order, in the order given.
pub async fn record(pool: &PgPool, orders: &[NewOrder]) -> Vec<Recorded> {
    let mut answers = vec![Recorded::Unknown; orders.len()];
    let mut patience = Patience::of(PATIENCE);
    // Each part is divided or answered, or tried again as long as patience lasts.
    let mut parts = Parts::of(orders.len());
    // Whether an earlier try may have been written: whose answer was lost may be the one
    // that keeps the rows locked.
    let mut is_uncertain = false;
    while let Some(part) = parts.next_part() {
        let batch: Vec<&NewOrder> = part.iter().map(|at| &orders[*at]).collect();
        let tried = transact(pool, &batch).await;
        is_uncertain |= matches!(tried, Err(Fault::AlreadyThere | Fault::Sql(_)));
        let refusal = match tried {
            Ok(done) => {
                for (at, answer) in part.into_iter().zip(done) {
                    answers[at] = answer;
                }
                continue;
            }
            Err(Fault::Broken(_) | Fault::AlreadyThere) if part.len() > 1 => {
                metrics::counter!("usher_writer_halved_total").increment(1);
                parts.halve(&part);
                continue;
            }
            Err(Fault::Locked) => {
                let given_up = parts.kept_locked(part);
                if !is_uncertain {
                    given_up
                        .iter()
                        .for_each(|at| answers[*at] = Recorded::Locked);
                }
                continue;
            }
            Err(Fault::Broken(refusal)) => refuse(pool, batch[0], refusal).await,
            Err(Fault::AlreadyThere) => None,
            Err(Fault::Sql(error)) => {
                tracing::warn!(%error, orders = part.len(), "orders could not be written yet");
                None
            }
        };
        match refusal {
            Some(refusal) => answers[part[0]] = Recorded::Refused(refusal),
            None if patience.wait().await => parts.again(part),
            None => break,
        }
    }
    answers
}

/// Writes the refusal down; `None` when that has to be tried again.
async fn refuse(pool: &PgPool, order: &NewOrder, refusal: Refusal) -> Option<Refusal> {
    let attempt = Attempt {
        event: order.event,
        order: order.id,
        reservation: order.reservation,
        fan: order.fan,
    };
    let written = match refusal {
        // Its own values are what the database would not have.
        Refusal::Invalid => close::never_begun(pool, attempt, refusal.code()).await,
        _ => insert::refused(pool, order, refusal).await,
    };
    matches!(written, Ok(true)).then_some(refusal)
}

async fn transact(pool: &PgPool, orders: &[&NewOrder]) -> Result<Vec<Recorded>, Fault> {
    let mut tx = pool.begin().await?;
    let (epoch, now) = epoch::lock(&mut tx).await?;
    let known = known(&mut tx, orders).await?;
    let judged: Vec<Recorded> = orders
        .iter()
        .map(|order| match known.get(&order.id) {
            Some((state, hash)) => Recorded::Known {
                state: *state,
                // Without a hash the request never arrived: any body will do.
                same_request: hash.as_ref().is_none_or(|hash| *hash == order.request_hash),
            },
            None => judge(order, epoch, now),
        })
        .collect();
    let mut fresh: Vec<Fresh<'_>> = orders
        .iter()
        .zip(&judged)
        .filter_map(|(order, judged)| match judged {
            Recorded::New => Some(Fresh::live(order)),
            Recorded::Refused(refusal) => Some(Fresh::refused(order, *refusal)),
            Recorded::Known { .. } | Recorded::Locked | Recorded::Unknown => None,
        })
        .collect();
    if !fresh.is_empty() {
        fresh.sort_unstable_by_key(|fresh| (fresh.order.event, fresh.order.reservation));
        let live: Vec<&NewOrder> = fresh.iter().filter_map(Fresh::alive).collect();
        raise_tiers(&mut tx, &live).await?;
        raise_fans(&mut tx, &live).await?;
        insert::orders(&mut tx, &fresh).await?;
        insert::items(&mut tx, &live).await?;
        insert::payments(&mut tx, &live).await?;
        insert::started(&mut tx, &live).await?;
    }
    tx.commit().await?;
    Ok(judged)
}

fn judge(order: &NewOrder, epoch: Epoch, now: Timestamp) -> Recorded {
    if order.epoch != epoch {
        Recorded::Refused(Refusal::OtherEpoch)
    } else if order.pay_by <= now {
        Recorded::Refused(Refusal::TooLate)
    } else {
        Recorded::New
    }
}

type Known = HashMap<OrderId, (OrderState, Option<Vec<u8>>)>;

async fn known(tx: &mut PgConnection, orders: &[&NewOrder]) -> Result<Known, Fault> {
    let ids: Vec<_> = orders.iter().map(|order| order.id.uuid()).collect();
    let rows: Vec<(uuid::Uuid, String, Option<Vec<u8>>)> =
        sqlx::query_as("SELECT id, state, request_hash FROM orders WHERE id = ANY($1)")
            .bind(ids)
            .fetch_all(tx)
            .await?;
    let known = rows.into_iter().map(|(id, state, hash)| {
        let state = columns::parse(&state)?;
        Ok((OrderId::from_uuid(id), (state, hash)))
    });
    known
        .collect::<Result<_, sqlx::Error>>()
        .map_err(Fault::from)
}

/// Raises each tier once for the whole batch, only as far as its capacity goes.
async fn raise_tiers(tx: &mut PgConnection, orders: &[&NewOrder]) -> Result<(), Fault> {
    let mut tiers = BTreeMap::new();
    for order in orders {
        for (tier, count) in crate::orders::tiers_of(&order.items) {
            let capacity = order.limits.capacities.iter().find(|(t, _)| *t == tier);
            let capacity = capacity.map_or(0, |(_, capacity)| *capacity);
            let sum = tiers.entry((order.event, tier)).or_insert((0u32, capacity));
            *sum = (sum.0 + count, sum.1.min(capacity));
        }
    }
    if tiers.is_empty() {
        return Ok(());
    }
    let raised = sqlx::query(
        "INSERT INTO tier_sold (event_id, tier_index, sold, most)
         SELECT event, tier, n, most
         FROM unnest($1::uuid[], $2::int[], $3::int[], $4::int[]) AS x (event, tier, n, most)
         WHERE n <= most ORDER BY event, tier
         ON CONFLICT (event_id, tier_index)
         DO UPDATE SET sold = tier_sold.sold + excluded.sold, most = excluded.most
         WHERE tier_sold.sold + excluded.sold <= excluded.most",
    )
    .bind(
        tiers
            .keys()
            .map(|(event, _)| event.uuid())
            .collect::<Vec<_>>(),
    )
    .bind(
        tiers
            .keys()
            .map(|(_, tier)| i32::from(tier.0))
            .collect::<Vec<_>>(),
    )
    .bind(
        tiers
            .values()
            .map(|(n, _)| columns::int(*n))
            .collect::<Vec<_>>(),
    )
    .bind(
        tiers
            .values()
            .map(|(_, most)| columns::int(*most))
            .collect::<Vec<_>>(),
    )
    .execute(tx)
    .await?;
    all_raised(raised.rows_affected(), tiers.len(), Refusal::TierFull)
}

/// The same for what each fan may buy.
async fn raise_fans(tx: &mut PgConnection, orders: &[&NewOrder]) -> Result<(), Fault> {
    let mut fans = BTreeMap::new();
    for order in orders {
        let limit = order.limits.per_fan;
        let sum = fans
            .entry((order.event, order.fan))
            .or_insert((0u32, limit));
        let count = u32::try_from(order.items.len()).unwrap_or(u32::MAX);
        *sum = (sum.0.saturating_add(count), sum.1.min(limit));
    }
    if fans.is_empty() {
        return Ok(());
    }
    let raised = sqlx::query(
        "INSERT INTO fan_bought (event_id, fan_id, bought, most)
         SELECT event, fan, n, most
         FROM unnest($1::uuid[], $2::bytea[], $3::int[], $4::int[]) AS x (event, fan, n, most)
         WHERE n <= most ORDER BY event, fan
         ON CONFLICT (event_id, fan_id)
         DO UPDATE SET bought = fan_bought.bought + excluded.bought, most = excluded.most
         WHERE fan_bought.bought + excluded.bought <= excluded.most",
    )
    .bind(
        fans.keys()
            .map(|(event, _)| event.uuid())
            .collect::<Vec<_>>(),
    )
    .bind(
        fans.keys()
            .map(|(_, fan)| fan.bytes().to_vec())
            .collect::<Vec<_>>(),
    )
    .bind(
        fans.values()
            .map(|(n, _)| columns::int(*n))
            .collect::<Vec<_>>(),
    )
    .bind(
        fans.values()
            .map(|(_, most)| columns::int(*most))
            .collect::<Vec<_>>(),
    )
    .execute(tx)
    .await?;
    all_raised(raised.rows_affected(), fans.len(), Refusal::FanLimit)
}

fn all_raised(raised: u64, wanted: usize, otherwise: Refusal) -> Result<(), Fault> {
    if raised == wanted as u64 {
        Ok(())
    } else {
        Err(Fault::Broken(otherwise))
    }
}
