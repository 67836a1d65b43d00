//! Settings, phases and blocks: Postgres is the truth, Redis follows.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use usher_base::{Lane, Number, Timestamp};
use usher_queue::pg::{BLOCK_NUMBERS, MAX_NUMBER, PlannedRelease, Recorder, StoreError};
use usher_queue::{LaneSetup, LineSettings, Ordering, Phase, Place, ReleasedFan, Schedule};

use crate::house::{House, START, fan};

#[tokio::test]
async fn what_was_set_up_is_what_is_read() {
    let house = House::new(LineSettings::default()).await;
    let settings = LineSettings {
        ordering: Ordering::Lottery,
        grace: Duration::from_secs(120),
        message: Some("Doors are late.".to_owned()),
        ..LineSettings::default()
    };
    let schedule = Schedule {
        gathers_at: Some(START),
        opens_at: Some(START.plus(Duration::from_secs(60))),
        closes_at: None,
    };
    let put = house.store.put_settings(house.event, &settings, &schedule);
    put.await.unwrap();
    let presale = LaneSetup {
        lane: "presale".parse().unwrap(),
        weight: 3,
        needs_code: true,
    };
    house.store.put_lane(house.event, &presale).await.unwrap();
    let row = house.store.line(house.event).await.unwrap();
    assert_eq!((&row.settings, &row.schedule), (&settings, &schedule));
    let lanes: Vec<_> = row.lanes.iter().map(|of| of.setup.clone()).collect();
    assert_eq!(lanes, [LaneSetup::main(), presale]);
    // An edge reads the same from Redis.
    house.store.mirror(&house.line, &row).await.unwrap();
    let state = house.line.state(house.event).await.unwrap();
    assert_eq!(state.schedule, schedule);
    assert_eq!(state.message.as_deref(), Some("Doors are late."));
    let doors: Vec<_> = state.lanes.iter().map(|door| door.needs_code).collect();
    assert_eq!(doors, [false, true]);
    assert_eq!(house.store.live_lines().await.unwrap(), [row]);
}

#[tokio::test]
async fn the_schedule_moves_the_phase_and_redis_follows() {
    let house = House::new(LineSettings::default()).await;
    let schedule = Schedule {
        gathers_at: Some(START),
        opens_at: Some(START.plus(Duration::from_secs(60))),
        closes_at: None,
    };
    let settings = LineSettings::default();
    let put = house.store.put_settings(house.event, &settings, &schedule);
    put.await.unwrap();
    house.phase(Phase::Scheduled).await;
    for (second, due) in [
        (0, Some(Phase::Gathering)),
        (30, None),
        (60, Some(Phase::Open)),
    ] {
        let row = house.store.line(house.event).await.unwrap();
        let now = START.plus(Duration::from_secs(second));
        let moved = house.store.follow_schedule(&house.line, &row, now).await;
        assert_eq!(moved.unwrap(), due);
    }
    let lanes = [house.lane.clone()];
    let board = house.line.board(house.event, &lanes).await.unwrap();
    assert_eq!(board.state.phase, Phase::Open);
    let refused = house
        .store
        .change_phase(&house.line, house.event, Phase::Drawing)
        .await;
    assert!(matches!(refused, Err(StoreError::Phase(_))));
}

#[tokio::test]
async fn who_gathers_before_any_leader_comes_is_drawn_and_not_numbered() {
    let house = House::new(LineSettings::default()).await;
    let settings = LineSettings {
        ordering: Ordering::Lottery,
        ..LineSettings::default()
    };
    let schedule = Schedule::default();
    let put = house.store.put_settings(house.event, &settings, &schedule);
    put.await.unwrap();
    house.phase(Phase::Scheduled).await;
    house.phase(Phase::Gathering).await;
    let place = house.join(1).await;
    assert!(matches!(place, Place::Gathering { .. }), "{place:?}");
}

#[tokio::test]
async fn a_mirror_of_older_settings_does_not_undo_a_pause() {
    let house = House::open().await;
    let before = house.store.line(house.event).await.unwrap();
    house.phase(Phase::Paused).await;
    house.store.mirror(&house.line, &before).await.unwrap();
    let lanes = [house.lane.clone()];
    let phase = || async {
        let board = house.line.board(house.event, &lanes).await.unwrap();
        board.state.phase
    };
    assert_eq!(phase().await, Phase::Paused);
    house.phase(Phase::Open).await;
    let row = house.store.line(house.event).await.unwrap();
    house.store.mirror(&house.line, &row).await.unwrap();
    assert_eq!(phase().await, Phase::Open);
}

#[tokio::test]
async fn a_block_is_renewed_at_half_and_never_shrinks() {
    let house = House::open().await;
    let mut board = house.board().await;
    let end = board.block_end;
    let renew = |board| {
        let (store, line, event) = (house.store.clone(), house.line.clone(), house.event);
        async move { store.renew_block(&line, event, &board).await.unwrap() }
    };
    assert!(!renew(board.clone()).await);
    board.last = Number(end.0 - BLOCK_NUMBERS / 2);
    assert!(renew(board.clone()).await);
    assert_eq!(house.board().await.block_end.0, end.0 + BLOCK_NUMBERS);
    let lease = |needed| house.store.lease_block(house.event, &house.lane, needed);
    assert_eq!(lease(Number(5)).await.unwrap().0, end.0 + BLOCK_NUMBERS);
    let refused = lease(Number(MAX_NUMBER + 1)).await;
    assert!(matches!(refused, Err(StoreError::NumbersUsedUp)));
}

#[tokio::test]
async fn releases_go_on_without_postgres_and_are_written_later() {
    let house = House::open().await;
    let stop = CancellationToken::new();
    let recorder = Recorder::start(house.pool.clone(), stop.clone());
    let release = |sequence: u64| PlannedRelease {
        event: house.event,
        sequence,
        lane: Lane::main(),
        at: Timestamp::from_millis(START.millis() + sequence.cast_signed()),
        leader: house.leader.clone(),
        reason: serde_json::json!({ "clause": "grow" }),
        fans: vec![ReleasedFan {
            number: Number(1),
            fan: fan(1),
        }],
    };
    assert!(recorder.record(release(1)).await);
    house.sandbox.postgres.pause().unwrap();
    assert!(!recorder.record(release(2)).await, "not durable yet");
    house.sandbox.postgres.resume().unwrap();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while house.store.last_sequence(house.event).await.unwrap() < 2 {
        assert!(tokio::time::Instant::now() < deadline, "never written");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stop.cancel();
}
