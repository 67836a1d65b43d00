//! The admission over the real stack: in auto nothing but a booking node's own
//! signals lets fans in; a node that dies is noticed; a node with too much to do
//! turns away browsing first, then holds, payments last.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::Write as _;
use std::net::TcpStream;
use std::thread::JoinHandle;
use std::time::Duration;

use common::fan::{Fan, payment, text};
use common::http::{Answer, Target};
use common::process::Usher;
use common::{API_KEY, import_event, set_rate, settings, signing_keys, wait_for, wait_for_page};
use serde_json::{Value, json};
use usher_admission::Status;
use usher_admission::control::{Clause, Mode, Sight};
use usher_base::redis::{Redis, TimeSource};
use usher_base::{Clock as _, EventId, SystemClock};
use usher_sandbox::Sandbox;
use uuid::Uuid;

const SOON: Duration = Duration::from_secs(20);
/// The law lets nobody in 30 s after the last signal.
const BLIND_ENDS_WITHIN: Duration = Duration::from_secs(45);

/// What the leader says, read where it writes it: its API may be dead.
struct Leader {
    redis: Redis,
    event: EventId,
}

impl Leader {
    fn of(sandbox: &Sandbox, event: &str) -> Self {
        Self {
            redis: Redis::new(&sandbox.redis.url(), &[], TimeSource::Server).unwrap(),
            event: event.parse().unwrap(),
        }
    }

