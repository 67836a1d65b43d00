//! Roles as processes of their own over one Redis and one Postgres: together
//! they sell, the edge stands without Postgres, and a Redis that forgets costs
//! nobody their place.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::{Duration, Instant};

use common::fan::{Fan, payment};
use common::process::{Settings, Usher};
use common::{import_event, set_rate, settings, signing_keys, wait_for, wait_for_page};
use usher_queue::pg::SETTLE_FOR;
use usher_sandbox::Sandbox;

/// From the loss of Redis's memory until all is served again.
const WHOLE_AGAIN_WITHIN: Duration = Duration::from_secs(15);

/// One process a role, and an event that is open.
struct Deployment {
    sandbox: Sandbox,
    event: String,
    edge: Usher,
    booking: Usher,
    _admission: Usher,
}

impl Deployment {
    async fn start() -> Self {
        let sandbox = Sandbox::start().await.unwrap();
        let settings = settings(&sandbox, &signing_keys());
        let event = import_event(&settings);
        let booking = Usher::serve("booking", &settings);
        let admission = Usher::serve("admission", &settings);
        let edge = Usher::serve("edge", &without_postgres(&settings));
        wait_for_page(&edge, &event);
        Self {
            sandbox,
            event,
            edge,
            booking,
            _admission: admission,
        }
    }

    fn set_rate(&self, per_minute: Option<u32>) {
        set_rate(&self.booking.target(), &self.event, per_minute);
    }

    fn join(&self) -> Fan {
        Fan::join(&self.edge.target(), &self.event)
    }

    /// A fan inside the shop.
    fn admit(&self) -> Fan {
        let edge = self.edge.target();
        self.set_rate(Some(600));
        let mut fan = self.join();
        fan.wait_for_turn(&edge);
        fan.claim(&edge);
        fan
    }
}

/// Nobody listens at port 1: what opened Postgres all the same would not start.
fn without_postgres(settings: &Settings) -> Settings {
    let nowhere = "postgres://usher:hunter2@127.0.0.1:1/usher";
    settings.clone().with("DATABASE_URL", nowhere)
}

#[tokio::test]
async fn a_fan_is_let_in_at_the_edge_and_buys_at_booking() {
    let usher = Deployment::start().await;
    let booking = usher.booking.target();
    let mut fan = usher.admit();
    let held = fan.hold(&booking);
    assert_eq!(held["total"]["amount"], 7_800);
    let order = fan.commit(&booking, &held, &payment());
    assert_eq!(order["status"], "confirmed");
    assert_eq!(order["tickets"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn the_edge_serves_the_line_while_postgres_is_away() {
    let mut usher = Deployment::start().await;
    let target = usher.edge.target();
    usher.set_rate(None);
    usher.sandbox.postgres.kill_9().await.unwrap();
    let fan = usher.join();
    let place = fan.place(&target).unwrap();
    assert_eq!(place["standing"], "waiting");
    assert_eq!(place["number"], 1);
    let page = format!("/e/{}", usher.event);
    assert_eq!(target.get(&page, None).unwrap().status, 200);
    assert_eq!(target.get("/health/ready", None).unwrap().status, 200);
    // Killed roles do not take it away either.
    usher.booking.stop();
    assert!(fan.place(&target).is_some());
}

#[tokio::test]
async fn a_redis_that_forgets_costs_nobody_their_place() {
    let usher = Deployment::start().await;
    let (edge, booking) = (usher.edge.target(), usher.booking.target());
    let mut inside = usher.admit();
    usher.set_rate(None);
    let waiting: Vec<Fan> = (0..3).map(|_| usher.join()).collect();
    let numbers = |fans: &[Fan]| {
        let number = |fan: &Fan| fan.place(&edge)?["number"].as_u64();
        fans.iter().map(number).collect::<Option<Vec<_>>>()
    };
    let before = numbers(&waiting).unwrap();

    usher.sandbox.redis.kill_9().await.unwrap();
    usher.sandbox.redis.restart().await.unwrap();
    let began = Instant::now();
    let left = || WHOLE_AGAIN_WITHIN.saturating_sub(began.elapsed());
    let after = wait_for(left(), "places are known again", || numbers(&waiting));
    assert_eq!(after, before);
    let held = inside.hold(&booking);
    let took = began.elapsed();
    assert!(took < WHOLE_AGAIN_WITHIN, "{took:?}");
    let order = inside.commit(&booking, &held, &payment());
    assert_eq!(order["status"], "confirmed");

    // The line moves on from where it was, once everybody had time to come back.
    usher.set_rate(Some(600));
    for fan in &waiting {
        fan.wait_for_turn_within(SETTLE_FOR + WHOLE_AGAIN_WITHIN, &edge);
    }
    let late = usher.join();
    let number = late.place(&edge).unwrap()["number"].as_u64();
    assert!(
        number > before.last().copied(),
        "{number:?} after {before:?}"
    );
}
