//! The Stripe client against `localstripe`, an independent stand-in for
//! Stripe's API from PyPI, over real HTTP. `scripts/setup.sh test` installs it.
#![allow(clippy::unwrap_used)]

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use usher_base::{Clock, OrderId, SystemClock};
use usher_booking::payments::stripe::{StripeClient, StripeProvider, open_notice};
use usher_booking::payments::{Charge, Money, PaymentProvider, ProviderError, Report, Standing};

const KEY: &str = "sk_test_1234567890";
const WEBHOOK_SECRET: &str = "whsec_test";

struct Stripe {
    provider: StripeProvider,
    base: String,
    _server: Child,
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

impl Stripe {
    async fn start() -> Self {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
        let program = root.join(".tools/localstripe/bin/localstripe");
        assert!(
            program.exists(),
            "localstripe is missing: run `scripts/setup.sh test`"
        );
        let port = free_port();
        let server = Command::new(program)
            .args(["--from-scratch", "--port", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let base = format!("http://127.0.0.1:{port}");
        let client = StripeClient::new(&base, KEY).unwrap();
        let stripe = Self {
            provider: StripeProvider::new(client),
            base,
            _server: server,
        };
        stripe.answers().await;
        stripe
    }

    async fn answers(&self) {
        let address = self.base.trim_start_matches("http://");
        for _ in 0..600 {
            if TcpStream::connect(address).await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("localstripe does not answer");
    }

    /// A call of the fan's browser or of the test itself, not of usher.
    async fn call(&self, path: &str, form: &str) -> serde_json::Value {
        let address = self.base.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
             Authorization: Bearer {KEY}\r\nContent-Length: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}",
            form.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        serde_json::from_str(body).unwrap_or_default()
    }

    /// A card as the fan's browser would register it.
    async fn card(&self, number: &str) -> String {
        let form = format!(
            "type=card&card[number]={number}&card[exp_month]=12&card[exp_year]=2030&card[cvc]=123"
        );
        let method = self.call("/v1/payment_methods", &form).await;
        method["id"].as_str().unwrap().to_owned()
    }
}

fn charge(method: &str) -> Charge {
    Charge {
        order: OrderId::new(SystemClock.now()),
        method: method.to_owned(),
        money: Money {
            amount: 5_000,
            currency: "EUR".into(),
        },
        reference: None,
    }
}

/// The charge as it goes on after a call.
fn known(charge: &Charge, report: &Report) -> Charge {
    Charge {
        reference: report.reference.clone(),
        ..charge.clone()
    }
}

#[tokio::test]
async fn money_is_set_aside_taken_and_given_back() {
    let stripe = Stripe::start().await;
    let unknown = charge("pm_card_visa");
    let looked = stripe.provider.look_up(&unknown).await.unwrap();
    assert_eq!(looked.standing, Standing::Absent);

    let authorised = stripe.provider.authorise(&unknown).await.unwrap();
    assert_eq!(authorised.standing, Standing::Authorised);
    let charge = known(&unknown, &authorised);
    for _ in 0..2 {
        // The second time Stripe refuses; the money is taken all the same.
        let captured = stripe.provider.capture(&charge).await.unwrap();
        assert_eq!(captured.standing, Standing::Captured);
    }
    let refunded = stripe.provider.refund(&charge).await.unwrap();
    assert_eq!(refunded.standing, Standing::Refunded);
    let looked = stripe.provider.look_up(&charge).await.unwrap();
    assert_eq!(looked.standing, Standing::Refunded);
}

#[tokio::test]
async fn a_decline_says_why_and_takes_nothing() {
    let stripe = Stripe::start().await;
    let declined = charge("pm_card_chargeCustomerFail");
    let report = stripe.provider.authorise(&declined).await.unwrap();
    let reason = "card_declined".to_owned();
    assert_eq!(report.standing, Standing::Declined { reason });
}

#[tokio::test]
async fn the_fan_confirms_and_the_money_is_set_aside() {
    let stripe = Stripe::start().await;
    let method = stripe.card("4000002500003155").await;
    let charge = charge(&method);
    let asked = stripe.provider.authorise(&charge).await.unwrap();
    let Standing::RequiresAction { client_secret } = &asked.standing else {
        panic!("{asked:?}");
    };
    let charge = known(&charge, &asked);
    let reference = charge.reference.as_deref().unwrap();
    let path = format!("/v1/payment_intents/{reference}/_authenticate");
    let form = format!("client_secret={client_secret}&success=true");
    stripe.call(&path, &form).await;

    let confirmed = stripe.provider.look_up(&charge).await.unwrap();
    assert_eq!(confirmed.standing, Standing::Authorised);
    let captured = stripe.provider.capture(&charge).await.unwrap();
    assert_eq!(captured.standing, Standing::Captured);
}

#[tokio::test]
async fn what_is_voided_stays_voided() {
    let stripe = Stripe::start().await;
    let method = stripe.card("4000002500003155").await;
    for method in ["pm_card_visa", &method] {
        let charge = charge(method);
        let report = stripe.provider.authorise(&charge).await.unwrap();
        let charge = known(&charge, &report);
        for _ in 0..2 {
            let voided = stripe.provider.void(&charge).await.unwrap();
            assert_eq!(voided.standing, Standing::Voided);
        }
    }
}

#[tokio::test]
async fn a_card_that_does_not_exist_is_our_mistake_and_a_dead_server_nobodys() {
    let stripe = Stripe::start().await;
    let rejected = stripe.provider.authorise(&charge("pm_nothing")).await;
    assert!(
        matches!(rejected, Err(ProviderError::Rejected(_))),
        "{rejected:?}"
    );

    let nobody = format!("http://127.0.0.1:{}", free_port());
    let nobody = StripeProvider::new(StripeClient::new(&nobody, KEY).unwrap());
    let lost = nobody.authorise(&charge("pm_card_visa")).await;
    assert!(matches!(lost, Err(ProviderError::Unknown(_))), "{lost:?}");
}

#[tokio::test]
async fn its_webhooks_can_be_opened() {
    let stripe = Stripe::start().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let form = format!("url={url}&secret={WEBHOOK_SECRET}");
    stripe.call("/_config/webhooks/usher", &form).await;

    let charge = charge("pm_card_visa");
    let authorised = stripe.provider.authorise(&charge).await.unwrap();
    let charge = known(&charge, &authorised);
    stripe.provider.capture(&charge).await.unwrap();
    let hears = tokio::time::timeout(Duration::from_secs(30), hear(listener));
    let (signature, body) = hears.await.unwrap();

    let now = SystemClock.now();
    let notice = open_notice(WEBHOOK_SECRET, &signature, &body, now).unwrap();
    assert_eq!(notice.kind, "payment_intent.succeeded");
    assert_eq!(notice.reference, charge.reference);
    assert_eq!(notice.order, Some(charge.order));
    assert!(open_notice("whsec_other", &signature, &body, now).is_err());
}

/// One webhook: its signature and its body.
async fn hear(listener: tokio::net::TcpListener) -> (String, Vec<u8>) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut heard = Vec::new();
    loop {
        let mut some = [0; 4096];
        let read = stream.read(&mut some).await.unwrap();
        heard.extend_from_slice(&some[..read]);
        let text = String::from_utf8_lossy(&heard);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let header = |name: &str| {
            let mut lines = head.lines().filter_map(|line| line.split_once(": "));
            let found = lines.find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.to_owned()).unwrap()
        };
        if body.len() == header("content-length").parse::<usize>().unwrap() {
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(answer).await.unwrap();
            return (header("stripe-signature"), body.as_bytes().to_vec());
        }
    }
}
