//! The proxy between usher and a server: slow, cut, deaf, and healed again.
#![allow(clippy::unwrap_used)]

use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use usher_sandbox::{Proxy, Redis, Sandbox};

const NO_ANSWER: Duration = Duration::from_millis(300);
const DELAY: Duration = Duration::from_millis(80);

async fn redis_behind_proxy() -> (Redis, Proxy) {
    let redis = Sandbox::redis_only().await.unwrap();
    let proxy = Proxy::start((Ipv4Addr::LOCALHOST, redis.port()).into())
        .await
        .unwrap();
    (redis, proxy)
}

async fn ask(stream: &mut TcpStream, command: &str) -> std::io::Result<String> {
    stream.write_all(command.as_bytes()).await?;
    stream.write_all(b"\r\n").await?;
    let mut answer = [0; 64];
    let length = stream.read(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer[..length]).trim().to_owned())
}

/// Whether the connection was ended from the other side, in order or not.
async fn has_ended(stream: &mut TcpStream) -> bool {
    let read = timeout(Duration::from_secs(5), stream.read(&mut [0; 8])).await;
    matches!(read, Ok(Ok(0) | Err(_)))
}

#[tokio::test]
async fn a_delay_counts_in_each_direction_and_spares_throughput() {
    let (_redis, proxy) = redis_behind_proxy().await;
    let mut stream = TcpStream::connect(proxy.addr).await.unwrap();
    assert_eq!(ask(&mut stream, "PING").await.unwrap(), "+PONG");
    proxy.set_delay(DELAY);
    let begun = Instant::now();
    assert_eq!(ask(&mut stream, "PING").await.unwrap(), "+PONG");
    assert!(begun.elapsed() >= 2 * DELAY);

    // 40 chunks of 64 kB: one after the other they would take 40 delays.
    let value = "x".repeat(2_560_000);
    let begun = Instant::now();
    let set = format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${}\r\n{value}", value.len());
    assert_eq!(ask(&mut stream, &set).await.unwrap(), "+OK");
    assert!(begun.elapsed() < 20 * DELAY, "took {:?}", begun.elapsed());
}

#[tokio::test]
async fn a_cut_ends_old_and_new_connections_until_healed() {
    let (_redis, proxy) = redis_behind_proxy().await;
    let mut old = TcpStream::connect(proxy.addr).await.unwrap();
    assert_eq!(ask(&mut old, "PING").await.unwrap(), "+PONG");
    proxy.cut();
    assert!(has_ended(&mut old).await);
    let mut new = TcpStream::connect(proxy.addr).await.unwrap();
    assert!(has_ended(&mut new).await);
    proxy.heal();
    let mut healed = TcpStream::connect(proxy.addr).await.unwrap();
    assert_eq!(ask(&mut healed, "PING").await.unwrap(), "+PONG");
}

#[tokio::test]
async fn a_connection_does_not_outlive_a_cut_however_short() {
    let (_redis, proxy) = redis_behind_proxy().await;
    let mut stream = TcpStream::connect(proxy.addr).await.unwrap();
    assert_eq!(ask(&mut stream, "PING").await.unwrap(), "+PONG");
    proxy.cut();
    proxy.heal();
    assert!(has_ended(&mut stream).await);
}

#[tokio::test]
async fn with_lost_replies_the_command_is_carried_out_all_the_same() {
    let (redis, proxy) = redis_behind_proxy().await;
    let mut stream = TcpStream::connect(proxy.addr).await.unwrap();
    assert_eq!(ask(&mut stream, "PING").await.unwrap(), "+PONG");
    proxy.drop_replies();
    let lost = timeout(NO_ANSWER, ask(&mut stream, "INCR sold")).await;
    assert!(lost.is_err(), "an answer came through: {lost:?}");
    let direct = (Ipv4Addr::LOCALHOST, redis.port());
    let mut direct = TcpStream::connect(direct).await.unwrap();
    assert_eq!(ask(&mut direct, "INCR sold").await.unwrap(), ":2");
    proxy.heal();
    assert!(has_ended(&mut stream).await);
    let mut healed = TcpStream::connect(proxy.addr).await.unwrap();
    assert_eq!(ask(&mut healed, "INCR sold").await.unwrap(), ":3");
}
