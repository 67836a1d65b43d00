//! The epoch of Redis's memory: one row, raised by whoever finds that Redis
//! may have forgotten something.

use sqlx::{PgConnection, PgPool};
use usher_base::{Epoch, Timestamp};

/// The epoch in force.
pub async fn read(pool: &PgPool) -> Result<Epoch, sqlx::Error> {
    let epoch: i64 = sqlx::query_scalar("SELECT epoch FROM deployment")
        .fetch_one(pool)
        .await?;
    Ok(from_column(epoch))
}

/// Compare-and-set: `Some(new)` for the one caller that raised it, `None` when
/// somebody else has done so since `seen`.
pub async fn raise(pool: &PgPool, seen: Epoch, reason: &str) -> Result<Option<Epoch>, sqlx::Error> {
    let raised: Option<i64> = sqlx::query_scalar(
        "UPDATE deployment SET epoch = epoch + 1, raised_at = now(), reason = $2
         WHERE epoch = $1 RETURNING epoch",
    )
    .bind(to_column(seen))
    .bind(reason)
    .fetch_optional(pool)
    .await?;
    Ok(raised.map(from_column))
}

/// The epoch and the time, with the row locked: nobody raises it before this
/// transaction ends, so what it writes is in every later rebuild.
pub(super) async fn lock(tx: &mut PgConnection) -> Result<(Epoch, Timestamp), sqlx::Error> {
    let (epoch, now): (i64, time::OffsetDateTime) =
        sqlx::query_as("SELECT epoch, clock_timestamp() FROM deployment FOR SHARE")
            .fetch_one(tx)
            .await?;
    Ok((from_column(epoch), Timestamp::from_datetime(now)))
}

pub(super) fn to_column(epoch: Epoch) -> i64 {
    i64::try_from(epoch.0).unwrap_or(i64::MAX)
}

fn from_column(epoch: i64) -> Epoch {
    Epoch(u64::try_from(epoch).unwrap_or(0))
}
