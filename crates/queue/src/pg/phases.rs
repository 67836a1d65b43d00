//! Changing an event's phase: the truth is in Postgres, Redis is told; only a
//! pause goes to Redis first, because nobody may be released after it.

use sqlx::Row;
use sqlx::postgres::PgRow;
use usher_base::redis::{Hint, HintKind};
use usher_base::{EventId, Timestamp};

use super::columns::text;
use super::lines::LineRow;
use super::{Store, StoreError};
use crate::line::Line;
use crate::phase::{Ordering, Phase};

impl Store {
    /// Changes the phase if it may follow the present one, and tells Redis, with the
    /// settings that hold in it.
    /// `Drawing` reaches Redis by the freeze of the draw, not from here.
    pub async fn change_phase(
        &self,
        line: &Line,
        event: EventId,
        to: Phase,
    ) -> Result<(), StoreError> {
        if to == Phase::Paused {
            match self.allowed_revision(event, to).await {
                Ok(next) => {
                    line.configure(event, Some(next), vec![phase_field(to)])
                        .await?;
                }
                // A pause bites even while Postgres is away, and then says it did not stick.
                Err(error) if error.is_passing() => line.set_phase(event, to).await?,
                Err(error) => return Err(error),
            }
        }
        if to == Phase::Gathering {
            self.commit_missing(event).await?;
        }
        self.write_phase(event, to).await?;
        // With the settings: whoever joins in this phase must not meet those of before,
        // should no leader have taken them to Redis yet.
        let row = self.line(event).await?;
        Box::pin(self.mirror(line, &row)).await?;
        let kind = HintKind::Changed;
        // A hint that is lost costs a tick.
        let _ = line.redis().hint(Hint { event, kind }).await;
        Ok(())
    }

    /// Takes what Postgres says to Redis: each tick of the leader. A row that was
    /// read before a newer change is left aside.
    pub async fn mirror(&self, line: &Line, row: &LineRow) -> Result<(), StoreError> {
        let mut fields = row.to_fields();
        if row.phase != Phase::Drawing {
            fields.push(phase_field(row.phase));
        }
        if row.settings.ordering == Ordering::Lottery {
            fields.extend(self.draw_fields(row).await?);
        }
        line.configure(row.event, Some(row.revision), fields)
            .await?;
        Ok(())
    }

    /// Follows the schedule: changes the phase if one is due, and says which.
    pub async fn follow_schedule(
        &self,
        line: &Line,
        row: &LineRow,
        now: Timestamp,
    ) -> Result<Option<Phase>, StoreError> {
        let due = row.schedule.due(row.phase, row.settings.ordering, now);
        if let Some(to) = due {
            self.change_phase(line, row.event, to).await?;
        }
        Ok(due)
    }

    /// The revision that the change would have, if it is allowed.
    async fn allowed_revision(&self, event: EventId, to: Phase) -> Result<u64, StoreError> {
        let query = "SELECT phase, ordering, revision FROM lines WHERE event_id = $1";
        let row = sqlx::query(query)
            .bind(event.uuid())
            .fetch_optional(&self.pool)
            .await?;
        next_revision(row.as_ref(), to)
    }

    pub(super) async fn write_phase(&self, event: EventId, to: Phase) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin().await?;
        let query = "SELECT phase, ordering, revision FROM lines WHERE event_id = $1 FOR UPDATE";
        let row = sqlx::query(query)
            .bind(event.uuid())
            .fetch_optional(&mut *transaction)
            .await?;
        let revision = next_revision(row.as_ref(), to)?;
        if to == Phase::Gathering && has_unbound_lane(&mut transaction, event).await? {
            return Err(StoreError::Unbound);
        }
        sqlx::query("UPDATE lines SET phase = $2, revision = $3 WHERE event_id = $1")
            .bind(event.uuid())
            .bind(to.as_str())
            .bind(revision.cast_signed())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }
}

/// A lane may have been added since the commitments were made.
async fn has_unbound_lane(
    tx: &mut sqlx::PgConnection,
    event: EventId,
) -> Result<bool, sqlx::Error> {
    let unbound = "SELECT EXISTS (SELECT 1 FROM lines JOIN lanes USING (event_id)
        LEFT JOIN draws USING (event_id, lane)
        WHERE event_id = $1 AND lines.ordering = 'lottery' AND draws.lane IS NULL)";
    sqlx::query_scalar(unbound)
        .bind(event.uuid())
        .fetch_one(tx)
        .await
}

fn next_revision(row: Option<&PgRow>, to: Phase) -> Result<u64, StoreError> {
    let row = row.ok_or(StoreError::NoLine)?;
    let (from, ordering): (Phase, Ordering) = (text(row, "phase")?, text(row, "ordering")?);
    from.change_to(to, ordering)?;
    let revision: i64 = row.try_get("revision")?;
    Ok(revision.cast_unsigned() + 1)
}

fn phase_field(phase: Phase) -> (String, String) {
    ("phase".to_owned(), phase.to_string())
}
