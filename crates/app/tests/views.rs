//! The read models on the real stack: `usher event views` finds them true after
//! a sale, names what was tampered with, and writes anew what it keeps.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::insiders::{Insiders, named};
use common::process::{Ended, Usher, run};
use common::{API_KEY, import_event, set_rate, settings, signing_keys, wait_for};
use serde_json::json;
use sqlx::PgPool;
use usher_sandbox::Sandbox;

#[tokio::test]
async fn read_models_are_compared_with_the_truth_and_rebuilt() {
    let (sandbox, keys) = (Sandbox::start().await.unwrap(), signing_keys());
    let settings = settings(&sandbox, &keys);
    let event = import_event(&settings);
    let usher = Usher::serve("all", &settings);
    let target = usher.target();
    set_rate(&target, &event, Some(60));
    let fan = Insiders::new(&keys, &event).fan(1);
    for wish in [
        json!({ "best_available": { "count": 2 } }),
        json!({ "tiers": [{ "tier": "standing", "count": 1 }] }),
    ] {
        let held = fan.reserve(&target, &named(wish)).1.expect(201);
        fan.commit(&target, &held).expect(200);
    }
    let path = format!("/api/v1/admin/events/{event}/sales");
    wait_for(Duration::from_secs(10), "the sales are published", || {
        let sales = target.get(&path, Some(API_KEY)).unwrap().expect(200);
        let minutes = sales["data"].as_array().unwrap().clone();
        let tickets = minutes.iter().filter_map(|m| m["tickets"].as_i64());
        (tickets.sum::<i64>() == 3).then_some(())
    });

    let views = |more: &[&str]| {
        let arguments = [&["event", "views", &event], more].concat();
        run(&arguments, &settings)
    };
    let says = |ended: &Ended, what: &str| {
        assert!(ended.stdout.contains(what), "{ended:?}");
    };
    assert!(views(&[]).is_success(), "{:?}", views(&[]));

    let pool = PgPool::connect(&sandbox.postgres.url()).await.unwrap();
    let sql = async |statement: &'static str| {
        sqlx::raw_sql(statement).execute(&pool).await.unwrap();
    };
    sql("UPDATE sales_by_minute SET tickets = tickets + 7").await;
    let wrong = views(&[]);
    assert_eq!(wrong.code, Some(1));
    says(&wrong, "tickets are shown");
    says(&wrong, "availability: true");
    sql("DELETE FROM desk_words").await;
    says(&views(&[]), "the desk's words: differences: 2");
    assert!(views(&["--rebuild"]).is_success());

    sql("UPDATE order_items SET live = false WHERE seat_index IS NOT NULL").await;
    let wrong = views(&["--rebuild"]);
    assert_eq!(wrong.code, Some(1));
    says(&wrong, "nobody has it, Booked is shown");
    says(&wrong, "fans' bookings: differences: 1");
    says(&wrong, "sales per minute: true");
}
