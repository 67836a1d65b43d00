//! Sessions: how they end, how they are prolonged, and that the end is told.

use std::time::Duration;

use usher_base::Number;
use usher_queue::{EndReason, Place, Was};

use crate::room::{Room, START, fan};

#[tokio::test]
async fn a_session_ends_by_its_time() {
    let room = Room::open().await;
    room.join_many(1).await;
    room.release(1, &[1]).await.unwrap();
    let session = room.line.claim(room.event, fan(1)).await.unwrap();
    assert_eq!(session.ends_at, START.plus(Duration::from_secs(900)));
    room.after(Duration::from_secs(900)).await;
    let over = Place::Ended(EndReason::Expired);
    assert_eq!(room.place(1).await, over, "before the sweep already");
    let swept = room.sweep().await;
    assert_eq!(swept.ended.len(), 1);
    assert_eq!(swept.ended[0].session, session.id);
    assert_eq!(room.place(1).await, over);
}

#[tokio::test]
async fn a_hold_prolongs_the_session_but_never_revives_one() {
    let room = Room::open().await;
    room.join_many(1).await;
    room.release(1, &[1]).await.unwrap();
    room.line.claim(room.event, fan(1)).await.unwrap();
    let until = |secs| START.plus(Duration::from_secs(secs));
    let prolong = |number, secs| {
        room.line
            .prolong(room.event, fan(1), Number(number), until(secs))
    };
    let session = prolong(1, 1_200).await.unwrap().unwrap();
    assert_eq!(session.ends_at, until(1_200));
    let shorter = prolong(1, 100).await.unwrap().unwrap();
    assert_eq!(shorter.ends_at, until(1_200));
    assert_eq!(prolong(2, 9_000).await, Ok(None), "another session");
    room.at(until(1_200)).await;
    assert_eq!(prolong(1, 9_000).await, Ok(None));
}

#[tokio::test]
async fn finish_means_this_session_and_revoke_means_the_fan() {
    let room = Room::open().await;
    room.join_many(3).await;
    room.release(1, &[1, 2]).await.unwrap();
    room.line.claim(room.event, fan(1)).await.unwrap();
    let finish = |number| {
        room.line
            .finish(room.event, &room.lane, fan(1), Number(number))
    };
    assert_eq!(finish(5).await, Ok(None), "a session of another time");
    let gone = finish(1).await.unwrap().unwrap();
    assert_eq!(gone.was, Was::Active);
    assert_eq!(gone.ended.unwrap().reason, EndReason::Finished);
    assert_eq!(finish(1).await, Ok(None));
    for (who, was) in [(2, Was::Admitted), (3, Was::Waiting)] {
        let gone = room.line.revoke(room.event, &room.lane, fan(who)).await;
        assert_eq!(gone.unwrap().unwrap().was, was);
        assert_eq!(room.place(who).await, Place::Ended(EndReason::Revoked));
    }
}
