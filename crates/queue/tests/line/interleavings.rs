//! Any interleaving of what fans, edges and leader do, played on a real Redis
//! and on a plain model beside it. After each step the sorted set, the bitmaps
//! and the counters must say what the model says; after each release nobody
//! present may stand before somebody who was let in.

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use rand::SeedableRng;
use rand::rngs::StdRng;
use usher_base::Number;
use usher_queue::{
    Bitmap, ClaimError, EdgeId, EndReason, JoinError, JoinOrder, LeaseToken, Mode, Place,
    ReleaseError, TransferError,
};

use crate::compare::{Heard, compare};
use crate::model::{At, CLAIM, FANS, Model, SESSION};
use crate::room::{Room, START, fan};

#[derive(Clone, Debug)]
enum Step {
    Join(u32),
    /// On purpose, after a session that ended.
    JoinAgain(u32),
    /// With the token of a device that the place has left.
    JoinFromOldDevice(u32),
    /// To another device; asked by the device that has it, or by an older one.
    Move(u32, bool),
    Leave(u32),
    Revoke(u32),
    GoAway(u32),
    ComeBack(u32),
    Release(usize),
    Claim(u32),
    Finish(u32),
    /// Until so many seconds from now.
    Prolong(u32, u64),
    GiveUp(u32),
    Pause(bool),
    /// So many may pass the empty line.
    Announce(u32),
    /// Another leader tries to take the lease.
    Usurp,
    Wait(u64),
    Sweep,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = 1..=FANS;
    let step = prop_oneof![
        6 => who.clone().prop_map(Step::Join),
        1 => who.clone().prop_map(Step::JoinAgain),
        1 => who.clone().prop_map(Step::JoinFromOldDevice),
        1 => (who.clone(), any::<bool>()).prop_map(|(who, old)| Step::Move(who, old)),
        1 => who.clone().prop_map(Step::Leave),
        1 => who.clone().prop_map(Step::Revoke),
        2 => who.clone().prop_map(Step::GoAway),
        2 => who.clone().prop_map(Step::ComeBack),
        4 => (1usize..6).prop_map(Step::Release),
        3 => who.clone().prop_map(Step::Claim),
        1 => who.clone().prop_map(Step::Finish),
        1 => (who.clone(), 0u64..2_000).prop_map(|(who, secs)| Step::Prolong(who, secs)),
        1 => who.prop_map(Step::GiveUp),
        1 => any::<bool>().prop_map(Step::Pause),
        1 => (0u32..4).prop_map(Step::Announce),
        1 => Just(Step::Usurp),
        2 => (1u64..400).prop_map(Step::Wait),
        3 => Just(Step::Sweep),
    ];
    proptest::collection::vec(step, 1..80)
}

async fn play(room: &Room, model: &mut Model, step: &Step) {
    match *step {
        Step::Join(who) => join(room, model, who, false).await,
        Step::JoinAgain(who) => join(room, model, who, true).await,
        Step::JoinFromOldDevice(who) => {
            if let Some(generation) = model.generation(who).checked_sub(1) {
                let order = JoinOrder {
                    generation,
                    ..room.order(fan(who))
                };
                assert_eq!(room.line.join(&order).await, Err(JoinError::Replaced));
            }
        }
        Step::Move(who, from_old) => move_place(room, model, who, from_old).await,
        Step::Leave(who) => {
            let gone = room.line.leave(room.event, &room.lane, fan(who)).await;
            let there = !matches!(model.fans.get(&who), None | Some(At::Ended(_)));
            assert_eq!(gone.unwrap().is_some(), there);
            match model.fans.get(&who) {
                Some(At::Waiting(_)) => drop(model.fans.remove(&who)),
                Some(At::Admitted(..) | At::Active(..)) => model.end(who, EndReason::Left),
                None | Some(At::Ended(_)) => {}
            }
            model.misses.remove(&who);
        }
        Step::Revoke(who) => {
            let gone = room.line.revoke(room.event, &room.lane, fan(who)).await;
            let there = !matches!(model.fans.get(&who), None | Some(At::Ended(_)));
            assert_eq!(gone.unwrap().is_some(), there);
            if there {
                model.end(who, EndReason::Revoked);
            }
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
            model.end(who, EndReason::Finished);
        }
        Step::Prolong(who, seconds) => prolong(room, model, who, seconds).await,
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
        _ => operate(room, model, step).await,
    }
}

/// What operators and leaders do.
async fn operate(room: &Room, model: &mut Model, step: &Step) {
    match *step {
        Step::Pause(pause) => {
            model.is_paused = pause;
            let mode = if pause { Mode::Paused } else { Mode::Auto };
            room.line.set_mode(room.event, mode).await.unwrap();
        }
        Step::Announce(passes) => {
            model.passes = passes;
            room.announce(passes).await;
        }
        Step::Usurp => {
            assert!(!room.lead(&LeaseToken("2-2".to_owned())).await);
            assert!(room.lead(&room.leader).await);
        }
        _ => {}
    }
}

