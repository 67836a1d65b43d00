//! Kills the process for real at every failpoint there is, while an order is
//! on its way, sends the same request again, and lets another process finish
//! what was left. The cases are all failpoints times all stories; a point that
//! no story reaches fails the test. That is a process for each of some two hundred
//! cases, so half a minute.
//!
//! The dying process is this very test binary, started again with a story to
//! play; the servers outlive it.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::process::Command;
use usher_base::{Clock, EventId, ReservationId, SystemClock};
use usher_booking::failpoints::{Point, VARIABLE};
use usher_booking::inventory::SeatStatus;
use usher_booking::orders::{CommitError, CommitOutcome, CommitRequest, OrderState};
use usher_booking::pg;

#[path = "orders/shop.rs"]
#[allow(dead_code, reason = "shared with the tests of orders")]
mod shop;

use shop::{OwnShop, Shop, confirmed, eventually, fan};

const STORY: &str = "USHER_CRASH_STORY";
const REDIS: &str = "USHER_CRASH_REDIS";
const POSTGRES: &str = "USHER_CRASH_POSTGRES";
const EVENT: &str = "USHER_CRASH_EVENT";
const SEAT: u32 = 7;
/// A pinned hold without an order is closed then.
const PAST_ABANDONED: Duration = Duration::from_secs(11);
const PAST_PAY_BY: Duration = Duration::from_secs(16 * 60);

/// What the dying process is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Story {
    Buy,
    Decline,
    /// The fan never confirms, and the time to pay runs out.
    GiveUp,
    /// The bank's replies are lost, and the reconciler goes on.
    LostReply,
    Cancel,
    /// A node pins the hold and dies; the reconciler closes what it left.
    Abandon,
}

impl Story {
    const ALL: [Self; 6] = [
        Self::Buy,
        Self::Decline,
        Self::GiveUp,
        Self::LostReply,
        Self::Cancel,
        Self::Abandon,
    ];

    fn request(self, shop: &Shop) -> CommitRequest {
        let method = match self {
            Self::Buy | Self::Cancel | Self::Abandon => "pm_test_success",
            Self::Decline => "pm_test_declined",
            Self::GiveUp => "pm_test_action",
            Self::LostReply => "pm_test_lost_reply",
        };
        let hold = ReservationId::from_uuid(shop.event.uuid());
        shop.request(fan(1), hold, "key", method)
    }

    async fn play(self, shop: &Shop) {
        let request = self.request(shop);
        shop.hold_as(request.reservation, fan(1), &[SEAT], 1).await;
        if self == Self::Abandon {
            let (hold, order) = (request.reservation, request.order());
            let pinned = shop.holds.commit(shop.event, hold, fan(1), order).await;
            pinned.unwrap();
            shop.clock.advance(PAST_ABANDONED);
            return shop.reconcile().await;
        }
        let outcome = shop.commit(&request).await.unwrap();
        match self {
            Self::Buy | Self::Decline | Self::Abandon => {}
            Self::GiveUp => {
                shop.clock.advance(PAST_PAY_BY);
                shop.reconcile().await;
            }
            Self::LostReply => {
                for _ in 0..2 {
                    shop.reconcile().await;
                }
            }
            Self::Cancel => {
                let number = confirmed(outcome).order_number;
                shop.orders.cancel(&number, "ada").await.unwrap();
            }
        }
    }
}

/// Not a test of its own: the process that dies.
#[tokio::test]
async fn the_process_that_dies() {
    let Ok(wanted) = std::env::var(STORY) else {
        return;
    };
    let from_env = |name| std::env::var(name).unwrap();
    let story = Story::ALL
        .into_iter()
        .find(|story| format!("{story:?}") == wanted);
    let event = from_env(EVENT).parse().unwrap();
    let shop = Shop::over(&from_env(REDIS), &from_env(POSTGRES), event).await;
    story.unwrap().play(&shop).await;
}

