//! Redis dies without warning and keeps nothing: everybody stands where they stood.

use std::time::Duration;

use usher_base::{Epoch, Number, Timestamp};
use usher_queue::{EndReason, JoinError, Place, ReleaseError};

use crate::house::{House, START, fan};

fn at(second: u64) -> Timestamp {
    START.plus(Duration::from_secs(31 + second))
}

const fn waiting(number: u32) -> Place {
    Place::Waiting {
        number: Number(number),
    }
}

#[tokio::test]
async fn places_survive_and_nobody_is_let_in_twice() {
    let house = House::open().await;
    for who in 1..=40 {
        house.join(who).await;
    }
    house.at(at(0)).await;
    house.release(1, &[1, 2, 3, 4], at(0)).await.unwrap();
    let session = house.line.claim(house.event, fan(1)).await.unwrap();
    house.line.claim(house.event, fan(2)).await.unwrap();
    let gone = house
        .line
        .finish(house.event, &house.lane, fan(2), Number(2))
        .await;
    let ended = gone.unwrap().unwrap().ended.unwrap();
    let written = house.store.write_ended(house.event, &[ended], at(1)).await;
    written.unwrap();
    let left = house.line.leave(house.event, &house.lane, fan(10)).await;
    left.unwrap();
    // 3 misses the claim and stands in line again; 4 claims late in the window.
    house.at(at(60)).await;
    house.line.claim(house.event, fan(4)).await.unwrap();
    assert_eq!(house.sweep(at(91)).await.put_back, 1);
    house.checkpoint(at(92)).await;
    // After the checkpoint: two more come, one is released.
    house.join(41).await;
    house.join(42).await;
    house.release(2, &[5], at(92)).await.unwrap();

    house.lose_redis().await;
    assert!(matches!(
        house.try_join(50, None).await,
        Err(JoinError::Call(_))
    ));
    let rebuilt = house.rebuild(Epoch(2), at(100)).await;
    assert_eq!((rebuilt.active, rebuilt.readmitted), (2, 1));

    // The positions are right before anybody has come back.
    let board = house.board().await;
    assert_eq!(board.standing, 0);
    let gone_before_20 = [1, 2, 4, 5, 10].len() as u32;
    assert_eq!(board.board.ahead(Number(20)), 19 - gone_before_20);
    // Fans of the checkpoint and fans after it come back to their own numbers.
    for who in [3, 6, 20, 41, 42] {
        let back = house.come_back(who, who, 1).await;
        assert_eq!((back.place, back.is_new), (waiting(who), false));
    }
    // Who left or was served gets no old place.
    let again = house.come_back(10, 10, 1).await;
    assert!(again.is_new && again.old_place_lost);
    assert!(matches!(again.place, Place::Waiting { number } if number.0 > 1_000_000));
    assert_eq!(house.place(1).await, Place::Active(session.clone()));
    assert_eq!(house.come_back(1, 1, 1).await.place, Place::Active(session));
    let finished = Place::Ended(EndReason::Finished);
    assert_eq!(house.come_back(2, 2, 1).await.place, finished);
    assert!(matches!(house.place(4).await, Place::Active(_)));
    assert!(matches!(house.place(5).await, Place::Admitted { .. }));
    // Nobody is released until fans had time to come back.
    house.at(at(110)).await;
    let early = house.release(3, &[3], at(110)).await;
    assert_eq!(early, Err(ReleaseError::Settling));
    house.at(at(131)).await;
    let released = house.release(3, &[3, 6], at(131)).await.unwrap();
    assert_eq!(released.fans.len(), 2);
    house.line.claim(house.event, fan(5)).await.unwrap();
}

#[tokio::test]
async fn a_rebuild_that_is_repeated_changes_nothing() {
    let house = House::open().await;
    for who in 1..=10 {
        house.join(who).await;
    }
    house.at(at(0)).await;
    house.release(1, &[1, 2], at(0)).await.unwrap();
    house.line.claim(house.event, fan(1)).await.unwrap();
    house.checkpoint(at(1)).await;
    house.lose_redis().await;
    let first = house.rebuild(Epoch(2), at(10)).await;
    house.come_back(7, 7, 1).await;
    let second = house.rebuild(Epoch(3), at(11)).await;
    assert_eq!(first, second);
    assert_eq!(house.come_back(7, 7, 1).await.place, waiting(7));
    assert_eq!(house.board().await.board.waiting(), 8);
}
