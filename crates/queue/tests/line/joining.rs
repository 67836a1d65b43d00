//! Joining: one place a fan, whatever is repeated; refusals; restored places.

use std::time::Duration;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use usher_base::{Epoch, Lane, Number};
use usher_queue::{
    Bitmap, EdgeId, EndReason, JoinError, JoinOrder, LineSettings, Mode, OldPlace, Ordering, Phase,
    Place, Room as Gate, TransferError,
};

use crate::room::{Room, START, fan};

const fn waiting(number: u32) -> Place {
    Place::Waiting {
        number: Number(number),
    }
}

#[tokio::test]
async fn a_repeated_join_gives_the_same_number() {
    let room = Room::open().await;
    let first = room.join(1).await;
    room.join(2).await;
    let again = room.join(1).await;
    assert!(first.is_new && !again.is_new);
    assert_eq!(first.place, again.place);
    assert_eq!(room.place(2).await, waiting(2));
    assert_eq!(room.place(3).await, Place::Unknown);
}

#[tokio::test]
async fn who_leaves_frees_the_place_and_comes_back_behind() {
    let room = Room::open().await;
    room.join_many(2).await;
    let left = room.line.leave(room.event, &room.lane, fan(1)).await;
    assert_eq!(left.unwrap().unwrap().number, Some(Number(1)));
    let again = room.line.leave(room.event, &room.lane, fan(1)).await;
    assert_eq!(again.unwrap(), None);
    assert!(!room.bit("alive", 1).await && room.bit("spent", 1).await);
    assert_eq!(room.join(1).await.place, waiting(3));
}

#[tokio::test]
async fn phases_decide_who_may_join() {
    let room = Room::open().await;
    for phase in Phase::ALL {
        room.line.set_phase(room.event, phase).await.unwrap();
        let answer = room.try_join(phase as u32 + 1).await;
        match phase {
            Phase::Draft | Phase::Scheduled => assert_eq!(answer, Err(JoinError::NotOpen)),
            Phase::SoldOut | Phase::Closed => assert_eq!(answer, Err(JoinError::Closed)),
            _ => assert!(answer.is_ok(), "{phase}: {answer:?}"),
        }
    }
}

#[tokio::test]
async fn a_full_line_says_so_and_keeps_who_is_in_it() {
    let settings = LineSettings {
        max_waiting: 2,
        ..LineSettings::default()
    };
    let room = Room::in_phase(Phase::Open, settings).await;
    room.join_many(2).await;
    assert_eq!(room.try_join(3).await, Err(JoinError::Full));
    assert_eq!(room.join(1).await.place, waiting(1));
}

#[tokio::test]
async fn an_exhausted_block_refuses_until_it_rises() {
    let room = Room::open().await;
    let presale: Lane = "presale".parse().unwrap();
    let order = |who| JoinOrder {
        lane: &presale,
        ..room.order(fan(who))
    };
    let block = |last| room.line.set_block(room.event, &presale, Number(last));
    assert_eq!(room.line.join(&order(1)).await, Err(JoinError::Full));
    block(1).await.unwrap();
    assert!(room.line.join(&order(1)).await.is_ok());
    assert_eq!(room.line.join(&order(2)).await, Err(JoinError::Full));
    block(2).await.unwrap();
    block(1).await.unwrap(); // a late message of the past
    assert!(room.line.join(&order(2)).await.is_ok());
}

#[tokio::test]
async fn a_fan_has_one_place_in_all_lanes_together() {
    let room = Room::open().await;
    room.join(1).await;
    let presale: Lane = "presale".parse().unwrap();
    room.line
        .set_block(room.event, &presale, Number(9))
        .await
        .unwrap();
    let main = [Lane::main()];
    let order = JoinOrder {
        lane: &presale,
        other_lanes: &main,
        ..room.order(fan(1))
    };
    let refused = room.line.join(&order).await;
    assert_eq!(refused, Err(JoinError::InAnotherLane(Lane::main())));
}

#[tokio::test]
async fn a_lottery_gathers_without_numbers() {
    let settings = LineSettings {
        ordering: Ordering::Lottery,
        ..LineSettings::default()
    };
    let room = Room::in_phase(Phase::Gathering, settings).await;
    assert_eq!(room.join(1).await.place, Place::Gathering { index: 1 });
    assert_eq!(room.join(2).await.place, Place::Gathering { index: 2 });
    assert!(!room.join(1).await.is_new);
    assert_eq!(room.place(2).await, Place::Gathering { index: 2 });
    let left = room.line.leave(room.event, &room.lane, fan(2)).await;
    assert_eq!(left.unwrap().unwrap().number, None);
    assert_eq!(room.place(2).await, Place::Unknown);
}

