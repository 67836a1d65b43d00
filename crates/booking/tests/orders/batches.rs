//! Group commit: one bad order in a batch never harms the others.

use usher_base::{Clock, Epoch, ReservationId, SystemClock, Timestamp};
use usher_booking::orders::{NewOrder, OrderState, Refusal, order_id};
use usher_booking::payments::Money;
use usher_booking::pg::{MAX_BATCH_JOBS, Recorded, epoch, inventory_state, record};
use uuid::Uuid;

use crate::shop::{Shop, TIER_CAPACITY, eventually, fan, price, select};

pub fn order(shop: &Shop, n: u8, seats: &[u32], standing: u32) -> NewOrder {
    let priced = price(&select(seats, standing)).unwrap();
    NewOrder {
        id: order_id(shop.event, fan(n), "key"),
        request_hash: [n; 32],
        event: shop.event,
        fan: fan(n),
        reservation: ReservationId::from_uuid(Uuid::new_v4()),
        money: Money {
            amount: 1,
            currency: priced.currency,
        },
        items: priced.items,
        provider: "test",
        method: "pm_test_success".into(),
        billing: serde_json::json!({}),
        limits: priced.limits,
        epoch: Epoch(1),
        pay_by: SystemClock.now().plus(std::time::Duration::from_secs(60)),
    }
}

pub fn full_batch(shop: &Shop) -> Vec<NewOrder> {
    let last = u8::try_from(MAX_BATCH_JOBS).unwrap();
    let one = |n| order(shop, n, &[u32::from(n)], 0);
    (0..last).map(one).collect()
}

#[tokio::test]
async fn the_single_order_at_fault_is_refused() {
    let shop = Shop::open().await;
    let mut batch = full_batch(&shop);
    batch[150] = order(&shop, 150, &[20], 0);
    batch[30].money.currency = "no currency".into();
    let answers = record(&shop.pool, &batch).await;
    for (n, answer) in answers.iter().enumerate() {
        let expected = match n {
            150 => Recorded::Refused(Refusal::SeatTaken),
            30 => Recorded::Refused(Refusal::Invalid),
            _ => Recorded::New,
        };
        assert_eq!(*answer, expected, "order {n}");
    }
    let live = "SELECT count(*) FROM order_items WHERE live";
    assert_eq!(shop.count(live).await, 198);
}

#[tokio::test]
async fn batches_on_several_nodes_sell_each_seat_once() {
    let shop = Shop::open().await;
    let seats = 40;
    let batches: Vec<Vec<NewOrder>> = (0..5u8)
        .map(|node| {
            let fans = (0..seats).map(move |n| (node * seats + n, n));
            // Each node comes from another side, to provoke lock orders.
            let mut batch: Vec<_> = fans
                .map(|(who, n)| order(&shop, who, &[u32::from(n), u32::from(n) + 40], 0))
                .collect();
            let by = usize::from(node) * 7;
            batch.rotate_left(by);
            batch
        })
        .collect();
    let answers = batches.iter().map(|batch| record(&shop.pool, batch));
    let answers = futures::future::join_all(answers).await.concat();
    let new = answers.iter().filter(|a| **a == Recorded::New).count();
    let taken = Recorded::Refused(Refusal::SeatTaken);
    let refused = answers.iter().filter(|a| **a == taken).count();
    assert_eq!((new, refused), (40, 160));
    let sold = "SELECT count(DISTINCT seat_index) FROM order_items WHERE live";
    assert_eq!(shop.count(sold).await, 80);
}

#[tokio::test]
async fn a_standing_tier_never_exceeds_its_capacity() {
    let shop = Shop::open().await;
    let nodes = [0, 100].map(|from| {
        let batch: Vec<_> = (from..from + 30).map(|n| order(&shop, n, &[], 2)).collect();
        batch
    });
    let answers = nodes.iter().map(|batch| record(&shop.pool, batch));
    let answers = futures::future::join_all(answers).await.concat();
    let sold = answers.iter().filter(|a| **a == Recorded::New).count();
    assert_eq!(sold, TIER_CAPACITY as usize / 2);
    let others = answers.iter().filter(|a| **a != Recorded::New);
    assert!(
        others
            .into_iter()
            .all(|a| *a == Recorded::Refused(Refusal::TierFull))
    );
    assert_eq!(shop.count("SELECT sum(sold) FROM tier_sold").await, 50);
}

