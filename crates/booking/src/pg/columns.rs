//! Small conversions between what a column holds and what the crate means.

use std::str::FromStr;

use usher_base::{FanId, Timestamp};

/// A count as Postgres's `integer`; none of ours comes near its end.
pub fn int(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// A word that a CHECK constraint promises to be one of ours.
pub fn parse<T: FromStr>(text: &str) -> Result<T, sqlx::Error>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    text.parse()
        .map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

pub fn fan(bytes: &[u8]) -> Result<FanId, sqlx::Error> {
    let bytes: [u8; 16] = bytes
        .try_into()
        .map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    Ok(FanId::from_bytes(bytes))
}

/// A count that a CHECK constraint promises not to be negative.
pub fn count(column: i32) -> u32 {
    u32::try_from(column).unwrap_or(0)
}

pub fn at(column: time::OffsetDateTime) -> Timestamp {
    Timestamp::from_datetime(column)
}
