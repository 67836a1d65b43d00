//! Codes open a lane as often as they may, and to one fan only once.

use std::time::Duration;

use usher_base::Lane;
use usher_queue::pg::{InviteError, MAX_CODE_BYTES, NewInvite};
use usher_queue::{LaneSetup, LineSettings};

use crate::house::{House, START, fan};

async fn presale(uses: u32) -> (House, Lane) {
    let house = House::new(LineSettings::default()).await;
    let lane: Lane = "presale".parse().unwrap();
    let setup = LaneSetup {
        lane: lane.clone(),
        weight: 1,
        needs_code: true,
    };
    house.store.put_lane(house.event, &setup).await.unwrap();
    let invite = NewInvite {
        code: "FAN-CLUB",
        lane: &lane,
        uses,
        expires_at: Some(START.plus(Duration::from_secs(60))),
    };
    house.store.put_invite(house.event, &invite).await.unwrap();
    (house, lane)
}

impl House {
    async fn use_code(&self, code: &str, who: u32, second: u64) -> Result<Lane, InviteError> {
        let now = START.plus(Duration::from_secs(second));
        self.store.use_invite(self.event, code, fan(who), now).await
    }
}

#[tokio::test]
async fn a_code_is_used_up_by_fans_and_not_by_their_reloads() {
    let (house, lane) = presale(2).await;
    for who in [1, 1, 2, 1] {
        assert_eq!(house.use_code("FAN-CLUB", who, 0).await.unwrap(), lane);
    }
    let third = house.use_code("FAN-CLUB", 3, 0).await;
    assert!(matches!(third, Err(InviteError::UsedUp)));
    // A refusal leaves no trace that would let the fan in later.
    let again = house.use_code("FAN-CLUB", 3, 0).await;
    assert!(matches!(again, Err(InviteError::UsedUp)));
}

#[tokio::test]
async fn late_unknown_and_overlong_codes_are_refused() {
    let (house, _) = presale(2).await;
    let late = house.use_code("FAN-CLUB", 1, 61).await;
    assert!(matches!(late, Err(InviteError::Expired)));
    let unknown = house.use_code("fan-club", 1, 0).await;
    assert!(matches!(unknown, Err(InviteError::Unknown)));
    let long = house.use_code(&"x".repeat(MAX_CODE_BYTES + 1), 1, 0).await;
    assert!(matches!(long, Err(InviteError::Unknown)));
}

#[tokio::test]
async fn the_last_use_goes_to_one_of_many_at_once() {
    let (house, _) = presale(1).await;
    let uses = (1..=8).map(|who| house.use_code("FAN-CLUB", who, 0));
    let answers = futures::future::join_all(uses).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
}
