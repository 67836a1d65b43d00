//! What an entry of Redis's slow log (`SLOWLOG GET`) tells of a script, for those who
//! measure how long scripts hold Redis.

use std::time::Duration;

use redis::Value;

/// A script that was slow by the wall clock.
#[derive(Clone, Debug)]
pub struct SlowScript {
    /// Its second key, without what is before the event's tag: says which it was.
    pub key: String,
    pub took: Duration,
}

impl SlowScript {
    /// `None` for whatever was not called by EVALSHA.
    pub fn of(entry: &Value) -> Option<Self> {
        let Value::Array(fields) = entry else {
            return None;
        };
        let (Value::Int(micros), words) = (fields.get(2)?, fields.get(3)?) else {
            return None;
        };
        let words: Vec<Vec<u8>> = redis::from_redis_value_ref(words).ok()?;
        if words.first()? != b"EVALSHA" {
            return None;
        }
        let key = words.get(4).map(|key| String::from_utf8_lossy(key));
        let key = key.unwrap_or_default();
        Some(Self {
            key: key.rsplit("}:").next().unwrap_or_default().to_owned(),
            took: Duration::from_micros(micros.unsigned_abs()),
        })
    }
}
