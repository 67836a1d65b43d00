//! Any interleaving of what fans, edges and leader do, played on a real Redis
//! and on a plain model beside it. After each step the sorted set, the bitmaps
//! and the counters must say what the model says; after each release nobody
//! present may stand before somebody who was let in.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use rand::SeedableRng;
use rand::rngs::StdRng;
use usher_base::redis::keys;
use usher_base::{Number, Timestamp};
use usher_queue::{Bitmap, ClaimError, EdgeId, EndReason, Place, Session, SessionId};

use crate::room::{Room, START, fan};

const FANS: u32 = 24;
const CLAIM: Duration = Duration::from_secs(90);
const SESSION: Duration = Duration::from_secs(900);

#[derive(Clone, Debug)]
enum Step {
    Join(u32),
    Leave(u32),
    GoAway(u32),
    ComeBack(u32),
    Release(usize),
    Claim(u32),
    Finish(u32),
    GiveUp(u32),
    Wait(u64),
    Sweep,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = 1..=FANS;
    let step = prop_oneof![
        6 => who.clone().prop_map(Step::Join),
        1 => who.clone().prop_map(Step::Leave),
        2 => who.clone().prop_map(Step::GoAway),
        2 => who.clone().prop_map(Step::ComeBack),
        4 => (1usize..6).prop_map(Step::Release),
        3 => who.clone().prop_map(Step::Claim),
        1 => who.clone().prop_map(Step::Finish),
        1 => who.prop_map(Step::GiveUp),
        2 => (1u64..400).prop_map(Step::Wait),
        3 => Just(Step::Sweep),
    ];
    proptest::collection::vec(step, 1..80)
}

/// Where the model has a fan.
#[derive(Clone, Copy, Debug, PartialEq)]
enum At {
    Waiting(u32),
    Admitted(u32, Timestamp),
    Active(u32, Timestamp),
    Ended(EndReason),
}

#[derive(Default)]
struct Model {
    fans: BTreeMap<u32, At>,
    misses: BTreeMap<u32, u32>,
    away: BTreeSet<u32>,
    /// The last number given.
    last: u32,
    now: Timestamp,
    sequence: u64,
}

impl Model {
    fn waiting(&self) -> BTreeMap<u32, u32> {
        let waiting = self.fans.iter().filter_map(|(who, at)| match at {
            At::Waiting(number) => Some((*number, *who)),
            _ => None,
        });
        waiting.collect()
    }

    fn present(&self) -> Vec<u32> {
        let waiting = self.waiting().into_iter();
        let here = waiting.filter(|(_, who)| !self.away.contains(who));
        here.map(|(number, _)| number).collect()
    }

    fn place(&self, room: &Room, who: u32) -> Place {
        match self.fans.get(&who) {
            None => Place::Unknown,
            Some(At::Waiting(number)) => Place::Waiting {
                number: Number(*number),
            },
            Some(At::Admitted(number, claim_by)) => Place::Admitted {
                claim_by: *claim_by,
                lane: room.lane.clone(),
                number: Number(*number),
            },
            Some(At::Active(_, ends_at)) if *ends_at <= self.now => {
                Place::Ended(EndReason::Expired)
            }
            Some(At::Active(number, ends_at)) => Place::Active(Session {
                id: SessionId::of(room.event, &room.lane, Number(*number)),
                lane: room.lane.clone(),
                number: Number(*number),
                ends_at: *ends_at,
            }),
            Some(At::Ended(reason)) => Place::Ended(*reason),
        }
    }
}

async fn play(room: &Room, model: &mut Model, step: &Step) {
    match *step {
        Step::Join(who) => join(room, model, who).await,
        Step::Leave(who) => {
            let gone = room.line.leave(room.event, &room.lane, fan(who)).await;
            let there = !matches!(model.fans.get(&who), None | Some(At::Ended(_)));
            assert_eq!(gone.unwrap().is_some(), there);
            match model.fans.get(&who) {
                Some(At::Waiting(_)) => drop(model.fans.remove(&who)),
                Some(At::Admitted(..) | At::Active(..)) => {
                    model.fans.insert(who, At::Ended(EndReason::Left));
                }
                None | Some(At::Ended(_)) => {}
            }
            model.misses.remove(&who);
        }
        Step::GoAway(who) => drop(model.away.insert(who)),
        Step::ComeBack(who) => drop(model.away.remove(&who)),
        Step::Release(k) => release(room, model, k).await,
        Step::Claim(who) => claim(room, model, who).await,
        Step::Finish(who) => {
            let Some(At::Admitted(number, _) | At::Active(number, _)) = model.fans.get(&who) else {
                return;
            };
            let number = Number(*number);
            let gone = room
                .line
                .finish(room.event, &room.lane, fan(who), number)
                .await;
            assert!(gone.unwrap().is_some());
            model.fans.insert(who, At::Ended(EndReason::Finished));
            model.misses.remove(&who);
        }
        Step::GiveUp(who) => {
            if let Some(At::Waiting(number)) = model.fans.get(&who) {
                let numbers = [Number(*number)];
                let given_up = room
                    .line
                    .forget(room.event, &room.lane, &room.leader, &numbers);
                assert_eq!(given_up.await, Ok(vec![fan(who)]));
                model.fans.remove(&who);
                model.misses.remove(&who);
            }
        }
        Step::Wait(seconds) => {
            model.now = model.now.plus(Duration::from_secs(seconds));
            room.at(model.now).await;
        }
        Step::Sweep => sweep(room, model).await,
    }
}

