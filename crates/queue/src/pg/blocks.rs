//! Number blocks: a lane may hand out numbers only up to an end that Postgres
//! knows, so that no number is given twice, whatever Redis forgets.

use usher_base::{EventId, Lane, Number};

use super::{Store, StoreError};
use crate::boards::LaneBoard;
use crate::line::Line;

/// How many numbers one lease adds.
pub const BLOCK_NUMBERS: u32 = 1_000_000;
/// The highest number a lane can have: its bitmaps are 12.5 MB then.
pub const MAX_NUMBER: u32 = 100_000_000;

impl Store {
    /// Raises the end of the lane's block so that `needed` lies within, and says
    /// how far it goes. Two who lease at once get one block together.
    pub async fn lease_block(
        &self,
        event: EventId,
        lane: &Lane,
        needed: Number,
    ) -> Result<Number, StoreError> {
        if needed.0 > MAX_NUMBER {
            return Err(StoreError::NumbersUsedUp);
        }
        let wanted = needed.0.div_ceil(BLOCK_NUMBERS) * BLOCK_NUMBERS;
        let end: Option<i64> = sqlx::query_scalar(
            "UPDATE lanes SET block_end = greatest(block_end, $3)
             WHERE event_id = $1 AND lane = $2 RETURNING block_end",
        )
        .bind(event.uuid())
        .bind(lane.as_str())
        .bind(i64::from(wanted))
        .fetch_optional(&self.pool)
        .await?;
        let end = end.ok_or(StoreError::NoLine)?;
        let end = u32::try_from(end).map_err(|_| StoreError::Corrupt("block_end"))?;
        Ok(Number(end))
    }

    /// Leases the next block once half of the present one is used, and tells
    /// Redis. True when it did.
    pub async fn renew_block(
        &self,
        line: &Line,
        event: EventId,
        board: &LaneBoard,
    ) -> Result<bool, StoreError> {
        let left = board.block_end.0.saturating_sub(board.last.0);
        if left > BLOCK_NUMBERS / 2 {
            return Ok(false);
        }
        let needed = Number(board.block_end.0.saturating_add(1));
        let end = self.lease_block(event, &board.lane, needed).await?;
        line.set_block(event, &board.lane, end).await?;
        Ok(true)
    }
}
