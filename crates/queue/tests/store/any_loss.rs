//! Redis dies at any moment of any sequence: what the checkpoint, the log of releases
//! and the fans' own tokens bring back is what was true, as far as anybody was told.
//! Who waits stands at the same number, who was let in is in (once), who is done stays
//! done, and the positions are right before a single fan has come back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use usher_base::{Epoch, Number, Timestamp};
use usher_queue::{EndReason, Ended, OldPlace, Place, ReleaseError};

use crate::house::{House, START, fan};

const FANS: u32 = 12;
/// Each sequence has an event of its own, and writes and reads Postgres at most steps.
const SEQUENCES: u32 = 32;

#[derive(Clone, Debug)]
enum Step {
    Join(u32),
    Leave(u32),
    Release(usize),
    Claim(u32),
    Finish(u32),
    /// Claims that are missed meanwhile are put back, sessions end.
    WaitAndSweep(u64),
    Checkpoint,
    /// Redis forgets everything, or has old things left. Afterwards everybody of this set
    /// comes back at once, the others when they join.
    Lose(bool, BTreeSet<u32>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = 1..=FANS;
    let some = proptest::collection::btree_set(1..=FANS, 0..=FANS as usize);
    let step = prop_oneof![
        8 => who.clone().prop_map(Step::Join),
        2 => who.clone().prop_map(Step::Leave),
        4 => (1usize..4).prop_map(Step::Release),
        3 => who.clone().prop_map(Step::Claim),
        1 => who.prop_map(Step::Finish),
        3 => (1u64..60).prop_map(Step::WaitAndSweep),
        3 => Just(Step::Checkpoint),
        2 => (any::<bool>(), some).prop_map(|(all, back)| Step::Lose(all, back)),
    ];
    proptest::collection::vec(step, 1..40)
}

/// What a fan was told last.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Told {
    Waiting(u32),
    Admitted(u32),
    Active(u32, Timestamp),
    Ended(EndReason),
    Left,
}

struct Model {
    told: BTreeMap<u32, Told>,
    tokens: BTreeMap<u32, OldPlace>,
    now: Timestamp,
    sequence: u64,
    /// Nobody is released before.
    settled_at: Timestamp,
    /// Numbers that waited at the checkpoint. Who left since still counts after a loss.
    kept: BTreeSet<u32>,
    /// Numbers that were inside then or were called since, and those that left the line.
    called: BTreeSet<u32>,
    left: BTreeSet<u32>,
    /// Numbers that had left the line at a checkpoint: nobody gets them back.
    gone: BTreeSet<u32>,
    /// Numbers whose session is over, or that were not claimed three times.
    served: BTreeSet<u32>,
}

impl Model {
    fn new() -> Self {
        let now = START.plus(Duration::from_secs(31));
        Self {
            told: BTreeMap::new(),
            tokens: BTreeMap::new(),
            now,
            sequence: 0,
            settled_at: now,
            kept: BTreeSet::new(),
            called: BTreeSet::new(),
            left: BTreeSet::new(),
            gone: BTreeSet::new(),
            served: BTreeSet::new(),
        }
    }

    fn waiting(&self) -> BTreeMap<u32, u32> {
        let waiting = self.told.iter().filter_map(|(who, told)| match told {
            Told::Waiting(number) => Some((*number, *who)),
            _ => None,
        });
        waiting.collect()
    }

    fn hear(&mut self, epoch: Epoch, who: u32, place: &Place) {
        let told = match place {
            Place::Waiting { number } => Told::Waiting(number.0),
            Place::Admitted { number, .. } => Told::Admitted(number.0),
            Place::Active(session) => Told::Active(session.number.0, session.ends_at),
            Place::Ended(reason) => Told::Ended(*reason),
            other => panic!("fan {who} stands nowhere: {other:?}"),
        };
        if let Told::Waiting(number) | Told::Admitted(number) | Told::Active(number, _) = told {
            let token = OldPlace {
                number: Number(number),
                epoch,
            };
            self.tokens.insert(who, token);
        }
        self.told.insert(who, told);
    }
}

