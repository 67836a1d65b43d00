//! A payment provider's webhooks over HTTP: forged, stale, replayed, out of
//! order and about unknown payments. Whatever one says, it decides nothing: the
//! order stays as it is until the provider itself was asked.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{SystemTime, UNIX_EPOCH};

use common::http::Target;
use common::process::Usher;
use common::{settings, signing_keys};
use ring::hmac;
use serde_json::{Value, json};
use sqlx::PgPool;
use usher_sandbox::Sandbox;
use uuid::Uuid;

const SECRET: &str = "whsec_of_this_test";
const REFERENCE: &str = "pi_of_this_test";

struct Till {
    _sandbox: Sandbox,
    pool: PgPool,
    usher: Usher,
}

impl Till {
    async fn start() -> Self {
        let sandbox = Sandbox::start().await.unwrap();
        // Nobody listens there: what Stripe says itself stays unknown.
        let settings = settings(&sandbox, &signing_keys())
            .with("PAYMENT_PROVIDER", "stripe")
            .with("STRIPE_SECRET_KEY", "sk_test_of_this_test")
            .with("STRIPE_WEBHOOK_SECRET", SECRET)
            .with("STRIPE_API_BASE", "http://127.0.0.1:1");
        let pool = PgPool::connect(&sandbox.postgres.url()).await.unwrap();
        let usher = Usher::serve("booking", &settings);
        Self {
            _sandbox: sandbox,
            pool,
            usher,
        }
    }

    /// An order that waits for its payment; not due for the reconciler.
    async fn order(&self) -> Uuid {
        let id = Uuid::new_v4();
        sqlx::query(
            "INSERT INTO orders (id, number, event_id, fan_id, reservation_id, state, amount,
                 currency, billing, epoch, pay_by)
             VALUES ($1, 'TEST-ORDER', $2, $3, $2, 'pending', 3900, 'EUR', '{}', 1,
                 now() + interval '15 minutes')",
        )
        .bind(id)
        .bind(Uuid::new_v4())
        .bind([7_u8; 16].as_slice())
        .execute(&self.pool)
        .await
        .unwrap();
        sqlx::query(
            "INSERT INTO payments (order_id, provider, method, state, amount, currency, reference)
             VALUES ($1, 'stripe', 'pm_card', 'pending', 3900, 'EUR', $2)",
        )
        .bind(id)
        .bind(REFERENCE)
        .execute(&self.pool)
        .await
        .unwrap();
        id
    }

    async fn state(&self, order: Uuid) -> String {
        let read = sqlx::query_scalar("SELECT state FROM orders WHERE id = $1");
        read.bind(order).fetch_one(&self.pool).await.unwrap()
    }

    async fn notices(&self) -> i64 {
        let count = sqlx::query_scalar("SELECT count(*) FROM provider_notices");
        count.fetch_one(&self.pool).await.unwrap()
    }

    /// As Stripe sends it, signed `age` seconds ago with `secret`.
    fn send(&self, secret: &str, age: u64, body: &str) -> (u16, Value) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let at = now.as_secs() - age;
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let proof = hmac::sign(&key, format!("{at}.{body}").as_bytes());
        let signature = format!("t={at},v1={}", hex::encode(proof));
        post(&self.usher.target(), &signature, body)
    }

    fn taken(&self, body: &str) -> Value {
        let (status, answer) = self.send(SECRET, 0, body);
        assert_eq!(status, 200, "{answer}");
        answer["taken"].clone()
    }
}

fn post(target: &Target, signature: &str, body: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(target.0).unwrap();
    let request = format!(
        "POST /webhooks/stripe HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\
         stripe-signature: {signature}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        target.0,
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap())
}

fn notice(id: &str, kind: &str, reference: &str) -> String {
    let object = json!({ "object": "payment_intent", "id": reference });
    json!({ "id": id, "type": kind, "data": { "object": object } }).to_string()
}

#[tokio::test]
async fn forged_stale_and_broken_ones_leave_no_trace() {
    let till = Till::start().await;
    let order = till.order().await;
    let paid = notice("evt_1", "payment_intent.succeeded", REFERENCE);
    for (secret, age) in [("whsec_of_somebody_else", 0), (SECRET, 301)] {
        let (status, answer) = till.send(secret, age, &paid);
        assert_eq!(status, 400, "{answer}");
        assert_eq!(answer["error"], "webhook_refused");
    }
    let target = till.usher.target();
    assert_eq!(post(&target, "t=soon,v1=00", &paid).0, 400);
    assert_eq!(till.send(SECRET, 0, "{}").0, 400);
    assert_eq!(till.notices().await, 0);
    assert_eq!(till.state(order).await, "pending");
    // The refused one was not remembered: the genuine one is still taken.
    assert_eq!(till.taken(&paid), "noted");
}

#[tokio::test]
async fn replayed_and_unordered_ones_decide_nothing() {
    let till = Till::start().await;
    let order = till.order().await;
    let refunded = notice("evt_3", "charge.refunded", REFERENCE);
    let paid = notice("evt_2", "payment_intent.succeeded", REFERENCE);
    let created = notice("evt_1", "payment_intent.created", REFERENCE);
    for first in [&refunded, &paid, &created] {
        assert_eq!(till.taken(first), "noted");
    }
    for again in [&created, &paid, &refunded] {
        assert_eq!(till.taken(again), "again");
    }
    assert_eq!(till.notices().await, 3);
    let state = till.state(order).await;
    assert!(!matches!(state.as_str(), "paid" | "refunded"), "{state}");
}

#[tokio::test]
async fn one_about_an_unknown_payment_is_taken_once_and_told_so() {
    let till = Till::start().await;
    let stranger = notice("evt_9", "payment_intent.succeeded", "pi_of_another_shop");
    assert_eq!(till.taken(&stranger), "unknown");
    assert_eq!(till.taken(&stranger), "again");
    let log = till.usher.log();
    assert!(!log.contains(SECRET), "the secret is in the log");
}