#[tokio::test]
async fn a_fan_cannot_buy_beyond_the_limit_even_on_two_nodes() {
    let shop = Shop::open().await;
    let nodes: Vec<Vec<NewOrder>> = (0..4u8)
        .map(|n| {
            let seats: Vec<u32> = (0..3).map(|s| u32::from(n) * 3 + s).collect();
            let mut one = order(&shop, 1, &seats, 0);
            one.id = order_id(shop.event, fan(1), &format!("key {n}"));
            vec![one]
        })
        .collect();
    let answers = nodes.iter().map(|batch| record(&shop.pool, batch));
    let answers = futures::future::join_all(answers).await.concat();
    let sold = answers.iter().filter(|a| **a == Recorded::New).count();
    assert_eq!(sold, 2, "three tickets each, eight allowed: {answers:?}");
    assert_eq!(shop.count("SELECT bought::bigint FROM fan_bought").await, 6);
}

#[tokio::test]
async fn what_was_answered_once_is_answered_again() {
    let shop = Shop::open().await;
    let mut batch: Vec<_> = (0..4)
        .map(|n| order(&shop, n, &[u32::from(n)], 0))
        .collect();
    batch[1] = order(&shop, 1, &[0], 0);
    batch[2].epoch = Epoch(7);
    batch[3].pay_by = Timestamp::from_millis(1);
    let first = record(&shop.pool, &batch).await;
    let refused = [Refusal::SeatTaken, Refusal::OtherEpoch, Refusal::TooLate];
    assert_eq!(first[0], Recorded::New);
    assert_eq!(first[1..], refused.map(Recorded::Refused));

    batch[0].request_hash = [99; 32];
    let again = record(&shop.pool, &batch).await;
    let known = |state, same_request| Recorded::Known {
        state,
        same_request,
    };
    assert_eq!(again[0], known(OrderState::Pending, false));
    assert!(
        again[1..]
            .iter()
            .all(|a| *a == known(OrderState::Failed, true))
    );
    // A hold has one live order at most.
    let mut rival = order(&shop, 9, &[9], 0);
    rival.reservation = batch[0].reservation;
    let answer = record(&shop.pool, &[rival]).await;
    assert_eq!(answer, [Recorded::Refused(Refusal::HoldBusy)]);
}

/// A rebuild reads what Postgres has after the epoch was raised. So an order
/// that is being written under the old epoch must be in before, or not at all.
#[tokio::test]
async fn the_epoch_is_not_raised_past_an_order_that_is_being_written() {
    let shop = Shop::open().await;
    assert_eq!(
        record(&shop.pool, &[order(&shop, 1, &[1], 0)]).await,
        [Recorded::New]
    );
    let mut blocker = shop.pool.begin().await.unwrap();
    sqlx::raw_sql("SELECT * FROM fan_bought FOR UPDATE")
        .execute(&mut *blocker)
        .await
        .unwrap();
    let mut second = order(&shop, 1, &[2], 0);
    second.id = order_id(shop.event, fan(1), "key 2");
    let pool = shop.pool.clone();
    let writing = tokio::spawn(async move { record(&pool, &[second]).await });
    let blocked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    eventually("the order waits for the fan's row", async || {
        shop.count(blocked).await == 1
    })
    .await;

    let pool = shop.pool.clone();
    let raising = tokio::spawn(async move { epoch::raise(&pool, Epoch(1), "test").await });
    eventually("the raise waits for the order", async || {
        shop.count(blocked).await == 2 || raising.is_finished()
    })
    .await;
    assert!(!raising.is_finished(), "raised past an order being written");
    blocker.rollback().await.unwrap();
    assert_eq!(writing.await.unwrap(), [Recorded::New]);
    assert_eq!(raising.await.unwrap().unwrap(), Some(Epoch(2)));
    let live = inventory_state(&shop.pool, shop.event).await.unwrap();
    assert_eq!(live.len(), 2);
}
