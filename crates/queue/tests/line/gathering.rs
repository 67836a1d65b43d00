//! A lottery from its gathering to its numbers, in any order of calls: who is in the
//! list when it is frozen gets the number of the draw, unless the fan withdrew, and
//! who comes afterwards stands behind. Each call may come twice.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use usher_base::Number;
use usher_queue::{FreezeError, LineSettings, Ordering, Phase, Place};

use crate::interleavings::sequences;
use crate::room::{Room, fan};

const FANS: u32 = 8;

#[derive(Clone, Debug)]
enum Step {
    Join(u32),
    Leave(u32),
    Freeze,
    /// Numbers for the first so many of the list, in the opposite order.
    Number(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (1..=FANS).prop_map(Step::Join),
        2 => (1..=FANS).prop_map(Step::Leave),
        1 => Just(Step::Freeze),
        2 => (0..=FANS as usize).prop_map(Step::Number),
    ];
    proptest::collection::vec(step, 1..50)
}

#[derive(Default)]
struct Model {
    /// By arrival, each with the index of its arrival.
    gathering: BTreeMap<u32, u64>,
    arrivals: u64,
    frozen: Option<Vec<u32>>,
    /// Of those in the list: who left before the number came.
    withdrawn: BTreeSet<u32>,
    standing: BTreeMap<u32, u32>,
    last: u32,
}

impl Model {
    fn place(&self, who: u32) -> Place {
        if let Some(number) = self.standing.get(&who) {
            let number = Number(*number);
            return Place::Waiting { number };
        }
        match self.gathering.get(&who) {
            Some(index) => Place::Gathering { index: *index },
            None => Place::Unknown,
        }
    }

    fn join(&mut self, who: u32) {
        if self.place(who) != Place::Unknown {
            return;
        }
        if self.frozen.is_some() {
            self.last += 1;
            self.standing.insert(who, self.last);
        } else {
            self.arrivals += 1;
            self.gathering.insert(who, self.arrivals);
        }
    }

    fn leave(&mut self, who: u32) -> bool {
        let gathered = self.gathering.remove(&who).is_some();
        if gathered && self.frozen.is_some() {
            self.withdrawn.insert(who);
        }
        self.standing.remove(&who).is_some() || gathered
    }

    fn freeze(&mut self) -> u32 {
        let mut list: Vec<_> = self.gathering.iter().collect();
        list.sort_unstable_by_key(|(_, index)| **index);
        let list: Vec<u32> = list.into_iter().map(|(who, _)| *who).collect();
        let frozen = self.frozen.get_or_insert(list);
        let fans = u32::try_from(frozen.len()).unwrap();
        self.last = self.last.max(fans);
        fans
    }

    /// The draw turns the list round.
    fn drawn(&self, first: usize) -> Vec<u32> {
        let list = self.frozen.iter().flatten().rev();
        list.copied().take(first).collect()
    }

    fn number(&mut self, drawn: &[u32]) {
        for (number, who) in (1..).zip(drawn) {
            self.withdrawn.remove(who);
            if self.gathering.remove(who).is_some() {
                self.standing.insert(*who, number);
            }
        }
    }
}

async fn play(room: &Room, model: &mut Model, step: &Step) {
    let (line, event, lane) = (&room.line, room.event, &room.lane);
    match *step {
        Step::Join(who) => {
            model.join(who);
            assert_eq!(room.join(who).await.place, model.place(who));
        }
        Step::Leave(who) => {
            let gone = line.leave(event, lane, fan(who)).await.unwrap();
            assert_eq!(gone.is_some(), model.leave(who));
        }
        Step::Freeze => {
            let frozen = line.freeze(event, std::slice::from_ref(lane)).await;
            assert_eq!(frozen, Ok::<_, FreezeError>(vec![model.freeze()]));
        }
        Step::Number(first) => {
            let drawn = model.drawn(first);
            let fans: Vec<_> = drawn.iter().map(|who| fan(*who)).collect();
            line.give_numbers(event, lane, &fans).await.unwrap();
            model.number(&drawn);
        }
    }
}

async fn compare(room: &Room, model: &Model) {
    for who in 1..=FANS {
        assert_eq!(room.place(who).await, model.place(who), "fan {who}");
    }
    let numbers: BTreeSet<u32> = model.standing.values().copied().collect();
    assert_eq!(numbers.len(), model.standing.len(), "a number given twice");
    for number in 1..=model.last {
        let alive = room.bit("alive", number).await;
        assert_eq!(alive, numbers.contains(&number), "{number}");
    }
    // Who withdrew stays in the list until the numbers are given: it is fixed.
    let list = room.line.gathered(room.event, &room.lane).await.unwrap();
    let expected = model.gathering.keys().chain(&model.withdrawn);
    let expected: BTreeSet<_> = expected.map(|who| fan(*who)).collect();
    assert_eq!(list.into_iter().collect::<BTreeSet<_>>(), expected);
}

fn lottery() -> LineSettings {
    LineSettings {
        ordering: Ordering::Lottery,
        ..LineSettings::default()
    }
}

/// Found by the sequences below: the second leaving took the entry out of the list.
#[tokio::test]
async fn who_withdrew_came_back_and_left_again_stays_in_the_list() {
    let room = Room::in_phase(Phase::Gathering, lottery()).await;
    let mut model = Model::default();
    let left_twice = [
        Step::Join(1),
        Step::Join(2),
        Step::Freeze,
        Step::Leave(1),
        Step::Join(1),
        Step::Leave(1),
        Step::Number(2),
    ];
    for step in left_twice {
        play(&room, &mut model, &step).await;
        compare(&room, &model).await;
    }
}

#[test]
fn any_gathering_becomes_the_numbers_of_its_draw() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let first = runtime.block_on(Room::in_phase(Phase::Gathering, lottery()));
    let cases = std::cell::Cell::new(0);
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(sequences())
    };
    let played = TestRunner::new(config).run(&steps(), |steps| {
        cases.set(cases.get() + 1);
        runtime.block_on(async {
            let phase = Phase::Gathering;
            let room = first.another_in(cases.get(), phase, lottery()).await;
            let mut model = Model::default();
            for step in &steps {
                play(&room, &mut model, step).await;
                compare(&room, &model).await;
            }
        });
        Ok(())
    });
    played.unwrap();
}
