//! Banks that say no, late, or nothing: money and seats always agree.

use std::time::Duration;

use usher_booking::inventory::{SeatStatus, Selection};
use usher_booking::orders::{CommitOutcome, OrderState};
use usher_booking::payments::{Notice, PaymentState};
use usher_booking::pg;
use usher_booking::pg::notices::Taken;

use crate::shop::{Shop, confirmed, eventually, fan, price};

fn in_progress(outcome: &CommitOutcome) {
    assert!(
        matches!(outcome, CommitOutcome::InProgress { .. }),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_lost_reply_is_no_failure() {
    let shop = Shop::open().await;
    let (request, outcome) = shop.buy(fan(1), &[7], "pm_test_lost_reply").await;
    in_progress(&outcome);
    // One look per lost reply: authorised, then captured.
    for _ in 0..2 {
        shop.reconcile().await;
    }
    let receipt = confirmed(shop.commit(&request).await.unwrap());
    assert_eq!(receipt.tickets.len(), 1);
    assert_eq!(shop.seat(7).await, SeatStatus::Booked);
    shop.check_books().await;
}

#[tokio::test]
async fn a_bank_that_never_answers_is_asked_later() {
    let shop = Shop::open().await;
    let (request, outcome) = shop.buy(fan(1), &[7], "pm_test_timeout").await;
    in_progress(&outcome);
    assert_eq!(shop.seat(7).await, SeatStatus::Held);
    eventually("the reconciler finds it paid", async || {
        shop.reconcile().await;
        shop.order(request.order()).await.state == OrderState::Paid
    })
    .await;
    confirmed(shop.orders.follow(request.order()).await.unwrap());
    assert_eq!(shop.seat(7).await, SeatStatus::Booked);
    shop.check_books().await;
}

#[tokio::test]
async fn the_page_follows_a_payment_that_the_fan_confirms() {
    let shop = Shop::open().await;
    let (request, outcome) = shop.buy(fan(1), &[7], "pm_test_action").await;
    let CommitOutcome::NeedsFan { client_secret, .. } = &outcome else {
        panic!("{outcome:?}");
    };
    assert!(!client_secret.is_empty());
    assert_eq!(shop.orders.follow(request.order()).await.unwrap(), outcome);
    assert!(shop.provider.confirm(request.order()).await.unwrap());
    confirmed(shop.orders.follow(request.order()).await.unwrap());
    assert_eq!(shop.seat(7).await, SeatStatus::Booked);
    shop.check_books().await;
}

#[tokio::test]
async fn a_payment_nobody_confirms_is_voided_before_its_seat_is_free() {
    let shop = Shop::open().await;
    let (request, _) = shop.buy(fan(1), &[7], "pm_test_action").await;
    shop.clock.advance(Duration::from_secs(16 * 60));
    shop.reconcile().await;
    let order = shop.order(request.order()).await;
    assert_eq!(order.state, OrderState::Failed);
    assert_eq!(order.payment.unwrap().state, PaymentState::Voided);
    let voided = "SELECT count(*) FROM test_payments WHERE state = 'voided'";
    assert_eq!(shop.count(voided).await, 1);
    assert!(!shop.provider.confirm(request.order()).await.unwrap());
    shop.check_books().await;
}

#[tokio::test]
async fn money_that_comes_after_the_seat_is_gone_goes_back() {
    let shop = Shop::open().await;
    let (request, _) = shop.buy(fan(1), &[7], "pm_test_action").await;
    shop.clock.advance(Duration::from_secs(16 * 60));
    shop.reconcile().await;
    // Somebody captures by hand at the provider.
    shop.sql("UPDATE test_payments SET state = 'captured'")
        .await;
    let notice = Notice {
        id: "evt_1".into(),
        kind: "payment_intent.succeeded".into(),
        reference: None,
        order: Some(request.order()),
    };
    let take = || pg::notices::take(&shop.pool, "test", &notice);
    assert_eq!(take().await.unwrap(), Taken::Noted);
    assert_eq!(take().await.unwrap(), Taken::Again);
    shop.reconcile().await;
    let order = shop.order(request.order()).await;
    assert_eq!(order.state, OrderState::Failed);
    assert_eq!(order.payment.unwrap().state, PaymentState::Refunded);
    let log = pg::audit::page(&shop.pool, Some(order.number.as_str()), None, 10);
    assert_eq!(log.await.unwrap()[0].action, "payment_refunded");
    shop.check_books().await;
}

#[tokio::test]
async fn a_cancelled_order_gives_seats_and_money_back() {
    let shop = Shop::open().await;
    let (_, outcome) = shop.buy(fan(1), &[7, 8], "pm_test_success").await;
    let receipt = confirmed(outcome);
    for _ in 0..2 {
        let cancelled = shop
            .orders
            .cancel(&receipt.order_number, "operator ada")
            .await;
        let cancelled = cancelled.unwrap();
        assert_eq!(cancelled.state, OrderState::Refunded);
        assert!(cancelled.tickets.iter().all(|t| t.status == "cancelled"));
    }
    let (_, outcome) = shop.buy(fan(2), &[7, 8], "pm_test_success").await;
    confirmed(outcome);
    shop.check_books().await;
}

#[tokio::test]
async fn a_refund_whose_reply_is_lost_is_finished_later() {
    let shop = Shop::open().await;
    let (request, _) = shop.buy(fan(1), &[7], "pm_test_lost_reply").await;
    for _ in 0..2 {
        shop.reconcile().await;
    }
    let number = shop.order(request.order()).await.number;
    let cancelled = shop.orders.cancel(&number, "operator ada").await.unwrap();
    assert_eq!(cancelled.state, OrderState::Cancelled);
    shop.reconcile().await;
    assert_eq!(
        shop.order(request.order()).await.state,
        OrderState::Refunded
    );
    shop.reconcile().await;
    let due = "SELECT count(*) FROM orders WHERE look_at IS NOT NULL";
    assert_eq!(shop.count(due).await, 0);
    shop.check_books().await;
}

#[tokio::test]
async fn what_costs_nothing_is_confirmed_without_a_bank() {
    let shop = Shop::open().await;
    let hold = shop.hold(fan(1), &[7], 0).await;
    let request = shop.request(fan(1), hold, "key", "none");
    let free = |selection: &Selection| {
        let mut priced = price(selection)?;
        priced.items.iter_mut().for_each(|item| item.price = 0);
        Some(priced)
    };
    let outcome = shop.orders.commit(request.clone(), free).await;
    let receipt = confirmed(outcome.unwrap());
    assert_eq!(receipt.total.amount, 0);
    assert_eq!(shop.count("SELECT count(*) FROM test_payments").await, 0);
    let cancelled = shop.orders.cancel(&receipt.order_number, "ada").await;
    assert_eq!(cancelled.unwrap().state, OrderState::Refunded);
}
