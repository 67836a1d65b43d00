//! The book of the built-in `test` provider: durable, so that after a crash
//! its answers are the truth. It plays somebody outside, so nothing else may
//! read it. What is asked of it goes in batches, so that the book, which a real
//! provider keeps elsewhere, takes little of the shop's own Postgres.

use std::collections::HashMap;
use std::time::Duration;

use sqlx::PgPool;
use usher_base::OrderId;
use uuid::Uuid;

use super::GroupCommit;
use crate::payments::Charge;

/// What the book says: a word of the table's CHECK, or nothing of this order.
type Said = Option<String>;
/// Why the book could not be asked.
type Failure = String;

pub struct Ledger {
    pool: PgPool,
    open: GroupCommit<Opening, Result<Said, Failure>>,
    advance: GroupCommit<Advance, Result<Said, Failure>>,
}

/// A payment that begins.
pub struct Opening {
    pub charge: Charge,
    /// The state it begins in.
    pub state: &'static str,
    /// When a payment that is `processing` becomes authorised.
    pub ripe_after: Option<Duration>,
}

/// A payment that goes on to the state `to`, from the states that lead there.
struct Advance {
    order: OrderId,
    to: &'static str,
}

impl Ledger {
    pub fn new(pool: PgPool) -> Self {
        let (openings, advances) = (pool.clone(), pool.clone());
        Self {
            pool,
            open: GroupCommit::start("test_open", move |batch: Vec<Opening>| {
                let pool = openings.clone();
                async move {
                    let opened = insert(&pool, &batch).await;
                    let orders = batch.iter().map(|opening| opening.charge.order);
                    answers(&pool, opened, orders.collect()).await
                }
            }),
            advance: GroupCommit::start("test_advance", move |batch: Vec<Advance>| {
                let pool = advances.clone();
                async move {
                    let moved = update(&pool, &batch).await;
                    let orders = batch.iter().map(|advance| advance.order);
                    answers(&pool, moved, orders.collect()).await
                }
            }),
        }
    }

    /// Opens the payment, unless it was opened before; returns what the book says.
    pub async fn open(&self, opening: Opening) -> Result<Said, Failure> {
        let said = self.open.submit(opening).await;
        said.map_err(|error| error.to_string())?
    }

    /// Moves the payment on, if it is where that is possible; returns what the
    /// book says afterwards.
    pub async fn advance(&self, order: OrderId, to: &'static str) -> Result<Said, Failure> {
        let said = self.advance.submit(Advance { order, to }).await;
        said.map_err(|error| error.to_string())?
    }

    pub async fn look_up(&self, order: OrderId) -> Result<Said, Failure> {
        let said = look_up(&self.pool, &[order]).await;
        said.map(|mut said| said.remove(&order))
            .map_err(|error| error.to_string())
    }
}

type Book = HashMap<OrderId, String>;

/// Each order's state: as written just now, or else as it stands.
async fn answers(
    pool: &PgPool,
    written: Result<Book, sqlx::Error>,
    orders: Vec<OrderId>,
) -> Vec<Result<Said, Failure>> {
    let complete = async {
        let mut book = written?;
        let others: Vec<OrderId> = orders
            .iter()
            .filter(|order| !book.contains_key(order))
            .copied()
            .collect();
        if !others.is_empty() {
            book.extend(look_up(pool, &others).await?);
        }
        Ok::<Book, sqlx::Error>(book)
    };
    match complete.await {
        Ok(book) => orders.iter().map(|o| Ok(book.get(o).cloned())).collect(),
        Err(error) => vec![Err(error.to_string()); orders.len()],
    }
}

async fn insert(pool: &PgPool, batch: &[Opening]) -> Result<Book, sqlx::Error> {
    let charges = || batch.iter().map(|opening| &opening.charge);
    let opened = sqlx::query_as(
        "INSERT INTO test_payments (order_id, method, amount, currency, state, ripe_at)
         SELECT id, method, amount, currency, state, now() + make_interval(secs => ripe_after)
         FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::float8[])
            AS x (id, method, amount, currency, state, ripe_after) ORDER BY id
         ON CONFLICT (order_id) DO NOTHING RETURNING order_id, state",
    )
    .bind(charges().map(|c| c.order.uuid()).collect::<Vec<_>>())
    .bind(charges().map(|c| c.method.as_str()).collect::<Vec<_>>())
    .bind(charges().map(|c| c.money.amount).collect::<Vec<_>>())
    .bind(
        charges()
            .map(|c| c.money.currency.as_str())
            .collect::<Vec<_>>(),
    )
    .bind(batch.iter().map(|o| o.state).collect::<Vec<_>>())
    .bind(
        batch
            .iter()
            .map(|o| o.ripe_after.map(|span| span.as_secs_f64()))
            .collect::<Vec<_>>(),
    )
    .fetch_all(pool)
    .await?;
    Ok(book(opened))
}

async fn update(pool: &PgPool, batch: &[Advance]) -> Result<Book, sqlx::Error> {
    let moved = sqlx::query_as(
        "WITH p AS (SELECT order_id, state, ripe_at FROM test_payments
            WHERE order_id = ANY($1) ORDER BY order_id FOR UPDATE)
         UPDATE test_payments AS t SET state = x.wanted
         FROM p, unnest($1::uuid[], $2::text[]) AS x (id, wanted),
            (VALUES ('requires_action', 'authorised'), ('authorised', 'captured'),
                ('processing', 'voided'), ('requires_action', 'voided'),
                ('authorised', 'voided'), ('declined', 'voided'), ('captured', 'refunded')
            ) AS way (origin, target)
         WHERE t.order_id = p.order_id AND p.order_id = x.id AND way.target = x.wanted AND way.origin =
            CASE WHEN p.state = 'processing' AND p.ripe_at <= now() THEN 'authorised'
                ELSE p.state END
         RETURNING t.order_id, t.state",
    )
    .bind(batch.iter().map(|a| a.order.uuid()).collect::<Vec<_>>())
    .bind(batch.iter().map(|a| a.to).collect::<Vec<_>>())
    .fetch_all(pool)
    .await?;
    Ok(book(moved))
}

async fn look_up(pool: &PgPool, orders: &[OrderId]) -> Result<Book, sqlx::Error> {
    let found = sqlx::query_as(
        "SELECT order_id, CASE WHEN state = 'processing' AND ripe_at <= now() THEN 'authorised'
            ELSE state END FROM test_payments WHERE order_id = ANY($1)",
    )
    .bind(orders.iter().map(|order| order.uuid()).collect::<Vec<_>>())
    .fetch_all(pool)
    .await?;
    Ok(book(found))
}

fn book(rows: Vec<(Uuid, String)>) -> Book {
    rows.into_iter()
        .map(|(order, state)| (OrderId::from_uuid(order), state))
        .collect()
}
