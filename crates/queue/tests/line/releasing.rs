//! Release, claim, and what becomes of a missed claim.

use std::time::Duration;

use usher_base::Number;
use usher_queue::{
    ClaimError, EndReason, LeaderError, LeaseToken, Mode, Phase, Place, ReleaseError,
};

use crate::room::{Room, START, fan};

const CLAIM_OVER: Duration = Duration::from_secs(91);

#[tokio::test]
async fn a_release_moves_fans_and_repeats_its_answer() {
    let room = Room::open().await;
    room.join_many(4).await;
    let released = room.release(1, &[1, 2, 9]).await.unwrap();
    let numbers: Vec<_> = released.fans.iter().map(|f| f.number.0).collect();
    assert_eq!(numbers, [1, 2], "9 was never handed out");
    assert_eq!(released.fans[1].fan, fan(2));
    assert_eq!(released.claim_by, START.plus(Duration::from_secs(90)));
    assert_eq!(room.release(1, &[3, 4]).await.unwrap(), released);
    assert_eq!(room.place(3).await, Place::Waiting { number: Number(3) });
    for number in 1..=2 {
        assert!(!room.bit("alive", number).await && room.bit("spent", number).await);
    }
    let refused = room.release(0, &[3]).await;
    assert_eq!(refused, Err(ReleaseError::OldSequence));
}

#[tokio::test]
async fn a_release_that_may_not_be_changes_nothing() {
    let room = Room::open().await;
    room.join_many(3).await;
    let line = &room.line;
    assert_eq!(room.release(1, &[2, 1]).await, Err(ReleaseError::Unordered));
    let many: Vec<u32> = (1..=201).collect();
    assert_eq!(room.release(1, &many).await, Err(ReleaseError::Unordered));
    room.after(Duration::from_millis(3_001)).await;
    assert_eq!(
        room.release(1, &[1]).await,
        Err(ReleaseError::StaleSnapshot)
    );
    room.at(START).await;
    line.set_mode(room.event, Mode::Paused).await.unwrap();
    assert_eq!(room.release(1, &[1]).await, Err(ReleaseError::Paused));
    line.set_mode(room.event, Mode::Auto).await.unwrap();
    line.set_phase(room.event, Phase::Paused).await.unwrap();
    assert_eq!(room.release(1, &[1]).await, Err(ReleaseError::NotOpen));
    line.set_phase(room.event, Phase::Open).await.unwrap();
    assert!(!room.lead(&LeaseToken("2-1".to_owned())).await);
    line.resign(room.event, &room.leader).await.unwrap();
    assert!(room.lead(&LeaseToken("2-1".to_owned())).await);
    assert_eq!(room.release(1, &[1]).await, Err(ReleaseError::NotLeader));
    assert_eq!(room.place(1).await, Place::Waiting { number: Number(1) });
}

#[tokio::test]
async fn claiming_twice_is_one_session() {
    let room = Room::open().await;
    room.join_many(2).await;
    let early = room.line.claim(room.event, fan(1)).await;
    assert_eq!(early, Err(ClaimError::NotAdmitted));
    room.release(1, &[1]).await.unwrap();
    let session = room.line.claim(room.event, fan(1)).await.unwrap();
    room.after(Duration::from_secs(60)).await;
    let again = room.line.claim(room.event, fan(1)).await.unwrap();
    assert_eq!(session, again);
    assert_eq!(room.place(1).await, Place::Active(session.clone()));
    assert_eq!(room.join(1).await.place, Place::Active(session));
}

#[tokio::test]
async fn a_missed_claim_goes_back_to_its_number_and_the_third_is_final() {
    let room = Room::open().await;
    room.join_many(3).await;
    let mut now = START;
    for miss in 1..=3 {
        room.at(START).await;
        room.release(miss, &[2]).await.unwrap();
        now = now.plus(CLAIM_OVER);
        room.after(CLAIM_OVER).await;
        let late = room.line.claim(room.event, fan(2)).await;
        assert_eq!(late, Err(ClaimError::Missed));
        let swept = room.sweep().await;
        assert_eq!(room.sweep().await, usher_queue::Swept::default());
        if miss < 3 {
            assert_eq!((swept.put_back, swept.ended.len()), (1, 0));
            assert_eq!(room.place(2).await, Place::Waiting { number: Number(2) });
            assert!(room.bit("alive", 2).await && !room.bit("spent", 2).await);
        } else {
            assert_eq!(swept.put_back, 0);
            assert_eq!(swept.ended[0].reason, EndReason::Missed);
            assert_eq!(room.place(2).await, Place::Ended(EndReason::Missed));
            assert!(!room.bit("alive", 2).await && room.bit("spent", 2).await);
        }
    }
}

#[tokio::test]
async fn the_absent_are_given_up_only_by_the_leader() {
    let room = Room::open().await;
    room.join_many(3).await;
    let numbers = [Number(2), Number(7)];
    let stranger = LeaseToken("9-9".to_owned());
    let refused = room
        .line
        .forget(room.event, &room.lane, &stranger, &numbers)
        .await;
    assert_eq!(refused, Err(LeaderError::NotLeader));
    let fans = room
        .line
        .forget(room.event, &room.lane, &room.leader, &numbers)
        .await;
    assert_eq!(fans, Ok(vec![fan(2)]));
    assert_eq!(room.place(2).await, Place::Unknown);
    assert!(room.bit("spent", 2).await);
    assert!(!room.bit("spent", 7).await, "7 was never alive");
}
