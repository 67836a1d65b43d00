//! What the leader takes away by itself, on the real stack: a session whose time is
//! over, and a turn that was not taken up. It waits for the shortest session that an
//! event may have, which is half a minute.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::fan::Fan;
use common::process::Usher;
use common::{API_KEY, import_event, set_rate, settings, signing_keys, wait_for, wait_for_page};
use serde_json::Value;
use usher_base::EventId;
use usher_queue::pg::Store;
use usher_sandbox::Sandbox;

const SHORTEST_CLAIM: Duration = Duration::from_secs(10);
const SHORTEST_SESSION: Duration = Duration::from_secs(30);
const SOON: Duration = Duration::from_secs(20);

async fn hurry(sandbox: &Sandbox, event: &str) {
    let pool = sqlx::PgPool::connect(&sandbox.postgres.url()).await;
    let store = Store::new(pool.unwrap());
    let id: EventId = event.parse().unwrap();
    let mut row = store.line(id).await.unwrap();
    row.settings.claim_window = SHORTEST_CLAIM;
    row.settings.session = SHORTEST_SESSION;
    let put = store.put_settings(id, &row.settings, &row.schedule);
    put.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_and_a_turn_not_taken_up_goes_back_to_its_number() {
    let sandbox = Sandbox::start().await.unwrap();
    let settings = settings(&sandbox, &signing_keys());
    let event = import_event(&settings);
    hurry(&sandbox, &event).await;
    let usher = Usher::serve("all", &settings);
    wait_for_page(&usher, &event);
    let target = usher.target();
    let status = || {
        let path = format!("/api/v1/admin/events/{event}/status");
        let answer = target.get(&path, Some(API_KEY)).ok()?;
        Some(answer.json())
    };

    let [mut inside, dawdler] = [(); 2].map(|()| Fan::join(&target, &event));
    let number = dawdler.place(&target).unwrap()["number"].clone();
    set_rate(&target, &event, Some(6_000));
    inside.wait_for_turn(&target);
    inside.claim(&target);
    dawdler.wait_for_turn(&target);
    set_rate(&target, &event, None);

    wait_for(SHORTEST_CLAIM + SOON, "the dawdler waits again", || {
        let place = dawdler.place(&target)?;
        (place["standing"] == "waiting").then(|| assert_eq!(place["number"], number))
    });
    wait_for(SHORTEST_SESSION + SOON, "nobody is inside any more", || {
        let status: Value = status()?;
        (status["claimed_total"] == 1 && status["inside"] == 0).then_some(())
    });
    let path = format!("/api/v1/events/{event}/reservations");
    let form = serde_json::json!({
        "client_reservation_id": uuid::Uuid::new_v4(),
        "tiers": [{ "tier": "standing", "count": 1 }],
    });
    let late = target.call("POST", &path, Some(&inside.access_token), Some(&form));
    assert_eq!(late.unwrap().expect(401)["error"], "access_required");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fan_who_is_done_gives_the_place_inside_back_at_once() {
    let sandbox = Sandbox::start().await.unwrap();
    let settings = settings(&sandbox, &signing_keys());
    let event = import_event(&settings);
    let usher = Usher::serve("all", &settings);
    wait_for_page(&usher, &event);
    let target = usher.target();
    let path = format!("/api/v1/events/{event}/session");
    let finish = |token: &str| target.call("DELETE", &path, Some(token), None).unwrap();

    set_rate(&target, &event, Some(6_000));
    let [mut done, mut other] = [(); 2].map(|()| Fan::join(&target, &event));
    for fan in [&mut done, &mut other] {
        fan.wait_for_turn(&target);
        fan.claim(&target);
    }
    assert_eq!(
        finish(&done.queue_token).expect(401)["error"],
        "access_required"
    );
    assert_eq!(finish(&done.access_token).status, 204);
    let status = format!("/api/v1/admin/events/{event}/status");
    wait_for(SOON, "one of the two is inside", || {
        let status = target.get(&status, Some(API_KEY)).ok()?.json();
        (status["claimed_total"] == 2 && status["inside"] == 1).then_some(())
    });
    wait_for(SOON, "the token that is over opens nothing", || {
        (finish(&done.access_token).status == 401).then_some(())
    });
    other.hold(&target);
}
