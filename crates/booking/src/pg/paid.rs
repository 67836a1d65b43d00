//! Step 4 of a commit, also in batches: money was captured, so the order is
//! paid and its tickets exist. Only after this transaction is anybody told
//! "confirmed".

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use sqlx::{PgConnection, PgPool};
use usher_base::{EventId, FanId, OrderId};
use uuid::Uuid;

use super::audit::{self, Entry};
use super::columns;
use super::fault::{self, Patience};
use super::parts::Parts;
use super::store::{self, DomainEvent, Kind};
use crate::payments::Money;
use crate::tickets::TicketNumber;

/// How long a batch is tried again while Postgres is away.
const PATIENCE: Duration = Duration::from_secs(30);

/// An order whose money the provider says it has captured.
#[derive(Clone, Debug)]
pub struct Captured {
    pub order: OrderId,
    /// The provider's id of the payment.
    pub reference: Option<String>,
    /// One for each item, by position.
    pub tickets: Vec<TicketNumber>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MadePaid {
    Now,
    /// Somebody else was faster; its tickets have other numbers.
    Before,
    /// The order was closed; the money has to go back.
    Closed,
    /// Postgres was away, or somebody keeps its rows locked.
    Unknown,
}

/// Answers each order, in the order given.
pub async fn pay(pool: &PgPool, captured: &[Captured]) -> Vec<MadePaid> {
    let mut answers = vec![MadePaid::Unknown; captured.len()];
    let mut patience = Patience::of(PATIENCE);
    let mut parts = Parts::of(captured.len());
    while let Some(part) = parts.next_part() {
        let batch: Vec<&Captured> = part.iter().map(|at| &captured[*at]).collect();
        match transact(pool, &batch).await {
            Ok(made) => {
                for (at, made) in part.into_iter().zip(made) {
                    answers[at] = made;
                }
            }
            // Those given up stay unknown: the reconciler finishes them.
            Err(error) if fault::is_locked(&error) => drop(parts.kept_locked(part)),
            Err(error) => {
                tracing::warn!(%error, orders = part.len(), "payments could not be written yet");
                if !patience.wait().await {
                    break;
                }
                parts.again(part);
            }
        }
    }
    answers
}

struct Paid {
    order: OrderId,
    event: EventId,
    fan: FanId,
    number: String,
    money: Money,
}

async fn transact(pool: &PgPool, captured: &[&Captured]) -> Result<Vec<MadePaid>, sqlx::Error> {
    let mut tx = pool.begin().await?;
    let won = win(&mut tx, captured).await?;
    let fresh: HashMap<OrderId, &Captured> = captured
        .iter()
        .filter(|c| won.iter().any(|paid| paid.order == c.order))
        .map(|c| (c.order, *c))
        .collect();
    if !won.is_empty() {
        insert_tickets(&mut tx, &fresh).await?;
        let events = won
            .iter()
            .flat_map(|paid| tell(paid, &fresh[&paid.order].tickets));
        store::append(&mut tx, &events.collect::<Vec<_>>()).await?;
        audit::append(&mut tx, &won.iter().map(entry).collect::<Vec<_>>()).await?;
    }
    let before = match fresh.len() == captured.len() {
        true => HashSet::new(),
        false => already_paid(&mut tx, captured).await?,
    };
    tx.commit().await?;
    let made = |order| match order {
        order if fresh.contains_key(order) => MadePaid::Now,
        order if before.contains(order) => MadePaid::Before,
        _ => MadePaid::Closed,
    };
    Ok(captured.iter().map(|c| made(&c.order)).collect())
}

/// capturing -> captured and pending -> paid, both or neither. When the order is
/// looked at stays as it was: a new time would be a new entry in every index.
async fn win(tx: &mut PgConnection, captured: &[&Captured]) -> Result<Vec<Paid>, sqlx::Error> {
    let ids: Vec<Uuid> = captured.iter().map(|c| c.order.uuid()).collect();
    let references: Vec<_> = captured.iter().map(|c| c.reference.as_deref()).collect();
    let rows: Vec<(Uuid, Uuid, Vec<u8>, String, i64, String)> = sqlx::query_as(
        "WITH paid AS (
            UPDATE payments SET state = 'captured', reference = coalesce(x.reference,
                payments.reference), updated_at = now()
            FROM unnest($1::uuid[], $2::text[]) AS x (id, reference)
            WHERE payments.order_id = x.id AND payments.state = 'capturing'
            RETURNING payments.order_id)
         UPDATE orders SET state = 'paid', decided_at = now(), redis_synced_epoch = NULL,
            look_at = coalesce(look_at, now() + interval '5 seconds')
         FROM paid WHERE orders.id = paid.order_id AND orders.state = 'pending'
         RETURNING id, event_id, fan_id, number, amount, currency",
    )
    .bind(ids)
    .bind(references)
    .fetch_all(tx)
    .await?;
    let paid = |(id, event, fan, number, amount, currency): (_, _, Vec<u8>, _, _, _)| {
        Ok(Paid {
            order: OrderId::from_uuid(id),
            event: EventId::from_uuid(event),
            fan: columns::fan(&fan)?,
            number,
            money: Money { amount, currency },
        })
    };
    rows.into_iter().map(paid).collect()
}