/// True when it died at the point, false when its story ended before.
async fn dies(own: &OwnShop, event: EventId, story: Story, point: Point) -> bool {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_process_that_dies"])
        .env(STORY, format!("{story:?}"))
        .env(REDIS, own.sandbox.redis.url())
        .env(POSTGRES, own.sandbox.postgres.url())
        .env(EVENT, event.to_string())
        .env(VARIABLE, point.name())
        .output()
        .await
        .unwrap();
    // A failed test has an exit code, an aborted process has none.
    let failed = output.status.code().is_some_and(|code| code != 0);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(!failed, "{story:?} {point:?}: {said}");
    !output.status.success()
}

async fn finish(shop: &Shop) {
    eventually("nothing is left to do", async || {
        shop.reconcile().await;
        shop.count("SELECT count(*) FROM orders WHERE look_at IS NOT NULL")
            .await
            == 0
    })
    .await;
}

/// The same request, sent again to another node right after the crash.
async fn ask_again(shop: &Shop, request: &CommitRequest, case: &str) -> Option<CommitOutcome> {
    match shop.commit(request).await {
        Ok(outcome) => Some(outcome),
        Err(CommitError::Hold(_)) => None,
        Err(other) => panic!("{case}: {other}"),
    }
}

async fn check(shop: &Shop, request: &CommitRequest, answer: Option<CommitOutcome>, case: &str) {
    let order = pg::read::order(&shop.pool, request.order()).await.unwrap();
    let state = order.map(|order| order.state);
    let case = format!("{case}: {answer:?}, then {state:?}");
    assert_ne!(state, Some(OrderState::Pending), "{case}");
    match answer {
        Some(CommitOutcome::Confirmed(_)) => {
            assert_ne!(state, Some(OrderState::Failed), "{case}");
        }
        Some(CommitOutcome::PaymentFailed { .. }) => {
            assert_eq!(state, Some(OrderState::Failed), "{case}");
        }
        _ => {}
    }
    let booked = shop.seat(SEAT).await == SeatStatus::Booked;
    assert_eq!(booked, state == Some(OrderState::Paid), "{case}");
    shop.check_books().await;
}

async fn crash_everywhere(story: Story) -> BTreeSet<&'static str> {
    let own = Shop::open().await;
    let mut reached = BTreeSet::new();
    for point in Point::ALL {
        let case = format!("{story:?} {}", point.name());
        let event = EventId::new(SystemClock.now());
        let (redis, postgres) = (own.sandbox.redis.url(), own.sandbox.postgres.url());
        let shop = Shop::over(&redis, &postgres, event).await;
        shop.rebuild().await;
        if !dies(&own, event, story, *point).await {
            continue;
        }
        reached.insert(point.name());
        let request = story.request(&shop);
        let answer = ask_again(&shop, &request, &case).await;
        let pause = match story {
            Story::GiveUp => PAST_PAY_BY,
            _ => PAST_ABANDONED,
        };
        shop.clock.advance(pause);
        finish(&shop).await;
        check(&shop, &request, answer, &case).await;
    }
    let (died, all) = (reached.len(), Point::ALL.len());
    println!("{story:?}: killed at {died} of {all} points");
    reached
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_crash_loses_money_or_sells_a_seat_twice() {
    let stories = Story::ALL.map(crash_everywhere);
    let reached = futures::future::join_all(stories).await;
    let reached: BTreeSet<_> = reached.into_iter().flatten().collect();
    let all: BTreeSet<_> = Point::ALL.iter().map(|point| point.name()).collect();
    assert_eq!(reached, all, "a failpoint that no story reaches");
}

/// Each step is left both undone and done.
#[test]
fn every_step_can_die_before_and_after() {
    let names: BTreeSet<_> = Point::ALL.iter().map(|point| point.name()).collect();
    let steps = |when: &str| -> BTreeSet<_> {
        let of = names.iter().filter_map(|name| name.strip_prefix(when));
        of.collect()
    };
    let (before, after) = (steps("before_"), steps("after_"));
    assert_eq!(before, after);
    assert_eq!(before.len() + after.len(), names.len(), "{names:?}");
}