    async fn until(&self, within: Duration, what: &str, is: impl Fn(&Status) -> bool) -> Status {
        let look = async {
            loop {
                let status = Status::read(&self.redis, self.event).await.unwrap();
                if let Some(status) = status.filter(|status| is(status)) {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let found = tokio::time::timeout(within, look).await;
        found.unwrap_or_else(|_| panic!("{what}: not within {within:?}"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_auto_a_booking_nodes_signals_let_fans_in_until_it_dies() {
    let sandbox = Sandbox::start().await.unwrap();
    let settings = settings(&sandbox, &signing_keys());
    let event = import_event(&settings);
    let admission = Usher::serve("admission", &settings);
    let edge = Usher::serve("edge", &settings);
    wait_for_page(&edge, &event);
    let leader = Leader::of(&sandbox, &event);
    let status = leader.until(SOON, "the leader", |_| true).await;
    assert_eq!(status.mode, Mode::Auto);
    assert_eq!(status.decision.auto.clause, Clause::SignalLost);
    assert_eq!(status.decision.release, 0, "nobody before the first signal");

    let mut booking = Usher::serve("booking", &settings);
    let mut fan = Fan::join(&edge.target(), &event);
    fan.wait_for_turn(&edge.target());
    fan.claim(&edge.target());
    fan.hold(&booking.target());
    let seen = |status: &Status| status.decision.state.goodput_per_s > 0.0;
    let before = leader.until(SOON, "the hold in the signals", seen).await;
    assert!(
        before.decision.auto.rate_per_s > 1.0,
        "{:?}",
        before.decision
    );

    booking.stop();
    // For three seconds a late report is no loss.
    let blind = |status: &Status| matches!(status.decision.state.sight, Sight::Blind(_));
    let blind = leader.until(SOON, "the loss is noticed", blind).await;
    assert_eq!(blind.decision.auto.clause, Clause::SignalLost);
    let rates = [&before, &blind].map(|status| status.decision.auto.rate_per_s);
    // Half of the last one, which had risen a little meanwhile.
    assert!(rates[1] < 0.6 * rates[0], "{rates:?} people a second");
    let ended = |status: &Status| status.decision.auto.rate_per_s == 0.0;
    leader
        .until(BLIND_ENDS_WITHIN, "nobody is let in", ended)
        .await;
    drop(admission);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_is_told_on_while_postgres_is_away() {
    let sandbox = Sandbox::start().await.unwrap();
    let settings = settings(&sandbox, &signing_keys());
    let event = import_event(&settings);
    let usher = Usher::serve("all", &settings);
    wait_for_page(&usher, &event);
    let target = usher.target();
    set_rate(&target, &event, Some(600));
    let mut fan = Fan::join(&target, &event);
    fan.wait_for_turn(&target);
    fan.claim(&target);
    let leader = Leader::of(&sandbox, &event);
    let told = |status: &Status| status.seats_left.is_some();
    let before = leader.until(SOON, "what is left", told).await;

    sandbox.postgres.kill_9().await.unwrap();
    fan.hold(&target);
    // A report fades after ten seconds: what is told later was reported later.
    let later = SystemClock.now().plus(Duration::from_secs(12));
    let after = leader
        .until(SOON, "a status without Postgres", |status| {
            status.at > later
        })
        .await;
    let left = before.seats_left.map(|seats| seats - 2);
    assert_eq!(after.seats_left, left, "two places are held");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_auto_the_line_goes_on_at_half_the_rate_while_postgres_is_away() {
    let sandbox = Sandbox::start().await.unwrap();
    let settings = settings(&sandbox, &signing_keys());
    let event = import_event(&settings);
    let usher = Usher::serve("all", &settings);
    wait_for_page(&usher, &event);
    let leader = Leader::of(&sandbox, &event);
    let steady = |status: &Status| status.decision.auto.rate_per_s > 1.0;
    let before = leader.until(SOON, "admission in auto", steady).await;

    sandbox.postgres.kill_9().await.unwrap();
    let away = |status: &Status| status.decision.auto.clause == Clause::PostgresAway;
    let without = leader.until(SOON, "it is noticed", away).await;
    let rates = [&before, &without].map(|status| status.decision.auto.rate_per_s);
    assert!(rates[1] > 0.0 && rates[1] < 0.7 * rates[0], "{rates:?}");
    let mut fan = Fan::join(&usher.target(), &event);
    fan.wait_for_turn(&usher.target());
    fan.claim(&usher.target());
    fan.hold(&usher.target());
    let came = |status: &Status| away(status) && status.claimed_total > before.claimed_total;
    leader
        .until(SOON, "the fan was let in without it", came)
        .await;
}

const IN_FLIGHT: &str = "usher_gate_in_flight";
const PAYING: &str = "usher_gate_paying";

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_shows_what_auto_would_do_and_lets_nobody_in() {
    let sandbox = Sandbox::start().await.unwrap();
    let settings = settings(&sandbox, &signing_keys());
    let event = import_event(&settings);
    let usher = Usher::serve("all", &settings);
    wait_for_page(&usher, &event);
    let target = usher.target();
    set_rate(&target, &event, None);
    let fan = Fan::join(&target, &event);
    let path = format!("/api/v1/admin/events/{event}/admission");
    let put = |dry_run: bool| {
        let policy = json!({ "mode": "auto", "dry_run": dry_run });
        let answer = target.call("PUT", &path, Some(API_KEY), Some(&policy));
        assert_eq!(answer.unwrap().expect(200)["dry_run"], dry_run);
    };
    put(true);
    let leader = Leader::of(&sandbox, &event);
    // The fan shows that it is there, or nobody could be let in anyway.
    let shown = |status: &Status| {
        fan.place(&target);
        status.clause == Clause::DryRun
            && status.present == 1
            && status.decision.auto.rate_per_s > 1.0
    };
    let first = leader.until(SOON, "what auto would do", shown).await;
    assert_eq!((first.rate_per_minute, first.released_total), (0.0, 0));
    let later = first.at.plus(Duration::from_secs(3));
    let still = |status: &Status| shown(status) && status.at > later;
    let last = leader.until(SOON, "the same later", still).await;
    assert_eq!(last.released_total, 0);
    put(false);
    fan.wait_for_turn(&target);
}

/// Fans inside, each with a hold; of a node that works on ten requests at most.
struct Shop {
    booking: Usher,
    event: String,
    fans: Vec<(Fan, Value)>,
}

impl Shop {
    async fn open(sandbox: &Sandbox, fans: usize) -> Self {
        let settings = settings(sandbox, &signing_keys()).with("BOOKING_MAX_IN_FLIGHT", "10");
        let event = import_event(&settings);
        let usher = Usher::serve("all", &settings);
        wait_for_page(&usher, &event);
        let target = usher.target();
        set_rate(&target, &event, Some(6_000));
        let fans = (0..fans).map(|_| {
            let mut fan = Fan::join(&target, &event);
            fan.wait_for_turn(&target);
            fan.claim(&target);
            let held = fan.hold(&target);
            (fan, held)
        });
        Self {
            event: event.clone(),
            fans: fans.collect(),
            booking: usher,
        }
    }

    /// A payment whose provider takes seconds.
    fn pay_slowly(&mut self) -> JoinHandle<u16> {
        let (fan, held) = self.fans.remove(0);
        let target = self.booking.target();
        std::thread::spawn(move || pay(target, &fan, &held, "pm_test_slow").status)
    }

    /// A hold whose body does not come: the node works on it until it is dropped.
    fn hold_endlessly(&self) -> TcpStream {
        let (fan, _) = &self.fans[0];
        let (event, token) = (&self.event, &fan.access_token);
        let mut stream = TcpStream::connect(self.booking.target().0).unwrap();
        let head = format!(
            "POST /api/v1/events/{event}/reservations HTTP/1.1\r\nHost: usher\r\n\
             Authorization: Bearer {token}\r\nContent-Type: application/json\r\n\
             Content-Length: 100\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream
    }

    fn gauge(&self, name: &str) -> Option<u32> {
        let page = self.booking.metrics().get("/metrics", None).ok()?.body;
        let line = page
            .lines()
            .find(|line| line.split(' ').next() == Some(name))?;
        line.rsplit(' ').next()?.parse().ok()
    }

    fn wait_for_load(&self, gauge: &str, requests: u32) {
        let what = format!("{gauge} is {requests}");
        wait_for(SOON, &what, || {
            (self.gauge(gauge)? == requests).then_some(())
        });
    }

    fn browse(&self) -> Answer {
        let path = format!("/api/v1/events/{}/seatmap", self.event);
        let (fan, _) = &self.fans[0];
        let target = self.booking.target();
        target.get(&path, Some(&fan.access_token)).unwrap()
    }

    fn hold(&self) -> Answer {
        let path = format!("/api/v1/events/{}/reservations", self.event);
        let form = json!({
            "client_reservation_id": Uuid::new_v4().to_string(),
            "tiers": [{ "tier": "standing", "count": 1 }],
        });
        let (fan, _) = &self.fans[0];
        let target = self.booking.target();
        let answer = target.call("POST", &path, Some(&fan.access_token), Some(&form));
        answer.unwrap()
    }
}

fn pay(target: Target, fan: &Fan, held: &Value, method: &str) -> Answer {
    let path = format!(
        "/api/v1/reservations/{}/commit",
        text(held, "reservation_id")
    );
    let mut form = payment();
    form["payment_method_id"] = json!(method);
    let answer = target.call("POST", &path, Some(&fan.access_token), Some(&form));
    answer.unwrap()
}

#[track_caller]
fn assert_turned_away(answer: &Answer) {
    assert_eq!(answer.expect(503)["error"], "overloaded");
    let head = answer.head.to_ascii_lowercase();
    let wait = head
        .lines()
        .find_map(|line| line.strip_prefix("retry-after: "));
    let seconds: u32 = wait.unwrap().trim().parse().unwrap();
    assert!((1..=3).contains(&seconds), "{seconds} s");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_too_much_to_do_refuses_browsing_then_holds_then_payments() {
    let sandbox = Sandbox::start().await.unwrap();
    let mut shop = Shop::open(&sandbox, 12).await;
    assert_eq!(shop.browse().status, 200);
    let mut holding: Vec<_> = (0..8).map(|_| shop.hold_endlessly()).collect();
    shop.wait_for_load(IN_FLIGHT, 8);
    assert_turned_away(&shop.browse());
    holding.push(shop.hold_endlessly());
    shop.wait_for_load(IN_FLIGHT, 9);
    assert_turned_away(&shop.hold());
    // Payments wait for the bank, not for the shop.
    let paying: Vec<_> = (0..10).map(|_| shop.pay_slowly()).collect();
    shop.wait_for_load(PAYING, 10);
    let (fan, held) = &shop.fans[0];
    assert_turned_away(&pay(shop.booking.target(), fan, held, "pm_test_success"));
    drop(holding);
    shop.wait_for_load(IN_FLIGHT, 0);
    assert_eq!(shop.browse().status, 200, "with room again");
    for payment in paying {
        assert_eq!(payment.join().unwrap(), 200);
    }
    let (fan, held) = &shop.fans[0];
    let status = pay(shop.booking.target(), fan, held, "pm_test_success").status;
    assert_eq!(status, 200, "with room again");
    let metrics = shop.booking.metrics().get("/metrics", None).unwrap().body;
    for priority in ["browse", "hold", "commit"] {
        let series = format!("usher_gate_refused_total{{priority=\"{priority}\"}} 1");
        assert!(metrics.contains(&series), "no {series}");
    }
}