async fn insert_tickets(
    tx: &mut PgConnection,
    of: &HashMap<OrderId, &Captured>,
) -> Result<(), sqlx::Error> {
    let tickets: Vec<_> = of
        .values()
        .flat_map(|c| (0i32..).zip(&c.tickets).map(|(at, n)| (c.order, at, n)))
        .collect();
    sqlx::query(
        "INSERT INTO tickets (number, order_id, position, event_id, seat_index, tier_index, label)
         SELECT x.number, order_id, position, event_id, seat_index, tier_index, label
         FROM unnest($1::uuid[], $2::int[], $3::text[]) AS x (order_id, position, number)
         JOIN order_items USING (order_id, position)",
    )
    .bind(
        tickets
            .iter()
            .map(|(order, _, _)| order.uuid())
            .collect::<Vec<_>>(),
    )
    .bind(tickets.iter().map(|(_, at, _)| *at).collect::<Vec<_>>())
    .bind(
        tickets
            .iter()
            .map(|(_, _, n)| n.as_str())
            .collect::<Vec<_>>(),
    )
    .execute(tx)
    .await
    .map(drop)
}

fn tell(paid: &Paid, tickets: &[TicketNumber]) -> Vec<DomainEvent> {
    let event = |kind, payload| DomainEvent {
        event: paid.event,
        order: Some(paid.order),
        kind,
        payload,
    };
    let money = serde_json::json!(paid.money);
    let confirmed = serde_json::json!({
        "order_number": paid.number, "fan_id": paid.fan, "total": paid.money,
        "tickets": tickets.len(),
    });
    let mut told = vec![
        event(Kind::PaymentVerified, money),
        event(Kind::BookingConfirmed, confirmed),
    ];
    told.extend(tickets.iter().map(|number| {
        event(
            Kind::TicketCreated,
            serde_json::json!({ "ticket_number": number }),
        )
    }));
    told
}

fn entry(paid: &Paid) -> Entry {
    Entry {
        actor: audit::SYSTEM.into(),
        action: "payment_captured",
        subject: paid.number.clone(),
        details: serde_json::json!(paid.money),
    }
}

/// Some were not ours to decide: a lost reply, or another node was faster.
async fn already_paid(
    tx: &mut PgConnection,
    captured: &[&Captured],
) -> Result<HashSet<OrderId>, sqlx::Error> {
    let ids: Vec<Uuid> = captured.iter().map(|c| c.order.uuid()).collect();
    let paid: Vec<Uuid> =
        sqlx::query_scalar("SELECT id FROM orders WHERE id = ANY($1) AND state = 'paid'")
            .bind(ids)
            .fetch_all(tx)
            .await?;
    Ok(paid.into_iter().map(OrderId::from_uuid).collect())
}
