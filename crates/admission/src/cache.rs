//! Small JSON values in Redis that one side writes and another reads: status,
//! stock, signals, policy. Each carries its time or its revision, so that a reader
//! can tell old from new without a clock of Redis's.

use redis::Cmd;
use serde::Serialize;
use serde::de::DeserializeOwned;
use usher_base::redis::{CallError, Redis};

/// A larger value is not one of ours (the law's memory is the largest: 171 kB with the
/// longest claim window).
const MAX_VALUE_BYTES: usize = 256 * 1024;

/// Writes a value that is gone when nobody writes it anew.
pub(crate) async fn put<T: Serialize>(
    redis: &Redis,
    key: String,
    value: &T,
    fades_after_seconds: u64,
) -> Result<(), CallError> {
    let mut set = set(key, value);
    set.arg("EX").arg(fades_after_seconds);
    redis.command(set).await
}

/// Writes a value that stays.
pub(crate) async fn keep<T: Serialize>(
    redis: &Redis,
    key: String,
    value: &T,
) -> Result<(), CallError> {
    redis.command(set(key, value)).await
}

/// `None` when nobody wrote it lately, or what stands there cannot be read.
pub(crate) async fn get<T: DeserializeOwned>(
    redis: &Redis,
    key: String,
) -> Result<Option<T>, CallError> {
    let mut get = ::redis::cmd("GET");
    get.arg(key);
    let text: Option<Vec<u8>> = redis.command(get).await?;
    Ok(text.and_then(|text| from_json(&text)))
}

pub(crate) fn to_json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("what is cached is plain data")
}

pub(crate) fn from_json<T: DeserializeOwned>(text: &[u8]) -> Option<T> {
    if text.len() > MAX_VALUE_BYTES {
        return None;
    }
    serde_json::from_slice(text).ok()
}

fn set<T: Serialize>(key: String, value: &T) -> Cmd {
    let mut set = ::redis::cmd("SET");
    set.arg(key).arg(to_json(value));
    set
}
