//! A draw from gathering to the published record, with deaths on the way.

use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use usher_base::signing::{SigningKeys, generate_jwk_set};
use usher_base::{Epoch, Number, Timestamp};
use usher_queue::draw::{
    DrawSecret, EntropyRule, Evidence, read_record, verify_record, write_record,
};
use usher_queue::pg::{DrawError, DrawProgress, GiveEntropyError};
use usher_queue::{LineSettings, Ordering, Phase, Place};

use crate::house::{House, START, fan};

const FANS: u32 = 700;

fn at(second: u64) -> Timestamp {
    START.plus(Duration::from_secs(31 + second))
}

fn keys() -> SigningKeys {
    let set = generate_jwk_set(&mut StdRng::seed_from_u64(1));
    SigningKeys::from_jwk_set(&set, "https://usher.example").unwrap()
}

fn rule() -> EntropyRule {
    EntropyRule::PublicValue {
        description: "the six numbers of the state lottery".to_owned(),
        not_before: at(3_600),
    }
}

fn value() -> Evidence {
    Evidence::PublicValue {
        value: "3 11 19 24 40 47".to_owned(),
    }
}

async fn gathered() -> House {
    let settings = LineSettings {
        ordering: Ordering::Lottery,
        ..LineSettings::default()
    };
    let house = House::new(settings).await;
    let secret = DrawSecret::from_bytes([5; 32]);
    let commit = |secret| {
        let (store, event, lane) = (house.store.clone(), house.event, house.lane.clone());
        async move { store.commit_draw(event, &lane, &rule(), &secret).await }
    };
    let commitment = commit(secret).await.unwrap();
    let other = commit(DrawSecret::from_bytes([6; 32])).await.unwrap();
    assert_eq!(commitment, other, "the first commitment stays");
    house.phase(Phase::Scheduled).await;
    house.phase(Phase::Gathering).await;
    let row = house.store.line(house.event).await.unwrap();
    house.store.mirror(&house.line, &row).await.unwrap();
    assert_eq!(house.board().await.draw.unwrap().commitment, commitment);
    for who in 1..=FANS {
        assert!(matches!(house.join(who).await, Place::Gathering { .. }));
    }
    house
}

async fn advance(house: &House, now: Timestamp) -> Result<DrawProgress, DrawError> {
    let row = house.store.line(house.event).await.unwrap();
    let store = &house.store;
    store.advance_draw(&house.line, &keys(), &row, now).await
}

async fn give_entropy(house: &House) {
    let (event, lane) = (house.event, &house.lane);
    let (store, value) = (&house.store, value());
    let early = store.give_entropy(event, lane, &value, at(3_599)).await;
    assert!(matches!(early, Err(GiveEntropyError::TooEarly { .. })));
    let given = store.give_entropy(event, lane, &value, at(3_600)).await;
    given.unwrap();
}

async fn numbers(house: &House) -> Vec<Option<Number>> {
    let mut numbers = Vec::new();
    for who in 1..=FANS {
        numbers.push(match house.place(who).await {
            Place::Waiting { number } => Some(number),
            _ => None,
        });
    }
    numbers
}

#[tokio::test]
async fn everybody_gets_the_number_that_the_record_proves() {
    let house = gathered().await;
    house.phase(Phase::Drawing).await;
    let waits = advance(&house, at(10)).await.unwrap();
    assert!(matches!(&waits, DrawProgress::WaitsFor(lanes) if lanes.len() == 1));
    // A latecomer stands behind the list, a withdrawal leaves a gap in it.
    let late = house.join(FANS + 1).await;
    assert_eq!(
        late,
        Place::Waiting {
            number: Number(FANS + 1)
        }
    );
    let left = house.line.leave(house.event, &house.lane, fan(3)).await;
    assert!(left.unwrap().is_some());
    assert_eq!(house.place(3).await, Place::Unknown);
    assert_eq!(advance(&house, at(20)).await.unwrap(), waits);

    give_entropy(&house).await;
    let done = advance(&house, at(3_700)).await.unwrap();
    assert_eq!(done, DrawProgress::Finished);
    assert_eq!(
        advance(&house, at(3_701)).await.unwrap(),
        DrawProgress::Finished
    );
    house.phase(Phase::Open).await;

    let record = house.store.draw_record(house.event, &house.lane).await;
    let (header, order) = record.unwrap().unwrap();
    let mut bytes = Vec::new();
    write_record(&mut bytes, &header, &order).unwrap();
    let read = read_record(&mut bytes.as_slice(), &mut |_| Ok(())).unwrap();
    assert!(verify_record(&read).is_ok());
    assert_eq!(order.len(), FANS as usize);
    for (index, of) in order.iter().enumerate() {
        let place = house.line.place(house.event, &house.lane, *of).await;
        let number = Number(index as u32 + 1);
        let expected = if *of == fan(3) {
            Place::Unknown
        } else {
            Place::Waiting { number }
        };
        assert_eq!(place.unwrap(), expected);
    }
    let board = house.board().await;
    assert_eq!(u64::from(board.board.waiting()), board.standing);
    assert_eq!(board.board.waiting(), FANS);
    assert_eq!(board.gathering, 0);
}

