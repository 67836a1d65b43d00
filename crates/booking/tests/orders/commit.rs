//! The way from a hold to a paid order, and requests that come twice.

use usher_booking::inventory::SeatStatus;
use usher_booking::orders::{CommitError, CommitOutcome, OrderState, Refusal};
use usher_booking::{Relay, pg};

use crate::shop::{Shop, confirmed, eventually, fan};

#[tokio::test]
async fn a_hold_becomes_a_paid_order() {
    let shop = Shop::open().await;
    let hold = shop.hold(fan(1), &[3, 4], 1).await;
    let request = shop.request(fan(1), hold, "key", "pm_test_success");
    let receipt = confirmed(shop.commit(&request).await.unwrap());

    assert_eq!(receipt.tickets.len(), 3);
    assert_eq!(
        (receipt.total.amount, receipt.state),
        (15_000, OrderState::Paid)
    );
    assert_eq!(shop.seat(3).await, SeatStatus::Booked);
    assert_eq!(shop.holds.places_left(shop.event, 1).await.unwrap(), [49]);

    let order = shop.order(receipt.order_id).await;
    assert_eq!(order.number, receipt.order_number);
    let read_back = shop.orders.receipt(&order).await.unwrap();
    assert_eq!(read_back.tickets, receipt.tickets);
    eventually("redis is known to be told", async || {
        shop.order(order.id).await.synced
    })
    .await;
    let due = "SELECT count(*) FROM orders WHERE look_at IS NOT NULL";
    assert_eq!(shop.count(due).await, 0);
    shop.check_books().await;
}

#[tokio::test]
async fn what_happened_is_stored_audited_and_published_once() {
    let shop = Shop::open().await;
    let (_, outcome) = shop.buy(fan(1), &[3, 4], "pm_test_success").await;
    let receipt = confirmed(outcome);
    let kinds: Vec<String> = pg::store::page(&shop.pool, shop.event, 0, 100)
        .await
        .unwrap()
        .into_iter()
        .map(|event| event.kind)
        .collect();
    let expected = [
        "PaymentStarted",
        "PaymentVerified",
        "BookingConfirmed",
        "TicketCreated",
        "TicketCreated",
    ];
    assert_eq!(kinds, expected);
    let log = pg::audit::page(&shop.pool, Some(receipt.order_number.as_str()), None, 10);
    assert_eq!(log.await.unwrap()[0].action, "payment_captured");

    let relay = Relay {
        pool: shop.pool.clone(),
        redis: shop.redis.clone(),
    };
    for _ in 0..3 {
        assert!(!relay.run_once().await.unwrap());
    }
    let mut length = redis::cmd("XLEN");
    length.arg(format!("{{{}}}:told", shop.event));
    assert_eq!(
        shop.redis.command::<usize>(length).await.unwrap(),
        expected.len()
    );
}

#[tokio::test]
async fn the_store_and_the_audit_log_cannot_be_rewritten() {
    let shop = Shop::open().await;
    shop.buy(fan(1), &[3], "pm_test_success").await;
    for statement in [
        "UPDATE audit_log SET actor = 'nobody'",
        "DELETE FROM domain_events",
        "TRUNCATE audit_log",
    ] {
        let refused = sqlx::raw_sql(statement).execute(&shop.pool).await;
        assert!(refused.unwrap_err().to_string().contains("append-only"));
    }
}

#[tokio::test]
async fn duplicates_at_the_same_moment_are_one_order() {
    let shop = Shop::open().await;
    let hold = shop.hold(fan(1), &[7], 0).await;
    let request = shop.request(fan(1), hold, "key", "pm_test_success");
    let answers = futures::future::join_all((0..30).map(|_| shop.commit(&request))).await;

    let mut confirmations = 0;
    for answer in answers {
        match answer.unwrap() {
            CommitOutcome::Confirmed(receipt) => {
                assert_eq!(receipt.order_id, request.order());
                confirmations += 1;
            }
            CommitOutcome::InProgress { order } => assert_eq!(order, request.order()),
            other => panic!("{other:?}"),
        }
    }
    assert!(confirmations >= 1);
    assert_eq!(shop.count("SELECT count(*) FROM orders").await, 1);
    let later = confirmed(shop.commit(&request).await.unwrap());
    assert_eq!(later, confirmed(shop.commit(&request).await.unwrap()));
    shop.check_books().await;
}

#[tokio::test]
async fn a_key_stands_for_one_request_only() {
    let shop = Shop::open().await;
    let (request, outcome) = shop.buy(fan(1), &[7], "pm_test_success").await;
    confirmed(outcome);
    let mut other = request.clone();
    other.billing = serde_json::json!({ "name": "Somebody else" });
    let refused = shop.commit(&other).await;
    assert!(
        matches!(refused, Err(CommitError::KeyReused)),
        "{refused:?}"
    );

    // Another hold under the same key is not kept pinned.
    let hold = shop.hold(fan(1), &[8], 0).await;
    let other = shop.request(fan(1), hold, "key", "pm_test_success");
    let refused = shop.commit(&other).await;
    assert!(
        matches!(refused, Err(CommitError::KeyReused)),
        "{refused:?}"
    );
    let own_key = shop.request(fan(1), hold, "key 2", "pm_test_success");
    confirmed(shop.commit(&own_key).await.unwrap());
    shop.check_books().await;
}

#[tokio::test]
async fn after_a_decline_the_same_hold_can_be_paid_by_a_new_order() {
    let shop = Shop::open().await;
    let (request, outcome) = shop.buy(fan(1), &[7], "pm_test_declined").await;
    let declined = CommitOutcome::PaymentFailed {
        order: request.order(),
        reason: "card_declined".into(),
    };
    assert_eq!(outcome, declined);
    assert_eq!(shop.commit(&request).await.unwrap(), declined);
    assert_eq!(shop.seat(7).await, SeatStatus::Held);

    let again = shop.request(fan(1), request.reservation, "key 2", "pm_test_success");
    let receipt = confirmed(shop.commit(&again).await.unwrap());
    assert_ne!(receipt.order_id, request.order());
    assert_eq!(shop.commit(&request).await.unwrap(), declined);
    assert_eq!(shop.seat(7).await, SeatStatus::Booked);
    shop.check_books().await;
}

#[tokio::test]
async fn a_stranger_cannot_pay_for_a_hold() {
    let shop = Shop::open().await;
    let hold = shop.hold(fan(1), &[7], 0).await;
    let request = shop.request(fan(2), hold, "key", "pm_test_success");
    assert!(matches!(
        shop.commit(&request).await,
        Err(CommitError::Hold(_))
    ));
    assert_eq!(shop.count("SELECT count(*) FROM orders").await, 0);
}

#[tokio::test]
async fn what_a_stale_memory_pinned_is_refused() {
    let shop = Shop::open().await;
    let hold = shop.hold(fan(1), &[7], 0).await;
    let raised = pg::epoch::raise(&shop.pool, usher_base::Epoch(1), "test").await;
    assert_eq!(raised.unwrap(), Some(usher_base::Epoch(2)));
    let again = pg::epoch::raise(&shop.pool, usher_base::Epoch(1), "test").await;
    assert_eq!(again.unwrap(), None);

    let request = shop.request(fan(1), hold, "key", "pm_test_success");
    let refused = CommitOutcome::Refused {
        order: request.order(),
        refusal: Refusal::OtherEpoch,
    };
    assert_eq!(shop.commit(&request).await.unwrap(), refused);
    assert_eq!(shop.commit(&request).await.unwrap(), refused);
    assert_eq!(shop.count("SELECT count(*) FROM payments").await, 0);
}