async fn play(house: &House, model: &mut Model, step: &Step) {
    model.now = model.now.plus(Duration::from_secs(1));
    house.at(model.now).await;
    match step {
        Step::Join(who) => join(house, model, *who).await,
        Step::Leave(who) => leave(house, model, *who).await,
        Step::Release(count) => release(house, model, *count).await,
        Step::Claim(who) => {
            if let Ok(session) = house.line.claim(house.event, fan(*who)).await {
                model.hear(house.epoch(), *who, &Place::Active(session));
            }
        }
        Step::Finish(who) => {
            let Some(Told::Active(number, _)) = model.told.get(who).copied() else {
                return;
            };
            let (event, lane) = (house.event, &house.lane);
            let gone = house.line.finish(event, lane, fan(*who), Number(number));
            if let Some(departed) = gone.await.unwrap() {
                write_ended(house, model, &departed.ended.unwrap()).await;
                model.told.insert(*who, Told::Ended(EndReason::Finished));
            }
        }
        Step::WaitAndSweep(seconds) => wait_and_sweep(house, model, *seconds).await,
        Step::Checkpoint => checkpoint(house, model).await,
        Step::Lose(all, back) => lose(house, model, *all, back).await,
    }
}

async fn join(house: &House, model: &mut Model, who: u32) {
    let token = model.tokens.get(&who).copied();
    let joined = house.try_join(who, token).await.unwrap();
    match (model.told.get(&who).copied(), &joined.place) {
        // Who was put back after the checkpoint was called again by the rebuild.
        (Some(Told::Waiting(told)), Place::Waiting { number }) => assert_eq!(number.0, told),
        (Some(Told::Waiting(told)), Place::Admitted { number, .. }) => assert_eq!(number.0, told),
        (Some(Told::Admitted(told)), Place::Admitted { number, .. }) => assert_eq!(number.0, told),
        (Some(Told::Active(..)), Place::Active(_) | Place::Ended(_)) => {}
        (Some(Told::Ended(told)), Place::Ended(reason)) => assert_eq!(*reason, told),
        (None | Some(Told::Left), Place::Waiting { number }) => {
            let number = number.0;
            assert!(!model.served.contains(&number), "{number} was served");
            assert!(!model.gone.contains(&number), "{number} was given up");
        }
        (told, place) => panic!("fan {who} was told {told:?} and is told {place:?}"),
    }
    model.hear(house.epoch(), who, &joined.place);
    let numbers = model.waiting().len();
    let waits = |told: &&Told| matches!(told, Told::Waiting(_));
    assert_eq!(
        numbers,
        model.told.values().filter(waits).count(),
        "a number twice"
    );
}

async fn leave(house: &House, model: &mut Model, who: u32) {
    let gone = house.line.leave(house.event, &house.lane, fan(who)).await;
    let Some(departed) = gone.unwrap() else {
        return;
    };
    match departed.ended {
        Some(ended) => {
            write_ended(house, model, &ended).await;
            model.told.insert(who, Told::Ended(EndReason::Left));
        }
        None => {
            model.left.extend(departed.number.map(|number| number.0));
            model.told.insert(who, Told::Left);
        }
    }
}

async fn release(house: &House, model: &mut Model, count: usize) {
    let board = house.board().await;
    // Those who came back; nobody else can be called.
    let numbers: Vec<u32> = board.board.alive().iter().map(|n| n.0).collect();
    let numbers: Vec<u32> = numbers.into_iter().take(count).collect();
    model.sequence += 1;
    let released = house.release(model.sequence, &numbers, model.now).await;
    if model.now < model.settled_at {
        // Of a refused release the leader takes the row off the record.
        let struck = house.store.strike_release(house.event, model.sequence);
        struck.await.unwrap();
        assert_eq!(released, Err(ReleaseError::Settling));
        return;
    }
    for one in released.unwrap().fans {
        let who = (1..=FANS).find(|who| fan(*who) == one.fan).unwrap();
        assert_eq!(model.told[&who], Told::Waiting(one.number.0));
        assert!(!model.served.contains(&one.number.0), "served twice");
        model.called.insert(one.number.0);
        model.told.insert(who, Told::Admitted(one.number.0));
    }
}

