//! Redis fails over to its replica and back before anybody noticed, and what was
//! written in between is gone: the old master knows every script and the epoch,
//! so that only its replication id shows that this is another memory.

use std::net::{Ipv4Addr, SocketAddr};

use sqlx::PgPool;
use usher_base::Epoch;
use usher_base::redis::{Redis, TimeSource};
use usher_booking::pg::epoch;
use usher_sandbox::{Proxy, RedisOptions, Sandbox};

use crate::common::{settings, wait_for};
use crate::shoppers::{Sale, WITHIN};

/// One plain command to one of the two servers.
fn tell(server: &usher_sandbox::Redis, words: &[&str]) -> String {
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_connection().unwrap();
    let mut command = redis::cmd(words[0]);
    for word in &words[1..] {
        command.arg(*word);
    }
    command.query(&mut connection).unwrap()
}

fn is_in_step(replica: &usher_sandbox::Redis) -> bool {
    tell(replica, &["INFO", "replication"]).contains("master_link_status:up")
}

/// Whether everything but the replication id says that nothing was lost.
async fn looks_whole(server: &usher_sandbox::Redis, epoch: Epoch) -> bool {
    let redis = Redis::new(&server.url(), &[], TimeSource::Server).unwrap();
    redis.remembers(epoch).await.unwrap()
}

#[tokio::test]
async fn a_failback_that_loses_a_write_is_noticed() {
    let sandbox = Sandbox::start().await.unwrap();
    let a = &sandbox.redis;
    let link = Proxy::start(SocketAddr::from((Ipv4Addr::LOCALHOST, a.port())));
    let link = link.await.unwrap();
    let b = usher_sandbox::Redis::start(RedisOptions {
        replica_of: Some(link.addr.port()),
        ..RedisOptions::default()
    });
    let b = b.await.unwrap();
    let sale = Sale::start(|keys| settings(&sandbox, keys).with("REDIS_REPLICATED", "true"));
    let pool = PgPool::connect(&sandbox.postgres.url()).await.unwrap();
    let before = epoch::read(&pool).await.unwrap();
    sale.wait_for_sales("the sale runs");
    link.cut();
    sale.wait_for_sales("orders that only A has heard of");
    sale.turned_away();

    tell(&b, &["REPLICAOF", "NO", "ONE"]);
    let b_port = b.port().to_string();
    tell(a, &["REPLICAOF", "127.0.0.1", &b_port]);
    wait_for(WITHIN, "A has B's memory", || is_in_step(a).then_some(()));
    assert!(looks_whole(a, before).await, "the other signs show it too");
    tell(a, &["REPLICAOF", "NO", "ONE"]);

    sale.wait_for_sales("it goes on after the failback");
    assert!(sale.turned_away() > 0, "nobody was turned away");
    let after = epoch::read(&pool).await.unwrap();
    assert!(after > before, "the lost writes were not noticed");
    let told = sale.reconcile(&sandbox.postgres).await;
    // What A had forgotten was nobody's to hold, not even to lose it at the till.
    let resold = told
        .refused
        .iter()
        .filter(|why| why.contains("seat_unavailable"));
    assert_eq!(resold.count(), 0, "{:?}", told.refused);
}
