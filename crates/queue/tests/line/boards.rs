//! Boards and presence against Redis itself: positions, totals, who is here.

use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use usher_base::{Lane, Number};
use usher_queue::{Bitmap, Boards, Cursor, EdgeId, EndedSessions, Phase};

use crate::room::{Room, START, fan, outlook};

#[tokio::test]
async fn a_board_counts_what_the_sorted_set_counts() {
    let room = Room::open().await;
    let lanes = [room.lane.clone()];
    let empty = room.line.board(room.event, &lanes).await.unwrap();
    assert_eq!(empty.lanes[0].board.waiting(), 0);
    room.join_many(300).await;
    room.release(1, &(1..=130).collect::<Vec<_>>())
        .await
        .unwrap();
    for who in (140..200).step_by(3) {
        let left = room.line.leave(room.event, &room.lane, fan(who)).await;
        left.unwrap();
    }
    room.announce(0).await;
    let board = room.line.board(room.event, &lanes).await.unwrap();
    let lane = board.lane(&room.lane).unwrap();
    assert_eq!(lane.outlook, Some(outlook()));
    assert_eq!(u64::from(lane.board.waiting()), lane.standing);
    assert_eq!((lane.standing, lane.last), (150, Number(300)));
    for who in [131, 139, 141, 201, 300] {
        let mut rank = redis::cmd("ZRANK");
        let key = usher_base::redis::keys::of_event(room.event, "line:main");
        rank.arg(key).arg(fan(who).bytes().as_slice());
        let rank: u32 = room.line.redis().command(rank).await.unwrap();
        assert_eq!(lane.board.ahead(Number(who)), rank, "{who}");
    }
    assert_eq!((board.admitted, board.active), (130, 0));
    assert_eq!(board.state.totals.released, 130);
    assert_eq!(board.state.totals.left, 20);
    assert_eq!(board.state.phase, Phase::Open);
    assert_eq!(board.at, START);
}

#[tokio::test]
async fn watchers_are_woken_by_a_refresh() {
    let room = Room::open().await;
    room.join_many(2).await;
    let boards = Boards::new(room.line.clone());
    let mut watch = boards.watch(room.event);
    assert!(boards.newest(room.event).is_none());
    let lanes = [room.lane.clone()];
    boards.refresh(room.event, &lanes).await.unwrap();
    watch.changed().await.unwrap();
    let seen = watch.borrow_and_update().clone().unwrap();
    assert_eq!(seen.lanes[0].board.waiting(), 2);
    boards.drop_event(room.event);
    assert!(watch.changed().await.is_err());
}

#[tokio::test]
async fn the_leader_sees_whom_the_edges_have() {
    let room = Room::open().await;
    let mut rng = StdRng::seed_from_u64(1);
    let lanes = [room.lane.clone(), "presale".parse::<Lane>().unwrap()];
    let nobody = room.line.snapshot(room.event, &lanes).await.unwrap();
    assert_eq!((nobody.edges, nobody.lanes[0].len()), (0, 0));
    let said = |numbers: &[u32]| -> Vec<(Lane, Bitmap)> {
        let here: Bitmap = numbers.iter().copied().map(Number).collect();
        vec![(room.lane.clone(), here)]
    };
    for numbers in [&[1, 70, 900][..], &[2, 70]] {
        let edge = EdgeId::random(&mut rng);
        let said = said(numbers);
        let here = room.line.say_here(room.event, edge, &said);
        here.await.unwrap();
    }
    let snapshot = room.line.snapshot(room.event, &lanes).await.unwrap();
    let here: Vec<_> = snapshot.lanes[0].iter().map(|n| n.0).collect();
    assert_eq!(here, [1, 2, 70, 900]);
    assert_eq!((snapshot.edges, snapshot.taken_at), (2, START));
    assert!(snapshot.lanes[1].is_empty());
}

#[tokio::test]
async fn edges_are_told_of_ends_and_moves() {
    let room = Room::open().await;
    room.join_many(3).await;
    room.release(1, &[1, 2]).await.unwrap();
    let session = room.line.claim(room.event, fan(1)).await.unwrap();
    let mut cursor = Cursor::default();
    let none = room.line.changes(room.event, &mut cursor).await.unwrap();
    assert!(none.ended.is_empty() && none.moved.is_empty());
    room.after(Duration::from_secs(5)).await;
    room.line
        .revoke(room.event, &room.lane, fan(1))
        .await
        .unwrap();
    room.line.transfer(room.event, fan(3), 0).await.unwrap();
    room.at(START).await; // the clock steps back
    room.line
        .leave(room.event, &room.lane, fan(2))
        .await
        .unwrap();
    let first = room.line.changes(room.event, &mut cursor).await.unwrap();
    assert_eq!((first.ended.len(), first.is_cut), (2, false));
    let mut over = EndedSessions::default();
    over.take_in(&first.ended);
    assert!(over.contains(&session.id));
    assert_eq!(first.moved[0].fan, fan(3));
    assert_eq!(first.moved[0].generation, 1);
    over.forget_before(START.plus(Duration::from_secs(6)));
    assert!(!over.contains(&session.id));
}
