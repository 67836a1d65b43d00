//! What must be true of Postgres, the payment provider and the seat map after a
//! sale, whatever happened during it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use sqlx::PgPool;
use usher_base::EventId;

use crate::common::http::Target;
use crate::common::wait_for;
use crate::shoppers::{Outcome, WITHIN};

const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Each of these is to find nothing.
const WRONG: [(&str, &str); 5] = [
    (
        "a seat sold twice",
        "SELECT count(*) FROM (SELECT FROM order_items i JOIN orders o ON o.id = i.order_id
         WHERE o.state = 'paid' GROUP BY i.event_id, i.seat_index HAVING count(*) > 1) x",
    ),
    (
        "money without an order, or an order without its money",
        "SELECT count(*) FROM test_payments t FULL JOIN
           (SELECT * FROM orders WHERE state = 'paid') o ON o.id = t.order_id
         WHERE (o.id IS NOT NULL) <> (coalesce(t.state, '') = 'captured')",
    ),
    (
        "an order left pending",
        "SELECT count(*) FROM orders WHERE state = 'pending'",
    ),
    (
        "a seat kept by an order that has none, or the other way round",
        "SELECT count(*) FROM order_items i JOIN orders o ON o.id = i.order_id
         WHERE i.live <> (o.state = 'paid')",
    ),
    (
        "a paid order with another number of tickets than seats",
        "SELECT count(*) FROM orders o WHERE state = 'paid' AND
         (SELECT count(*) FROM tickets t WHERE t.order_id = o.id)
         <> (SELECT count(*) FROM order_items i WHERE i.order_id = o.id)",
    ),
];

async fn count(pool: &PgPool, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(pool).await.unwrap()
}

/// Until the reconciler has nothing left to do.
pub async fn wait_until_quiet(pool: &PgPool) {
    const UNFINISHED: &str = "SELECT count(*) FROM orders WHERE look_at IS NOT NULL";
    let deadline = Instant::now() + WITHIN;
    while count(pool, UNFINISHED).await > 0 {
        assert!(Instant::now() < deadline, "orders are left unfinished");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Fans were told of exactly the orders that are paid.
pub async fn check(pool: &PgPool, told: &Outcome) {
    for (what, query) in WRONG {
        assert_eq!(count(pool, query).await, 0, "{what}");
    }
    let paid: Vec<String> = sqlx::query_scalar("SELECT id::text FROM orders WHERE state = 'paid'")
        .fetch_all(pool)
        .await
        .unwrap();
    let paid = paid.into_iter().collect::<BTreeSet<_>>();
    let lost: Vec<_> = told.confirmed.difference(&paid).collect();
    assert!(lost.is_empty(), "told confirmed, but not paid: {lost:?}");
    let untold: Vec<_> = paid.difference(&told.confirmed).collect();
    assert!(
        untold.is_empty(),
        "paid, but nobody was told so: {untold:?}"
    );
}

/// Redis shows as booked what was sold and nothing else.
pub fn check_seat_map(shop: &Target, event: EventId, told: &Outcome) {
    let sold: BTreeSet<_> = told.seats.iter().cloned().collect();
    assert_eq!(sold.len(), told.seats.len(), "a seat was confirmed twice");
    wait_for(WITHIN, "the seat map shows what was sold", || {
        let map = shop.get(&format!("/api/v1/events/{event}/seatmap"), None);
        let map = map.ok().filter(|map| map.status == 200)?.json();
        let sections = map["sections"].as_array()?.iter();
        let rows = sections.flat_map(|section| section["rows"].as_array().unwrap());
        let seats = rows.flat_map(|row| row["seats"].as_array().unwrap());
        let booked = seats.filter(|seat| seat["status"] == "booked");
        let booked = booked.map(|seat| seat["id"].as_str().unwrap().to_owned());
        (booked.collect::<BTreeSet<_>>() == sold).then_some(())
    });
}
