//! Redis or Postgres die between two steps.

use std::time::Duration;

use sqlx::AssertSqlSafe;
use usher_base::Clock;
use usher_booking::inventory::SeatStatus;
use usher_booking::orders::{CommitOutcome, OrderState};

use crate::shop::{Shop, confirmed, eventually, fan, price};

#[tokio::test]
async fn redis_dies_after_the_money_was_asked_for() {
    let shop = Shop::open().await;
    let (sold, _) = shop.buy(fan(1), &[1], "pm_test_success").await;
    let (request, _) = shop.buy(fan(2), &[7], "pm_test_lost_reply").await;
    shop.sandbox.redis.kill_9().await.unwrap();
    // The bank's answer comes while Redis is dead: durable all the same.
    for _ in 0..2 {
        shop.reconcile_without_redis().await;
    }
    assert_eq!(shop.order(request.order()).await.state, OrderState::Paid);
    assert!(!shop.order(request.order()).await.synced);

    shop.sandbox.redis.restart().await.unwrap();
    shop.recover().await;
    assert_eq!(shop.seat(1).await, SeatStatus::Booked);
    assert_eq!(shop.seat(7).await, SeatStatus::Booked);
    shop.reconcile().await;
    eventually("redis is known to be told", async || {
        shop.order(request.order()).await.synced
    })
    .await;
    confirmed(shop.commit(&sold).await.unwrap());
    shop.check_books().await;
}

#[tokio::test]
async fn a_pending_order_is_still_committing_in_a_rebuilt_redis() {
    let shop = Shop::open().await;
    let (request, _) = shop.buy(fan(2), &[7], "pm_test_lost_reply").await;
    shop.sandbox.redis.kill_9().await.unwrap();
    shop.sandbox.redis.restart().await.unwrap();
    shop.recover().await;
    assert_eq!(shop.seat(7).await, SeatStatus::Held);
    for _ in 0..2 {
        shop.reconcile().await;
    }
    assert_eq!(shop.seat(7).await, SeatStatus::Booked);
    confirmed(shop.commit(&request).await.unwrap());
    shop.check_books().await;
}

#[tokio::test]
async fn a_hold_pinned_by_a_dead_node_goes_back_to_its_fan() {
    let shop = Shop::open().await;
    let hold = shop.hold(fan(1), &[7], 0).await;
    let request = shop.request(fan(1), hold, "key", "pm_test_success");
    let pinned = shop.holds.commit(shop.event, hold, fan(1), request.order());
    pinned.await.unwrap();
    shop.clock.advance(Duration::from_secs(11));
    shop.reconcile().await;

    // The same request, arriving late, cannot slip in any more.
    let late = CommitOutcome::PaymentFailed {
        order: request.order(),
        reason: "abandoned".into(),
    };
    assert_eq!(shop.commit(&request).await.unwrap(), late);
    let again = shop.request(fan(1), hold, "key 2", "pm_test_success");
    confirmed(shop.commit(&again).await.unwrap());
    shop.check_books().await;
}

#[tokio::test]
async fn orders_wait_while_postgres_hangs() {
    let shop = Shop::open().await;
    let hold = shop.hold(fan(1), &[7], 0).await;
    let request = shop.request(fan(1), hold, "key", "pm_test_success");
    shop.sandbox.postgres.pause().unwrap();
    let orders = shop.orders.clone();
    let waiting = tokio::spawn(async move { orders.commit(request, price).await });
    eventually("the hold is pinned", async || {
        let soon = shop.clock.now().plus(Duration::from_secs(60));
        let pins = shop.holds.committing(shop.event, soon, 10).await;
        pins.unwrap().len() == 1
    })
    .await;
    assert!(!waiting.is_finished());
    shop.sandbox.postgres.resume().unwrap();
    confirmed(waiting.await.unwrap().unwrap());
    shop.check_books().await;
}

#[tokio::test]
async fn orders_are_finished_after_postgres_was_killed() {
    let shop = Shop::open().await;
    let mut requests = Vec::new();
    for n in 0..20u8 {
        let hold = shop.hold(fan(n), &[u32::from(n)], 0).await;
        requests.push(shop.request(fan(n), hold, "key", "pm_test_success"));
    }
    let commits = requests
        .iter()
        .map(|request| shop.orders.commit(request.clone(), price));
    let crash = async {
        shop.sandbox.postgres.kill_9().await.unwrap();
        shop.sandbox.postgres.restart().await.unwrap();
    };
    let (answers, ()) = tokio::join!(futures::future::join_all(commits), crash);
    for (request, answer) in requests.iter().zip(answers) {
        if let Ok(CommitOutcome::Confirmed(receipt)) = answer {
            let told = shop.order(receipt.order_id).await;
            assert_eq!(
                told.state,
                OrderState::Paid,
                "told confirmed: {}",
                request.order()
            );
        }
    }
    shop.clock.advance(Duration::from_secs(11));
    eventually("nothing is unfinished", async || {
        shop.reconcile().await;
        shop.count("SELECT count(*) FROM orders WHERE look_at IS NOT NULL")
            .await
            == 0
    })
    .await;
    shop.check_books().await;
}

/// Buys a seat while the transactions that write `table` are held up at their very
/// end: their statements went well, and they may still come to nothing.
async fn buy_while_commits_wait(table: &str) {
    const TIME_TO_BE_WRONG: Duration = Duration::from_millis(300);
    let shop = Shop::open().await;
    let hold = shop.hold(fan(1), &[7], 0).await;
    let request = shop.request(fan(1), hold, "key", "pm_test_success");
    let wait_to_commit = format!(
        "CREATE FUNCTION wait_to_commit() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN NULL; END';
         CREATE CONSTRAINT TRIGGER wait_to_commit AFTER INSERT ON {table}
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait_to_commit()"
    );
    let wait_to_commit = sqlx::raw_sql(AssertSqlSafe(wait_to_commit));
    wait_to_commit.execute(&shop.pool).await.unwrap();
    let mut barrier = shop.pool.begin().await.unwrap();
    let close = sqlx::raw_sql("SELECT pg_advisory_xact_lock(7)");
    close.execute(&mut *barrier).await.unwrap();

    let orders = shop.orders.clone();
    let mut buying = tokio::spawn(async move { orders.commit(request, price).await });
    eventually("a transaction waits to be committed", async || {
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory'";
        shop.count(waiting).await == 1
    })
    .await;
    let early = tokio::time::timeout(TIME_TO_BE_WRONG, &mut buying).await;
    assert!(
        early.is_err(),
        "told before {table} were durable: {early:?}"
    );
    let captured = shop.count("SELECT count(*) FROM test_payments").await;
    assert_eq!(captured == 0, table == "orders", "money before the order");
    barrier.rollback().await.unwrap();
    confirmed(buying.await.unwrap().unwrap());
    shop.check_books().await;
}

#[tokio::test]
async fn no_money_moves_before_the_order_is_durable() {
    buy_while_commits_wait("orders").await;
}

#[tokio::test]
async fn nobody_hears_confirmed_before_it_is_durable() {
    buy_while_commits_wait("tickets").await;
}
