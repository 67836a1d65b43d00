//! An operator's change of how a line is set up: judged against what is settled and
//! written in one transaction, so that two changes at once cannot mix.

use usher_base::{EventId, Lane, Number};

use super::lines::{LineRow, add_lanes, insert_lane, line_row, write_settings};
use super::{Store, StoreError};
use crate::setup::{Settled, SetupPatch};

impl Store {
    /// Changes what the patch gives and returns the line as it is then.
    pub async fn set_up(&self, event: EventId, patch: SetupPatch) -> Result<LineRow, StoreError> {
        let mut transaction = self.pool.begin().await?;
        let row = sqlx::query("SELECT * FROM lines WHERE event_id = $1 FOR UPDATE")
            .bind(event.uuid())
            .fetch_optional(&mut *transaction)
            .await?;
        let mut row = line_row(&row.ok_or(StoreError::NoLine)?)?;
        add_lanes(&mut *transaction, std::slice::from_mut(&mut row)).await?;
        let drawn: Vec<String> = sqlx::query_scalar("SELECT lane FROM draws WHERE event_id = $1")
            .bind(event.uuid())
            .fetch_all(&mut *transaction)
            .await?;
        let drawn = drawn.iter().map(|lane| lane.parse());
        let settled = Settled {
            phase: row.phase,
            drawn: drawn
                .collect::<Result<_, _>>()
                .map_err(|_| StoreError::Corrupt("draws.lane"))?,
        };
        let new = patch.apply(&row.setup(), &settled)?;
        write_settings(&mut transaction, event, &new.settings, &new.schedule).await?;
        let kept: Vec<&str> = new.lanes.iter().map(|setup| setup.lane.as_str()).collect();
        sqlx::query("DELETE FROM lanes WHERE event_id = $1 AND lane <> ALL($2)")
            .bind(event.uuid())
            .bind(&kept)
            .execute(&mut *transaction)
            .await?;
        for setup in &new.lanes {
            insert_lane(&mut transaction, event, setup).await?;
        }
        transaction.commit().await?;
        self.lease_first_blocks(event, &row.lane_names(), &kept)
            .await?;
        self.line(event).await
    }

    /// Only the message, so that a change of the setup at the same time stays.
    pub async fn put_message(
        &self,
        event: EventId,
        message: Option<&str>,
    ) -> Result<LineRow, StoreError> {
        let query = "UPDATE lines SET message = $2, revision = revision + 1 WHERE event_id = $1";
        let done = sqlx::query(query)
            .bind(event.uuid())
            .bind(message)
            .execute(&self.pool)
            .await?;
        if done.rows_affected() == 0 {
            return Err(StoreError::NoLine);
        }
        self.line(event).await
    }

    /// A new lane gives numbers at once, not only when the leader looks at it next.
    async fn lease_first_blocks(
        &self,
        event: EventId,
        known: &[Lane],
        lanes: &[&str],
    ) -> Result<(), StoreError> {
        for name in lanes {
            if known.iter().all(|lane| lane.as_str() != *name) {
                let lane = name
                    .parse()
                    .map_err(|_| StoreError::Corrupt("lanes.lane"))?;
                self.lease_block(event, &lane, Number(1)).await?;
            }
        }
        Ok(())
    }
}