async fn wait_and_sweep(house: &House, model: &mut Model, seconds: u64) {
    model.now = model.now.plus(Duration::from_secs(seconds));
    let swept = house.sweep(model.now).await;
    for ended in &swept.ended {
        model.served.insert(ended.number.0);
    }
    for who in 1..=FANS {
        if matches!(
            model.told.get(&who),
            Some(Told::Admitted(_) | Told::Active(..))
        ) {
            model.hear(house.epoch(), who, &house.place(who).await);
        }
    }
}

async fn write_ended(house: &House, model: &mut Model, ended: &Ended) {
    let rows = std::slice::from_ref(ended);
    let written = house.store.write_ended(house.event, rows, model.now).await;
    written.unwrap();
    model.served.insert(ended.number.0);
}

async fn checkpoint(house: &House, model: &mut Model) {
    house.checkpoint(model.now).await;
    let board = house.board().await;
    model.kept = board.board.alive().iter().map(|n| n.0).collect();
    let inside = model.told.values().filter_map(|told| match told {
        Told::Admitted(number) | Told::Active(number, _) => Some(*number),
        _ => None,
    });
    model.called = inside.collect();
    let left = std::mem::take(&mut model.left);
    model.gone.extend(left);
}

async fn lose(house: &House, model: &mut Model, all: bool, back: &BTreeSet<u32>) {
    if all {
        house.forget_everything().await;
    }
    house.rebuild_in_a_new_epoch(model.now).await;
    model.settled_at = model.now.plus(usher_queue::pg::SETTLE_FOR);
    // Who left since the checkpoint may come back as if they had not.
    model.left.clear();

    let board = house.board().await;
    let alive: BTreeSet<u32> = board.board.alive().iter().map(|n| n.0).collect();
    let expected = model.kept.iter().filter(|n| !model.called.contains(n));
    let expected = expected.filter(|n| !model.served.contains(n));
    assert_eq!(alive, expected.copied().collect(), "the numbers that wait");
    for (ahead, number) in alive.iter().enumerate() {
        assert_eq!(board.board.ahead(Number(*number)) as usize, ahead);
    }
    for who in 1..=FANS {
        let place = house.place(who).await;
        was_kept(model, who, &place);
        if matches!(place, Place::Admitted { .. } | Place::Active(_)) {
            model.hear(house.epoch(), who, &place);
        }
    }
    for who in back {
        if matches!(model.told.get(who), Some(Told::Waiting(_))) {
            join(house, model, *who).await;
        }
    }
    checkpoint(house, model).await;
}

/// What a rebuild alone may say of a fan, before anybody has come back.
#[track_caller]
fn was_kept(model: &Model, who: u32, place: &Place) {
    let number_of = |who| model.tokens.get(&who).map(|token: &OldPlace| token.number);
    let was_called = number_of(who).is_some_and(|number| model.called.contains(&number.0));
    let is_kept = match (model.told.get(&who), place) {
        (None | Some(Told::Waiting(_) | Told::Left), Place::Unknown) => true,
        // Missed the claim, or left, since the checkpoint: called again.
        (Some(Told::Waiting(_) | Told::Left), Place::Admitted { .. }) => was_called,
        (Some(Told::Admitted(told)), Place::Admitted { number, .. }) => number.0 == *told,
        (Some(Told::Active(told, _)), Place::Admitted { number, .. }) => number.0 == *told,
        (Some(Told::Active(told, _)), Place::Active(session)) => session.number.0 == *told,
        (Some(Told::Ended(told)), Place::Ended(reason)) => reason == told,
        _ => false,
    };
    let told = model.told.get(&who);
    assert!(is_kept, "fan {who} was told {told:?} and is {place:?}");
}

#[test]
fn any_loss_leaves_everybody_where_they_were() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let first = runtime.block_on(House::open());
    let wanted = std::env::var("USHER_MODEL_CASES");
    let sequences = wanted.map_or(SEQUENCES, |cases| cases.parse().unwrap());
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(sequences)
    };
    let played = TestRunner::new(config).run(&steps(), |steps| {
        runtime.block_on(async {
            let house = first.another().await;
            let mut model = Model::new();
            for step in &steps {
                play(&house, &mut model, step).await;
            }
        });
        Ok(())
    });
    played.unwrap();
}
