//! Columns to types and back, each unreadable one named.

use std::str::FromStr;
use std::time::Duration;

use sqlx::Row;
use sqlx::postgres::PgRow;
use time::OffsetDateTime;
use usher_base::{FanId, Number, Timestamp};

use super::StoreError;

pub(super) fn text<T: FromStr>(row: &PgRow, column: &'static str) -> Result<T, StoreError> {
    let text: &str = row.try_get(column)?;
    text.parse().map_err(|_| StoreError::Corrupt(column))
}

pub(super) fn time(row: &PgRow, column: &'static str) -> Result<Timestamp, StoreError> {
    let at: OffsetDateTime = row.try_get(column)?;
    Ok(Timestamp::from_datetime(at))
}

pub(super) fn maybe_time(
    row: &PgRow,
    column: &'static str,
) -> Result<Option<Timestamp>, StoreError> {
    let at: Option<OffsetDateTime> = row.try_get(column)?;
    Ok(at.map(Timestamp::from_datetime))
}

pub(super) fn number(row: &PgRow, column: &'static str) -> Result<Number, StoreError> {
    let number: i64 = row.try_get(column)?;
    let number = u32::try_from(number).map_err(|_| StoreError::Corrupt(column))?;
    Ok(Number(number))
}

pub(super) fn count(row: &PgRow, column: &'static str) -> Result<u32, StoreError> {
    let count: i32 = row.try_get(column)?;
    u32::try_from(count).map_err(|_| StoreError::Corrupt(column))
}

pub(super) fn seconds(row: &PgRow, column: &'static str) -> Result<Duration, StoreError> {
    count(row, column).map(|seconds| Duration::from_secs(seconds.into()))
}

pub(super) fn fan(row: &PgRow, column: &'static str) -> Result<FanId, StoreError> {
    let bytes: &[u8] = row.try_get(column)?;
    let bytes = bytes.try_into().map_err(|_| StoreError::Corrupt(column))?;
    Ok(FanId::from_bytes(bytes))
}

/// A span as whole seconds for a column; the column's own check bounds it.
pub(super) fn to_seconds(span: Duration) -> i32 {
    i32::try_from(span.as_secs()).unwrap_or(i32::MAX)
}

pub(super) fn to_count(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
