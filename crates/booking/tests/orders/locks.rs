//! Rows that somebody keeps locked: only what needs them waits, and nobody is told that
//! something was not written when it may have been.

use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, PgPool, Postgres, Transaction};
use usher_base::OrderId;
use usher_booking::orders::{NewOrder, order_id};
use usher_booking::pg::decide::{Decided, capture};
use usher_booking::pg::paid::{Captured, MadePaid, pay};
use usher_booking::pg::{Recorded, record};
use usher_booking::tickets::TicketNumber;

use crate::batches::{full_batch, order};
use crate::shop::{Shop, eventually, fan};

/// How long a batch of these tests waits for a lock.
const LOCK_TIMEOUT: Duration = Duration::from_millis(200);
/// Far less than the writer's patience with a Postgres that is away.
const SOON: Duration = Duration::from_secs(10);

/// Connections that wait for locks as a writer's do, only less patiently.
async fn impatient(shop: &Shop, lock_timeout: Duration) -> PgPool {
    let milliseconds = lock_timeout.as_millis().to_string();
    let options = shop.pool.connect_options().as_ref().clone();
    let options = options.options([("lock_timeout", milliseconds)]);
    PgPool::connect_with(options).await.unwrap()
}

async fn keep_fan(shop: &Shop, n: u8) -> Transaction<'static, Postgres> {
    let mut other = shop.pool.begin().await.unwrap();
    let keep = sqlx::query("SELECT 1 FROM fan_bought WHERE fan_id = $1 FOR UPDATE");
    let kept = keep.bind(fan(n).bytes().to_vec());
    kept.fetch_one(&mut *other).await.unwrap();
    other
}

async fn keep_payment(shop: &Shop, order: OrderId) -> Transaction<'static, Postgres> {
    let mut other = shop.pool.begin().await.unwrap();
    let keep = sqlx::query("SELECT 1 FROM payments WHERE order_id = $1 FOR UPDATE");
    let kept = keep.bind(order.uuid());
    kept.fetch_one(&mut *other).await.unwrap();
    other
}

async fn keep_table(shop: &Shop, table: &str) -> Transaction<'static, Postgres> {
    let mut other = shop.pool.begin().await.unwrap();
    let keep = format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
    let keep = sqlx::raw_sql(AssertSqlSafe(keep));
    keep.execute(&mut *other).await.unwrap();
    other
}

/// Twenty orders, each of a fan and a seat of its own.
fn twenty(shop: &Shop) -> Vec<NewOrder> {
    let one = |n: u8| order(shop, n, &[u32::from(n)], 0);
    (0..20).map(one).collect()
}

fn captured(order: OrderId) -> Captured {
    Captured {
        order,
        reference: None,
        tickets: vec![TicketNumber::random(&mut rand::rng())],
    }
}

/// The answer of the seventh, and that of all others.
fn apart<A: Copy + PartialEq + std::fmt::Debug>(answers: &[A]) -> (A, A) {
    let others = (0..answers.len()).filter(|n| *n != 7);
    assert!(
        others.into_iter().all(|n| answers[n] == answers[0]),
        "{answers:?}"
    );
    (answers[7], answers[0])
}

#[tokio::test]
async fn a_row_that_somebody_keeps_locked_sends_only_its_own_order_away() {
    let shop = Shop::open().await;
    let pool = impatient(&shop, LOCK_TIMEOUT).await;
    let first = [order(&shop, 7, &[150], 0)];
    assert_eq!(record(&pool, &first).await, [Recorded::New]);
    let other = keep_fan(&shop, 7).await;
    let mut batch = twenty(&shop);
    // Another request of the same fan.
    batch[7].id = order_id(shop.event, fan(7), "key 2");
    let answers = record(&pool, &batch).await;
    assert_eq!(apart(&answers), (Recorded::Locked, Recorded::New));
    other.rollback().await.unwrap();
    assert_eq!(record(&pool, &batch[7..8]).await, [Recorded::New]);
}

#[tokio::test]
async fn a_lock_that_all_need_holds_their_batch_up_for_a_bounded_time() {
    let shop = Shop::open().await;
    let pool = impatient(&shop, LOCK_TIMEOUT).await;
    let other = keep_table(&shop, "fan_bought").await;
    let began = Instant::now();
    let answers = record(&pool, &full_batch(&shop)).await;
    let took = began.elapsed();
    assert!(answers.iter().all(|answer| *answer == Recorded::Locked));
    // Four waits of 200 ms; 200 of them would be 40 s.
    assert!(took >= LOCK_TIMEOUT && took < SOON, "{took:?}");
    other.rollback().await.unwrap();
    let live = "SELECT count(*) FROM order_items WHERE live";
    assert_eq!(shop.count(live).await, 0);
}

/// The first try may have been written, for all that its node knows: "not written" would
/// have the fan pay twice.
#[tokio::test]
async fn after_a_lost_answer_a_lock_proves_nothing() {
    let shop = Shop::open().await;
    let pool = impatient(&shop, Duration::from_secs(1)).await;
    let first = [order(&shop, 7, &[150], 0)];
    assert_eq!(record(&pool, &first).await, [Recorded::New]);
    let other = keep_fan(&shop, 7).await;
    let mut again = order(&shop, 7, &[7], 0);
    again.id = order_id(shop.event, fan(7), "key 2");
    let writing = tokio::spawn(async move { record(&pool, &[again]).await });
    let lose = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                WHERE wait_event_type = 'Lock'";
    eventually("the connection of the first try is lost", async || {
        shop.count(lose).await == 1
    })
    .await;
    assert_eq!(writing.await.unwrap(), [Recorded::Unknown]);
    other.rollback().await.unwrap();
}

#[tokio::test]
async fn a_payment_that_somebody_keeps_locked_holds_no_other_payment_up() {
    let shop = Shop::open().await;
    let pool = impatient(&shop, LOCK_TIMEOUT).await;
    let batch = twenty(&shop);
    assert!(
        record(&pool, &batch)
            .await
            .iter()
            .all(|a| *a == Recorded::New)
    );
    let ids: Vec<_> = batch.iter().map(|order| order.id).collect();

    let other = keep_payment(&shop, ids[7]).await;
    let decided = capture(&pool, &ids).await;
    assert_eq!(apart(&decided), (Decided::Unknown, Decided::Won));
    other.rollback().await.unwrap();
    assert_eq!(capture(&pool, &ids[7..8]).await, [Decided::Won]);

    let captured: Vec<_> = ids.iter().copied().map(captured).collect();
    let other = keep_payment(&shop, ids[7]).await;
    let began = Instant::now();
    let made = pay(&pool, &captured).await;
    assert_eq!(apart(&made), (MadePaid::Unknown, MadePaid::Now));
    assert!(began.elapsed() < SOON);
    other.rollback().await.unwrap();
    assert_eq!(pay(&pool, &captured[7..8]).await, [MadePaid::Now]);
    let tickets = "SELECT count(*) FROM tickets WHERE state = 'active'";
    assert_eq!(shop.count(tickets).await, 20);
}
