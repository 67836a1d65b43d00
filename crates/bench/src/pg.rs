//! SQL of the benchmarks: bare rows for the ceiling, the plain design's orders,
//! and the count that every told order is compared with.

use sqlx::PgPool;
use usher_base::EventId;
use uuid::Uuid;

pub async fn create_bare_rows(pool: &PgPool) -> sqlx::Result<()> {
    sqlx::query(
        "CREATE TABLE IF NOT EXISTS bench_rows
         (id uuid PRIMARY KEY, event_id uuid NOT NULL, made_at timestamptz NOT NULL)",
    )
    .execute(pool)
    .await
    .map(drop)
}

pub async fn insert_bare_rows(pool: &PgPool, ids: &[Uuid]) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO bench_rows SELECT id, id, now() FROM UNNEST($1) AS made (id)")
        .bind(ids)
        .execute(pool)
        .await
        .map(drop)
}

/// Orders that Postgres has as paid.
pub async fn paid_orders(pool: &PgPool, event: EventId) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT count(*) FROM orders WHERE event_id = $1 AND state = 'paid'")
        .bind(event.uuid())
        .fetch_one(pool)
        .await
}

/// Seats that Postgres has in more than one live order; must be none.
pub async fn seats_sold_twice(pool: &PgPool, event: EventId) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "SELECT count(*) FROM (SELECT seat_index FROM order_items
         WHERE event_id = $1 AND live AND seat_index IS NOT NULL
         GROUP BY seat_index HAVING count(*) > 1) AS twice",
    )
    .bind(event.uuid())
    .fetch_one(pool)
    .await
}

/// The plain design's table: a row an order, the seat unique.
pub async fn create_plain_orders(pool: &PgPool) -> sqlx::Result<()> {
    sqlx::query(
        "CREATE TABLE IF NOT EXISTS plain_orders
         (id uuid PRIMARY KEY, fan text NOT NULL, seat text NOT NULL UNIQUE,
          status text NOT NULL, made_at timestamptz NOT NULL DEFAULT now())",
    )
    .execute(pool)
    .await
    .map(drop)
}

/// One transaction an order, as tutorials have it. False when the seat is gone.
pub async fn insert_plain_order(pool: &PgPool, fan: &str, seat: &str) -> sqlx::Result<bool> {
    let mut tx = pool.begin().await?;
    let id = Uuid::new_v4();
    let made = sqlx::query(
        "INSERT INTO plain_orders (id, fan, seat, status) VALUES ($1, $2, $3, 'pending')
         ON CONFLICT (seat) DO NOTHING",
    )
    .bind(id)
    .bind(fan)
    .bind(seat)
    .execute(&mut *tx)
    .await?;
    sqlx::query("UPDATE plain_orders SET status = 'paid' WHERE id = $1")
        .bind(id)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(made.rows_affected() == 1)
}
