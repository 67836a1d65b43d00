//! `usher healthcheck`: one request to `/health/ready`, for container platforms
//! that have no HTTP client of their own.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const TIMEOUT: Duration = Duration::from_secs(3);
/// The status line is all that is read.
const MAX_ANSWER_BYTES: u64 = 1_024;

pub async fn run(address: &str) -> anyhow::Result<ExitCode> {
    let status = tokio::time::timeout(TIMEOUT, ask(address))
        .await
        .with_context(|| format!("{address} did not answer within 3 seconds"))??;
    if status != "200" {
        bail!("{address} is not ready: it answered {status}");
    }
    println!("ready");
    Ok(ExitCode::SUCCESS)
}

async fn ask(address: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address)
        .await
        .with_context(|| format!("nothing answers at {address}"))?;
    let request =
        format!("GET /health/ready HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream
        .take(MAX_ANSWER_BYTES)
        .read_to_end(&mut answer)
        .await?;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.split(' ').nth(1).unwrap_or("no status");
    Ok(status.to_owned())
}
