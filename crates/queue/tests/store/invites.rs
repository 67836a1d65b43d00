//! Codes open a lane as often as they may, and to one fan only once.

use std::time::Duration;

use usher_base::Lane;
use usher_queue::pg::{InviteError, MAX_CODE_BYTES, MAX_INVITES, NewInvites, StoreError};
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
    house.put(&lane, &["FAN-CLUB"], uses).await.unwrap();
    (house, lane)
}

impl House {
    async fn put(&self, lane: &Lane, codes: &[&str], uses: u32) -> Result<(), StoreError> {
        let codes: Vec<String> = codes.iter().map(|code| (*code).to_owned()).collect();
        let invites = NewInvites {
            codes: &codes,
            lane,
            uses,
            expires_at: Some(START.plus(Duration::from_secs(60))),
        };
        self.store.put_invites(self.event, &invites).await
    }

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

#[tokio::test]
async fn an_event_has_so_many_codes_and_no_more() {
    let (house, lane) = presale(2).await;
    // All but one, as quickly as the database makes them.
    let others = "INSERT INTO invites (event_id, code_hash, lane, uses_left)
        SELECT $1, sha256(n::text::bytea), 'presale', 1 FROM generate_series(3, $2) AS n";
    let others = sqlx::query(others)
        .bind(house.event.uuid())
        .bind(MAX_INVITES);
    others.execute(&house.pool).await.unwrap();
    let refused = house.put(&lane, &["ONE-MORE", "AND-ANOTHER"], 1).await;
    assert!(matches!(refused, Err(StoreError::TooManyInvites)));
    let unknown = house.use_code("ONE-MORE", 1, 0).await;
    assert!(matches!(unknown, Err(InviteError::Unknown)), "all or none");
    house.put(&lane, &["ONE-MORE"], 1).await.unwrap();
    let refused = house.put(&lane, &["AND-ANOTHER"], 1).await;
    assert!(matches!(refused, Err(StoreError::TooManyInvites)));
    // One that is there can still be changed.
    house.put(&lane, &["FAN-CLUB"], 5).await.unwrap();
}

#[tokio::test]
async fn a_list_of_codes_is_read_page_by_page_to_its_end() {
    let (house, lane) = presale(2).await;
    house
        .put(&lane, &["CODE-A", "CODE-B", "CODE-C"], 7)
        .await
        .unwrap();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = house.store.invites(house.event, after.as_ref(), 3).await;
        let page = page.unwrap();
        after = page.last().map(|invite| invite.id);
        seen.extend(page.iter().map(|invite| (invite.id, invite.uses_left)));
        if page.len() < 3 {
            break;
        }
    }
    let uses: Vec<u32> = seen.iter().map(|(_, uses)| *uses).collect();
    assert_eq!(uses.iter().filter(|uses| **uses == 7).count(), 3);
    assert!(uses.len() == 4 && seen.is_sorted_by(|a, b| a.0 < b.0));
}
