//! "Why was I behind them?" is answered from the record.

use std::time::Duration;

use usher_base::{Number, Timestamp};
use usher_queue::EndReason;

use crate::house::{House, START, fan};

fn at(second: u64) -> Timestamp {
    START.plus(Duration::from_secs(31 + second))
}

#[tokio::test]
async fn a_fans_way_through_the_line_can_be_told() {
    let house = House::open().await;
    for who in 1..=6 {
        house.join(who).await;
    }
    house.at(at(0)).await;
    house.release(1, &[1], at(0)).await.unwrap();
    house.release(2, &[2, 4], at(1)).await.unwrap(); // 3 was away
    house.release(3, &[5], at(2)).await.unwrap();
    house.release(4, &[3], at(3)).await.unwrap();
    house.line.claim(house.event, fan(3)).await.unwrap();
    house.sweep(at(950)).await;

    let told = house.store.explain(house.event, fan(3), None).await;
    let told = told.unwrap();
    assert_eq!(told.let_in.len(), 1);
    let let_in = &told.let_in[0];
    assert_eq!((let_in.sequence, let_in.number), (4, Number(3)));
    assert_eq!(let_in.let_in_before, 4);
    assert_eq!(let_in.reason["clause"], "test");
    let passed: Vec<_> = told.passed_over.iter().map(|p| p.sequence).collect();
    assert_eq!(passed, [2, 3]);
    assert_eq!(told.ended[0].1.reason, EndReason::Expired);

    let standing = Some((house.lane.clone(), Number(6)));
    let waiting = house.store.explain(house.event, fan(6), standing).await;
    let waiting = waiting.unwrap();
    assert!(waiting.let_in.is_empty() && waiting.passed_over.is_empty());
    house.store.strike_release(house.event, 4).await.unwrap();
    let struck = house.store.explain(house.event, fan(3), None).await;
    assert!(struck.unwrap().let_in.is_empty());
}