#[tokio::test]
async fn without_a_room_everybody_is_admitted_at_once() {
    let settings = LineSettings {
        room: Gate::Off,
        ..LineSettings::default()
    };
    let room = Room::in_phase(Phase::Open, settings).await;
    let joined = room.join(1).await;
    assert!(joined.is_new && matches!(joined.place, Place::Admitted { .. }));
    assert_eq!(room.join(1).await.place, joined.place);
    assert!(room.bit("spent", 1).await);
    assert!(room.line.claim(room.event, fan(1)).await.is_ok());
}

#[tokio::test]
async fn a_pause_holds_also_without_a_room() {
    let settings = LineSettings {
        room: Gate::Off,
        ..LineSettings::default()
    };
    let room = Room::in_phase(Phase::Open, settings).await;
    room.line.set_mode(room.event, Mode::Paused).await.unwrap();
    assert_eq!(room.join(1).await.place, waiting(1));
    room.line.set_mode(room.event, Mode::Auto).await.unwrap();
    assert!(matches!(room.join(2).await.place, Place::Admitted { .. }));
}

#[tokio::test]
async fn an_edge_that_said_nothing_lately_is_not_counted() {
    let room = Room::open().await;
    let lanes = [room.lane.clone()];
    let here = [(room.lane.clone(), Bitmap::default())];
    let edges = [1, 2].map(|seed| EdgeId::random(&mut StdRng::seed_from_u64(seed)));
    for (edge, second) in edges.into_iter().zip([0, 5]) {
        room.at(START.plus(Duration::from_secs(second))).await;
        room.line.say_here(room.event, edge, &here).await.unwrap();
    }
    let count = || async { room.line.snapshot(room.event, &lanes).await.unwrap().edges };
    assert_eq!(count().await, 2);
    room.at(START.plus(Duration::from_secs(6))).await;
    assert_eq!(count().await, 1);
    room.at(START.plus(Duration::from_secs(11))).await;
    assert_eq!(count().await, 0);
}

#[tokio::test]
async fn the_empty_line_is_passed_as_often_as_the_leader_said() {
    let room = Room::open().await;
    room.announce(2).await;
    for who in 1..=2 {
        let place = room.join(who).await.place;
        assert!(matches!(place, Place::Admitted { .. }), "{place:?}");
    }
    assert_eq!(room.join(3).await.place, waiting(3));
    room.announce(2).await;
    assert_eq!(room.join(4).await.place, waiting(4), "3 stands before 4");
}

#[tokio::test]
async fn an_older_token_restores_only_an_unspent_number() {
    let room = Room::open().await;
    room.join_many(3).await;
    room.line
        .leave(room.event, &room.lane, fan(2))
        .await
        .unwrap();
    let of = |number, epoch| OldPlace {
        number: Number(number),
        epoch: Epoch(epoch),
    };
    let spent = room.join_with(2, of(2, 0)).await;
    assert!(spent.old_place_lost && spent.is_new);
    assert_eq!(spent.place, waiting(4));
    // Of this epoch: the fan left, so nothing is restored.
    let current = room.join_with(5, of(3, 1)).await;
    assert_eq!(current.place, waiting(5));
    // Never handed out, or somebody else's.
    assert_eq!(room.join_with(6, of(900, 0)).await.place, waiting(6));
    assert_eq!(room.join_with(7, of(3, 0)).await.place, waiting(7));
}

#[tokio::test]
async fn a_move_to_another_device_outdates_the_old_token() {
    let room = Room::open().await;
    room.join(1).await;
    let moved = room.line.transfer(room.event, fan(1), 0).await;
    assert_eq!(moved, Ok(1));
    assert_eq!(room.try_join(1).await, Err(JoinError::Replaced));
    let stale = room.line.transfer(room.event, fan(1), 0).await;
    assert_eq!(stale, Err(TransferError::Replaced));
    let order = JoinOrder {
        generation: 5, // a token that this memory has not seen: the highest wins
        ..room.order(fan(1))
    };
    assert_eq!(room.line.join(&order).await.unwrap().place, waiting(1));
    let order = JoinOrder {
        generation: 1,
        ..order
    };
    assert_eq!(room.line.join(&order).await, Err(JoinError::Replaced));
}

#[tokio::test]
async fn after_a_session_the_fan_joins_again_only_on_purpose() {
    let room = Room::open().await;
    room.join_many(2).await;
    room.release(1, &[1]).await.unwrap();
    room.line.claim(room.event, fan(1)).await.unwrap();
    room.after(Duration::from_secs(901)).await;
    room.sweep().await;
    let expired = Place::Ended(EndReason::Expired);
    assert_eq!(room.join(1).await.place, expired);
    let again = JoinOrder {
        again: true,
        ..room.order(fan(1))
    };
    assert_eq!(room.line.join(&again).await.unwrap().place, waiting(3));
    room.line
        .revoke(room.event, &room.lane, fan(1))
        .await
        .unwrap();
    let revoked = Place::Ended(EndReason::Revoked);
    assert_eq!(room.line.join(&again).await.unwrap().place, revoked);
}