async fn join(room: &Room, model: &mut Model, who: u32) {
    let joined = room.join(who).await;
    if model.fans.contains_key(&who) {
        assert!(!joined.is_new);
    } else {
        model.last += 1;
        model.fans.insert(who, At::Waiting(model.last));
        assert!(joined.is_new);
    }
    assert_eq!(joined.place, model.place(room, who));
}

/// As edge and leader do it: who is here, the board, the first of both.
async fn release(room: &Room, model: &mut Model, k: usize) {
    let lanes = [room.lane.clone()];
    let here: Bitmap = model.present().into_iter().map(Number).collect();
    let edge = EdgeId::random(&mut StdRng::seed_from_u64(1));
    let said = [(room.lane.clone(), here)];
    room.line.say_here(room.event, edge, &said).await.unwrap();
    let snapshot = room.line.snapshot(room.event, &lanes).await.unwrap();
    let board = room.line.board(room.event, &lanes).await.unwrap();
    let numbers = board.lanes[0].board.releasable(&snapshot.lanes[0], k);
    model.sequence += 1;
    let numbers: Vec<u32> = numbers.into_iter().map(|n| n.0).collect();
    let released = room
        .release_at(model.sequence, &numbers, snapshot.taken_at)
        .await
        .unwrap();

    let waiting = model.waiting();
    let present = model.present();
    assert_eq!(numbers, present[..k.min(present.len())]);
    let largest = numbers.last().copied().unwrap_or(0);
    for one in &released.fans {
        let who = waiting[&one.number.0];
        assert_eq!(one.fan, fan(who));
        let claim_by = model.now.plus(CLAIM);
        model.fans.insert(who, At::Admitted(one.number.0, claim_by));
    }
    assert_eq!(released.fans.len(), numbers.len());
    let passed_over = model.present().into_iter().find(|n| *n < largest);
    assert_eq!(passed_over, None, "present, smaller and still waiting");
}

async fn claim(room: &Room, model: &mut Model, who: u32) {
    let answer = room.line.claim(room.event, fan(who)).await;
    match model.fans.get(&who).copied() {
        Some(At::Admitted(_, claim_by)) if claim_by <= model.now => {
            assert_eq!(answer, Err(ClaimError::Missed));
        }
        Some(At::Admitted(number, _)) => {
            let ends_at = model.now.plus(SESSION);
            model.fans.insert(who, At::Active(number, ends_at));
            model.misses.remove(&who);
            assert_eq!(Place::Active(answer.unwrap()), model.place(room, who));
        }
        Some(At::Active(..)) => {
            let place = answer.map_or_else(
                |error| {
                    assert_eq!(error, ClaimError::Ended(EndReason::Expired));
                    Place::Ended(EndReason::Expired)
                },
                Place::Active,
            );
            assert_eq!(place, model.place(room, who));
        }
        Some(At::Ended(reason)) => assert_eq!(answer, Err(ClaimError::Ended(reason))),
        _ => assert_eq!(answer, Err(ClaimError::NotAdmitted)),
    }
}

async fn sweep(room: &Room, model: &mut Model) {
    let swept = room.sweep().await;
    let (mut put_back, mut ended) = (0, 0);
    for (who, at) in &mut model.fans {
        match *at {
            At::Admitted(number, claim_by) if claim_by <= model.now => {
                let misses = model.misses.entry(*who).or_insert(0);
                *misses += 1;
                if *misses < 3 {
                    *at = At::Waiting(number);
                    put_back += 1;
                } else {
                    *at = At::Ended(EndReason::Missed);
                    ended += 1;
                }
            }
            At::Active(_, ends_at) if ends_at <= model.now => {
                *at = At::Ended(EndReason::Expired);
                ended += 1;
            }
            _ => {}
        }
    }
    let found = (swept.put_back, swept.ended.len());
    assert_eq!(found, (put_back, ended));
}

/// Everything that Redis holds, against the model.
async fn compare(room: &Room, model: &Model) {
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

    let fans: Vec<_> = (1..=FANS).map(fan).collect();
    let places = room.line.places(room.event, &room.lane, &fans).await;
    for (who, place) in (1..=FANS).zip(places.unwrap()) {
        assert_eq!(place, model.place(room, who), "fan {who}");
    }
}

#[test]
fn any_interleaving_leaves_everything_consistent() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let first = runtime.block_on(Room::open());
    let cases = std::cell::Cell::new(0);
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(96)
    };
    let played = TestRunner::new(config).run(&steps(), |steps| {
        cases.set(cases.get() + 1);
        runtime.block_on(async {
            let room = first.another(cases.get()).await;
            let mut model = Model {
                now: START,
                ..Model::default()
            };
            for step in &steps {
                play(&room, &mut model, step).await;
                compare(&room, &model).await;
            }
        });
        Ok(())
    });
    played.unwrap();
}