#[tokio::test]
async fn a_draw_survives_the_loss_of_redis_at_each_step() {
    let house = gathered().await;
    house.phase(Phase::Drawing).await;
    house.lose_redis().await;
    house.rebuild(Epoch(2), at(100)).await;
    // Before the root: gathered anew, and not drawn before fans could come back.
    let row = house.store.line(house.event).await.unwrap();
    assert_eq!(row.phase, Phase::Gathering);
    for who in 1..=FANS {
        house.join(who).await;
    }
    house.phase(Phase::Drawing).await;
    let early = advance(&house, at(101)).await;
    assert!(matches!(early, Err(DrawError::Freeze(_))), "{early:?}");
    house.at(at(200)).await;
    advance(&house, at(200)).await.unwrap();
    // After the root: the same list waits for its entropy.
    house.lose_redis().await;
    house.rebuild(Epoch(3), at(300)).await;
    assert_eq!(house.place(5).await, Place::Gathering { index: 5 });
    give_entropy(&house).await;
    assert_eq!(
        advance(&house, at(3_700)).await.unwrap(),
        DrawProgress::Finished
    );
    let drawn = numbers(&house).await;
    house.phase(Phase::Open).await;
    // After the numbers: fans who never heard theirs still have them.
    house.checkpoint(at(3_701)).await;
    house.lose_redis().await;
    house.rebuild(Epoch(4), at(3_800)).await;
    assert_eq!(numbers(&house).await, drawn);
    assert!(drawn.iter().all(Option::is_some));
}

#[tokio::test]
async fn without_entropy_the_order_of_arrival_may_decide_and_says_so() {
    let house = gathered().await;
    house.phase(Phase::Drawing).await;
    let fifo = || house.store.open_draw_as_fifo(house.event, &house.lane);
    assert!(!fifo().await.unwrap(), "there is no list yet");
    advance(&house, at(10)).await.unwrap();
    assert!(fifo().await.unwrap());
    assert_eq!(
        advance(&house, at(20)).await.unwrap(),
        DrawProgress::Finished
    );
    let expected: Vec<_> = (1..=FANS).map(|n| Some(Number(n))).collect();
    assert_eq!(numbers(&house).await, expected);
    let draw = house.store.draw(house.event, &house.lane).await.unwrap();
    assert!(draw.unwrap().opened_as_fifo);
    let record = house.store.draw_record(house.event, &house.lane).await;
    assert!(record.unwrap().is_none());
    stays(&house, "UPDATE draws SET opened_as_fifo = false").await;
}

/// Not even by an operator at the database.
async fn stays(house: &House, change: &'static str) {
    let refused = sqlx::query(change).execute(&house.pool).await;
    let told = refused.expect_err(change).to_string();
    assert!(told.contains("was announced"), "{change}: {told}");
}

/// Each column alone.
#[tokio::test]
async fn what_was_announced_cannot_be_changed() {
    let house = gathered().await;
    house.phase(Phase::Drawing).await;
    advance(&house, at(10)).await.unwrap();
    give_entropy(&house).await;
    for changed in [
        "UPDATE draws SET rule = '{}'",
        "UPDATE draws SET secret = root",
        "UPDATE draws SET commitment = root",
        "UPDATE draws SET root = commitment",
        "UPDATE draws SET fans = substr(fans, 17)",
        "UPDATE draws SET root_published_at = now()",
        "UPDATE draws SET evidence = '{}'",
        "UPDATE draws SET seed = commitment",
        "INSERT INTO draws SELECT * FROM draws ON CONFLICT (event_id, lane) DO UPDATE SET fans = ''",
    ] {
        stays(&house, changed).await;
    }
}
