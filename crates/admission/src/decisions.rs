//! The flight recorder of decisions: each second's inputs, state and clause, in a
//! bounded stream in Redis. What was released on them is in Postgres.

use redis::streams::StreamRangeReply;
use usher_base::redis::{CallError, Redis};
use usher_base::{EventId, Timestamp};

use crate::cache::{from_json, to_json};
use crate::control::Decision;
use crate::keys;

/// Decisions kept: nearly three hours of seconds.
const MAX_DECISIONS: usize = 10_000;
/// Decisions that one reading returns at most: an hour of seconds.
const MAX_DECISIONS_PER_READ: usize = 3_600;
/// Those of an event that is over are kept this long.
const FADE_AFTER_SECONDS: u64 = 7 * 24 * 3600;
const FIELD: &str = "decision";

/// The decisions of a span of time, oldest first; a longer one is cut at an hour.
pub async fn decisions_between(
    redis: &Redis,
    event: EventId,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Decision>, CallError> {
    let mut range = ::redis::cmd("XRANGE");
    range.arg(keys::decisions(event));
    range.arg(from.millis()).arg(to.millis());
    range.arg("COUNT").arg(MAX_DECISIONS_PER_READ);
    let found: StreamRangeReply = redis.command(range).await?;
    let decisions = found.ids.iter().filter_map(|entry| {
        let text: Vec<u8> = entry.get(FIELD)?;
        from_json(&text)
    });
    Ok(decisions.collect())
}

pub(crate) async fn record(
    redis: &Redis,
    event: EventId,
    decision: &Decision,
) -> Result<(), CallError> {
    let key = keys::decisions(event);
    let mut add = ::redis::cmd("XADD");
    add.arg(&key).arg("MAXLEN").arg("~").arg(MAX_DECISIONS);
    add.arg("*").arg(FIELD).arg(to_json(decision));
    let mut fade = ::redis::cmd("EXPIRE");
    fade.arg(&key).arg(FADE_AFTER_SECONDS);
    let (added, faded) = tokio::join!(redis.command::<String>(add), redis.command::<i64>(fade));
    added.and(faded.map(drop))
}
