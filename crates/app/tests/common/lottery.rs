//! A lottery before its draw, over real roles: made, bound, gathered, decided.

use std::time::Duration;

use serde_json::{Value, json};
use usher_base::{Clock as _, EventId, Lane, SystemClock};
use usher_queue::draw::Evidence;
use usher_queue::pg::Store;
use usher_queue::{Ordering, Phase};
use usher_sandbox::Sandbox;

use super::http::Target;
use super::process::{Settings, run};
use super::{API_KEY, wait_for};

/// Of a step of a small draw.
pub const SOON: Duration = Duration::from_secs(20);
/// Even a million fans gather and are counted in this time.
const LIST_IS_FINAL_WITHIN: Duration = Duration::from_secs(900);

/// The demo's event as a lottery that nobody has opened yet.
pub async fn lottery(sandbox: &Sandbox, settings: &Settings) -> String {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/commands/demo/sample.toml");
    let made = run(&["event", "import", file], settings);
    assert!(made.is_success(), "{made:?}");
    let event = made.stdout.trim().to_owned();
    let store = Store::new(
        sqlx::PgPool::connect(&sandbox.postgres.url())
            .await
            .unwrap(),
    );
    let id: EventId = event.parse().unwrap();
    let mut row = store.line(id).await.unwrap();
    row.settings.ordering = Ordering::Lottery;
    let put = store.put_settings(id, &row.settings, &row.schedule);
    put.await.unwrap();
    event
}

/// Enters the public value as if its day had come.
pub async fn decide(sandbox: &Sandbox, event: &str, value: &str) {
    let url = sandbox.postgres.url();
    let store = Store::new(sqlx::PgPool::connect(&url).await.unwrap());
    let evidence = Evidence::PublicValue {
        value: value.to_owned(),
    };
    let tomorrow = SystemClock.now().plus(Duration::from_secs(86_400));
    let (id, lane) = (event.parse().unwrap(), Lane::main());
    let given = store.give_entropy(id, &lane, &evidence, tomorrow).await;
    given.unwrap();
}

/// The event, where fans and where operators meet it.
pub struct OnSale {
    pub event: String,
    pub edge: Target,
    pub booking: Target,
}

impl OnSale {
    pub fn admin(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let path = format!("/api/v1/admin/events/{}/{path}", self.event);
        let answer = self.booking.call(method, &path, Some(API_KEY), Some(body));
        let answer = answer.unwrap();
        (answer.status, answer.json())
    }

    pub fn phase(&self, phase: Phase) {
        wait_for(SOON, "the phase is taken", || {
            let (status, _) = self.admin("POST", "phase", &json!({ "phase": phase }));
            (status == 200).then_some(())
        });
    }

    /// What is public of the draw, once it is as `looked` for.
    pub fn draw(&self, what: &str, looked: impl Fn(&Value) -> bool) -> Value {
        self.draw_within(SOON, what, looked)
    }

    pub fn draw_within(
        &self,
        bound: Duration,
        what: &str,
        looked: impl Fn(&Value) -> bool,
    ) -> Value {
        let path = format!("/api/v1/events/{}/draw", self.event);
        wait_for(bound, what, || {
            let answer = self.edge.get(&path, None).ok()?;
            let first = answer.expect(200)[0].clone();
            looked(&first).then_some(first)
        })
    }

    /// Where the record is, once there is one.
    pub fn record_path(&self) -> String {
        format!("/api/v1/events/{}/draw/main/record", self.event)
    }
}

/// What `usher verify-draw` says of a record.
#[track_caller]
pub fn verdict(record: &str) -> bool {
    let ended = run(&["verify-draw", record], &Settings::default());
    assert!(matches!(ended.code, Some(0 | 1)), "{ended:?}");
    let accepted = ended.stdout.contains("ACCEPTED");
    assert_eq!(accepted, ended.is_success(), "{ended:?}");
    assert!(accepted || ended.stdout.contains("REJECTED"), "{ended:?}");
    accepted
}

/// A public value that nobody can know before the list is final.
pub fn rule_of_today() -> Value {
    let later = time::OffsetDateTime::now_utc() + LIST_IS_FINAL_WITHIN;
    let not_before = later
        .replace_nanosecond(0)
        .unwrap()
        .format(&time::format_description::well_known::Rfc3339)
        .unwrap();
    json!({ "source": "public_value", "description": "six numbers", "not_before": not_before })
}
