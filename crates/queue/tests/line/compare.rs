//! Everything that Redis holds of a line, and what edges hear of it, against the model.

use std::collections::{BTreeMap, BTreeSet};

use usher_base::redis::keys;
use usher_base::{FanId, Number};
use usher_queue::{Bitmap, Cursor};

use crate::model::{At, FANS, Model};
use crate::room::{Room, fan};

/// What an edge has heard of since the beginning.
#[derive(Default)]
pub struct Heard {
    cursor: Cursor,
    moves: BTreeMap<FanId, u32>,
    ended: BTreeSet<(FanId, u32)>,
}

/// Everything that Redis holds, against the model.
pub async fn compare(room: &Room, model: &Model, heard: &mut Heard) {
    let waiting = model.waiting();
    let lanes = [room.lane.clone()];
    let event = room.line.board(room.event, &lanes).await.unwrap();
    let lane = &event.lanes[0];
    assert_eq!(lane.standing, waiting.len() as u64);
    assert_eq!(lane.board.waiting() as usize, waiting.len());
    assert_eq!(lane.last.0, model.last);
    let count = |kind: fn(&At) -> bool| model.fans.values().filter(|at| kind(at)).count() as u64;
    assert_eq!(event.admitted, count(|at| matches!(at, At::Admitted(..))));
    assert_eq!(event.active, count(|at| matches!(at, At::Active(..))));

    let alive: BTreeSet<u32> = lane.board.alive().iter().map(|n| n.0).collect();
    assert_eq!(alive, waiting.keys().copied().collect());
    for (ahead, number) in waiting.keys().enumerate() {
        assert_eq!(lane.board.ahead(Number(*number)) as usize, ahead);
    }
    let mut get = redis::cmd("GET");
    get.arg(keys::of_event(room.event, "spent:main"));
    let spent: Option<Vec<u8>> = room.line.redis().command(get).await.unwrap();
    let spent = Bitmap::from_bytes(0, &spent.unwrap_or_default());
    let spent: BTreeSet<u32> = spent.iter().map(|n| n.0).collect();
    let gone = (1..=model.last).filter(|n| !alive.contains(n));
    assert_eq!(
        spent,
        gone.collect(),
        "spent is all that was given and waits no more"
    );

    let news = room.line.changes(room.event, &mut heard.cursor).await;
    let news = news.unwrap();
    let ended = news.ended.iter().map(|end| (end.fan, end.number.0));
    heard.ended.extend(ended);
    let moved = news.moved.iter().map(|one| (one.fan, one.generation));
    heard.moves.extend(moved);
    let ended = model.ended.iter().map(|(who, number)| (fan(*who), *number));
    assert_eq!(heard.ended, ended.collect());
    let moves = model.moves.iter().map(|(who, times)| (fan(*who), *times));
    assert_eq!(heard.moves, moves.collect());

    let fans: Vec<_> = (1..=FANS).map(fan).collect();
    let places = room.line.places(room.event, &room.lane, &fans).await;
    for (who, place) in (1..=FANS).zip(places.unwrap()) {
        assert_eq!(place, model.place(room, who), "fan {who}");
    }
}