async fn join(room: &Room, model: &mut Model, who: u32, again: bool) {
    let order = JoinOrder {
        generation: model.generation(who),
        again,
        ..room.order(fan(who))
    };
    let joined = room.line.join(&order).await.unwrap();
    let stands = match model.fans.get(&who) {
        None => false,
        Some(At::Ended(EndReason::Revoked)) => true,
        Some(At::Ended(_)) => !again,
        Some(_) => true,
    };
    if !stands {
        model.last += 1;
        let passes = model.passes > 0 && !model.is_paused && model.waiting().is_empty();
        let at = if passes {
            model.passes -= 1;
            At::Admitted(model.last, model.now.plus(CLAIM))
        } else {
            At::Waiting(model.last)
        };
        model.fans.insert(who, at);
    }
    assert_eq!(joined.is_new, !stands);
    assert_eq!(joined.place, model.place(room, who));
}

async fn move_place(room: &Room, model: &mut Model, who: u32, from_old: bool) {
    let known = model.generation(who);
    let asked = known - u32::from(from_old && known > 0);
    let moved = room.line.transfer(room.event, fan(who), asked).await;
    if asked < known {
        assert_eq!(moved, Err(TransferError::Replaced));
    } else {
        model.moves.insert(who, known + 1);
        assert_eq!(moved, Ok(known + 1));
    }
}

/// Of somebody inside, if there is anybody: of all fans few would be.
async fn prolong(room: &Room, model: &mut Model, nth: u32, seconds: u64) {
    let inside = |(who, at): (&u32, &At)| matches!(at, At::Active(..)).then_some(*who);
    let inside: Vec<u32> = model.fans.iter().filter_map(inside).collect();
    let who = match inside.len() {
        0 => nth,
        some => inside[nth as usize % some],
    };
    let number = match model.fans.get(&who) {
        Some(At::Active(number, _)) => *number,
        _ => 1,
    };
    let until = model.now.plus(Duration::from_secs(seconds));
    let prolonged = room
        .line
        .prolong(room.event, fan(who), Number(number), until);
    let prolonged = prolonged.await.unwrap();
    if let Some(At::Active(_, ends_at)) = model.fans.get_mut(&who)
        && *ends_at > model.now
    {
        *ends_at = until.max(*ends_at);
        assert_eq!(prolonged.map(Place::Active), Some(model.place(room, who)));
    } else {
        assert_eq!(prolonged, None);
    }
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
    let waiting = model.waiting();
    let present = model.present();
    assert_eq!(numbers, present[..k.min(present.len())]);
    let named: Vec<_> = numbers.iter().copied().map(Number).collect();
    let who = room.line.who(room.event, &room.lane, &named).await.unwrap();
    let who: Vec<_> = who.iter().map(|one| (one.number.0, one.fan)).collect();
    let stand = numbers.iter().map(|n| (*n, fan(waiting[n])));
    assert_eq!(who, stand.collect::<Vec<_>>());

    let released = room.release_at(model.sequence, &numbers, snapshot.taken_at);
    let released = released.await;
    if model.is_paused {
        assert_eq!(released, Err(ReleaseError::Paused));
        return;
    }
    let released = released.unwrap();
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
    for (who, at) in model.fans.clone() {
        match at {
            At::Admitted(number, claim_by) if claim_by <= model.now => {
                let misses = model.misses.entry(who).or_insert(0);
                *misses += 1;
                if *misses < 3 {
                    model.fans.insert(who, At::Waiting(number));
                    put_back += 1;
                } else {
                    model.end(who, EndReason::Missed);
                    ended += 1;
                }
            }
            At::Active(_, ends_at) if ends_at <= model.now => {
                model.end(who, EndReason::Expired);
                ended += 1;
            }
            _ => {}
        }
    }
    let found = (swept.put_back, swept.ended.len());
    assert_eq!(found, (put_back, ended));
}

/// 96 each time the suite runs, others each time; USHER_MODEL_CASES asks for more.
pub fn sequences() -> u32 {
    let wanted = std::env::var("USHER_MODEL_CASES");
    wanted.map_or(96, |cases| cases.parse().unwrap())
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
        ..ProptestConfig::with_cases(sequences())
    };
    let played = TestRunner::new(config).run(&steps(), |steps| {
        cases.set(cases.get() + 1);
        runtime.block_on(async {
            let room = first.another(cases.get()).await;
            let mut model = Model {
                now: START,
                ..Model::default()
            };
            let mut heard = Heard::default();
            for step in &steps {
                play(&room, &mut model, step).await;
                compare(&room, &model, &mut heard).await;
            }
        });
        Ok(())
    });
    played.unwrap();
}
