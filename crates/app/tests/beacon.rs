//! The beacon that decides a draw, fetched over HTTP: a true recorded round of
//! drand is taken, a forged one from the server before it is not.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use common::process::{Settings, Usher, run};
use common::{settings, signing_keys, wait_for};
use sqlx::PgPool;
use usher_base::signing::SigningKeys;
use usher_base::{EventId, FanId, Lane, Timestamp};
use usher_queue::draw::{DrawSecret, EntropyRule, FanList, RootNotice, Signed};
use usher_queue::pg::Store;
use usher_queue::{Ordering, Phase};
use usher_sandbox::Sandbox;

/// quicknet's round 9367912, as its servers answer it.
const ROUND: &str = r#"{"round":9367912,"randomness":"a646d1f17493408fdd89ee2ff71a0d1eab6087f23fdef7f60a2baec60436a496","signature":"845091b99635a8a5f93a15cd8622fae0c7ee5307fb5b888dc67ee4fe997b5b326dbd637bd7ab39e3188fd507ea94b314"}"#;
/// A root of this moment is decided by that round: docs/draw.md's example.
const ROOT_AT: &str = "2024-07-13T21:43:58.5Z";

/// A drand server that knows one answer; ends with the test.
fn drand(answer: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let mut request = [0; 1024];
            let read = client.read(&mut request).unwrap_or(0);
            let asked = String::from_utf8_lossy(&request[..read]).into_owned();
            assert!(asked.contains("/public/9367912 "), "{asked}");
            let length = answer.len();
            let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}");
            let _ = client.write_all(format!("{head}\r\n\r\n{answer}").as_bytes());
        }
    });
    address
}

/// A draw whose root was published when the recorded round was still to come.
async fn frozen_in_2024(pool: &PgPool, store: &Store, event: EventId, keys: &SigningKeys) {
    let lane = Lane::main();
    let secret = DrawSecret::from_bytes([0x5e; 32]);
    let rule = EntropyRule::default_drand();
    let commitment = store
        .commit_draw(event, &lane, &rule, &secret)
        .await
        .unwrap();
    let fans: Vec<FanId> = (1..=5).map(|byte| FanId::from_bytes([byte; 16])).collect();
    let bytes: Vec<u8> = fans.iter().flat_map(|fan| *fan.bytes()).collect();
    let at: Timestamp = serde_json::from_value(ROOT_AT.into()).unwrap();
    let notice = RootNotice {
        event,
        lane,
        commitment,
        fans: 5,
        root: FanList::new(fans).unwrap().root(),
        root_published_at: at,
    };
    let signed = Signed::new(notice, |bytes| keys.sign_bytes(bytes));
    let update = "UPDATE draws SET fans = $2, root = $3, root_published_at = $4, signed_by = $5,
        signature = $6 WHERE event_id = $1";
    let done = sqlx::query(update)
        .bind(event.uuid())
        .bind(bytes)
        .bind(&signed.statement.root[..])
        .bind(at.to_datetime())
        .bind(&keys.public_key(&signed.kid).unwrap()[..])
        .bind(&signed.signature[..]);
    done.execute(pool).await.unwrap();
    for phase in [Phase::Gathering, Phase::Drawing] {
        let set = "UPDATE lines SET phase = $2, revision = revision + 1 WHERE event_id = $1";
        let set = sqlx::query(set).bind(event.uuid()).bind(phase.as_str());
        set.execute(pool).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draw_is_decided_by_the_true_round_alone() {
    let sandbox = Sandbox::start().await.unwrap();
    let keys = signing_keys();
    let forged = drand(
        ROUND
            .replace("9367912,\"randomness", "9367912,\"previous")
            .replace("845091", "845092"),
    );
    let honest = drand(ROUND.to_owned());
    let servers = format!("http://{forged},http://{honest}");
    let settings: Settings = settings(&sandbox, &keys).with("DRAND_SERVERS", servers);
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/commands/demo/sample.toml");
    let made = run(&["event", "import", file], &settings);
    let event: EventId = made.stdout.trim().parse().unwrap();
    let pool = PgPool::connect(&sandbox.postgres.url()).await.unwrap();
    let store = Store::new(pool.clone());
    let mut row = store.line(event).await.unwrap();
    row.settings.ordering = Ordering::Lottery;
    let put = store.put_settings(event, &row.settings, &row.schedule);
    put.await.unwrap();
    let signing = SigningKeys::from_jwk_set(&keys, "x").unwrap();
    frozen_in_2024(&pool, &store, event, &signing).await;

    let admission = Usher::serve("admission", &settings);
    let decided = "SELECT evidence ->> 'source' FROM draws WHERE evidence IS NOT NULL";
    let source = wait_for(Duration::from_secs(20), "the round is taken", || {
        let found = sqlx::query_scalar::<_, String>(decided).fetch_optional(&pool);
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(found)).unwrap()
    });
    assert_eq!(source, "drand");
    wait_for(
        Duration::from_secs(20),
        "the server that failed is named",
        || {
            let asked = admission.log().contains("the next drand server is asked");
            asked.then_some(())
        },
    );
}
