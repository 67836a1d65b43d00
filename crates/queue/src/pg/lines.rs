//! How an event's line is set up: settings, schedule, lanes.

use std::collections::HashMap;

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use usher_base::{EventId, Lane, Number, Timestamp};
use uuid::Uuid;

use super::columns::{count, maybe_time, number, seconds, text, to_count, to_seconds};
use super::{Store, StoreError};
use crate::line::LineSettings;
use crate::phase::{Phase, Schedule};
use crate::setup::{LaneSetup, Setup};
use crate::state::{LaneDoor, setup_fields};

#[derive(Clone, Debug)]
pub struct NewLine {
    pub event: EventId,
    pub setup: Setup,
}

/// A line as Postgres has it: the truth about phase and settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineRow {
    pub event: EventId,
    pub phase: Phase,
    /// Rises with every change.
    pub revision: u64,
    pub settings: LineSettings,
    pub schedule: Schedule,
    pub lanes: Vec<LaneRow>,
    /// Hashed with each subject that the shop names.
    pub identity_secret: Uuid,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneRow {
    pub setup: LaneSetup,
    /// The last number that may be handed out.
    pub block_end: Number,
}

impl LineRow {
    pub fn lane_names(&self) -> Vec<Lane> {
        let names = self.lanes.iter().map(|of| of.setup.lane.clone());
        names.collect()
    }

    pub fn setup(&self) -> Setup {
        Setup {
            settings: self.settings.clone(),
            schedule: self.schedule,
            lanes: self.lanes.iter().map(|of| of.setup.clone()).collect(),
        }
    }

    /// Settings, schedule, lanes and blocks as fields of the event's meta.
    pub(super) fn to_fields(&self) -> Vec<(String, String)> {
        let doors = self.lanes.iter().map(|of| LaneDoor {
            lane: of.setup.lane.clone(),
            needs_code: of.setup.needs_code,
        });
        let doors: Vec<_> = doors.collect();
        let mut fields = self.settings.to_fields();
        let secret = self.identity_secret.simple().to_string();
        fields.push(("identity_secret".to_owned(), secret));
        fields.extend(setup_fields(&self.schedule, &doors));
        for lane in &self.lanes {
            let name = format!("block:{}", lane.setup.lane);
            fields.push((name, lane.block_end.to_string()));
        }
        fields
    }
}

impl Store {
    /// Creates the line of an event in phase draft. Repeating it changes nothing.
    pub async fn create_line(&self, new: &NewLine) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin().await?;
        let created = sqlx::query(
            "INSERT INTO lines (event_id, ordering, room, claim_seconds, session_seconds,
                 grace_seconds, max_waiting, message, gathers_at, opens_at, closes_at, identity,
                 shop_keys, puzzle, captcha)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
             ON CONFLICT DO NOTHING",
        )
        .bind(new.event.uuid())
        .bind(new.setup.settings.ordering.as_str())
        .bind(new.setup.settings.room.as_str())
        .bind(to_seconds(new.setup.settings.claim_window))
        .bind(to_seconds(new.setup.settings.session))
        .bind(to_seconds(new.setup.settings.grace))
        .bind(to_count(new.setup.settings.max_waiting))
        .bind(new.setup.settings.message.as_deref())
        .bind(new.setup.schedule.gathers_at.map(Timestamp::to_datetime))
        .bind(new.setup.schedule.opens_at.map(Timestamp::to_datetime))
        .bind(new.setup.schedule.closes_at.map(Timestamp::to_datetime))
        .bind(new.setup.settings.identity.as_str())
        .bind(new.setup.settings.shop_keys.as_deref())
        .bind(to_count(new.setup.settings.puzzle))
        .bind(new.setup.settings.captcha)
        .execute(&mut *transaction)
        .await?;
        if created.rows_affected() == 1 {
            for setup in &new.setup.lanes {
                insert_lane(&mut transaction, new.event, setup).await?;
            }
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Adds a lane, or changes the weight and the door of one that exists.
    pub async fn put_lane(&self, event: EventId, setup: &LaneSetup) -> Result<(), StoreError> {
        let mut connection = self.pool.acquire().await?;
        insert_lane(&mut connection, event, setup).await
    }

    /// Replaces the settings; the mirror takes them to Redis with the next tick.
    pub async fn put_settings(
        &self,
        event: EventId,
        settings: &LineSettings,
        schedule: &Schedule,
    ) -> Result<(), StoreError> {
        let mut connection = self.pool.acquire().await?;
        write_settings(&mut connection, event, settings, schedule).await
    }

    pub async fn line(&self, event: EventId) -> Result<LineRow, StoreError> {
        let row = sqlx::query("SELECT * FROM lines WHERE event_id = $1")
            .bind(event.uuid())
            .fetch_optional(&self.pool)
            .await?;
        let row = row.ok_or(StoreError::NoLine)?;
        let mut line = line_row(&row)?;
        add_lanes(&self.pool, std::slice::from_mut(&mut line)).await?;
        Ok(line)
    }

    /// Ends the line of an event that was deleted: no leader looks after it again.
    pub async fn retire(&self, event: EventId) -> Result<(), StoreError> {
        let query = "UPDATE lines SET phase = 'closed', revision = revision + 1
                     WHERE event_id = $1 AND phase <> 'closed'";
        sqlx::query(query)
            .bind(event.uuid())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Every line that has not ended: what a leader looks after.
    pub async fn live_lines(&self) -> Result<Vec<LineRow>, StoreError> {
        let query = "SELECT * FROM lines WHERE phase <> 'closed' ORDER BY event_id";
        let rows = sqlx::query(query).fetch_all(&self.pool).await?;
        let mut lines: Vec<LineRow> = rows.iter().map(line_row).collect::<Result<_, _>>()?;
        add_lanes(&self.pool, &mut lines).await?;
        Ok(lines)
    }
}

/// One query for the lanes of all these lines.
pub(super) async fn add_lanes(
    executor: impl sqlx::PgExecutor<'_>,
    lines: &mut [LineRow],
) -> Result<(), StoreError> {
    let events: Vec<Uuid> = lines.iter().map(|line| line.event.uuid()).collect();
    // The main lane first, then by name: one order everywhere.
    let query = "SELECT * FROM lanes WHERE event_id = ANY($1) ORDER BY lane <> 'main', lane";
    let rows = sqlx::query(query).bind(&events).fetch_all(executor).await?;
    let mut lanes: HashMap<EventId, Vec<LaneRow>> = HashMap::new();
    for row in &rows {
        let event = EventId::from_uuid(row.try_get("event_id")?);
        lanes.entry(event).or_default().push(lane_row(row)?);
    }
    for line in lines {
        line.lanes = lanes.remove(&line.event).unwrap_or_default();
    }
    Ok(())
}

pub(super) async fn write_settings(
    connection: &mut PgConnection,
    event: EventId,
    settings: &LineSettings,
    schedule: &Schedule,
) -> Result<(), StoreError> {
    let done = sqlx::query(
        "UPDATE lines SET ordering = $2, room = $3, claim_seconds = $4, session_seconds = $5,
             grace_seconds = $6, max_waiting = $7, message = $8, gathers_at = $9,
             opens_at = $10, closes_at = $11, identity = $12, shop_keys = $13, puzzle = $14,
             captcha = $15, revision = revision + 1
         WHERE event_id = $1",
    )
    .bind(event.uuid())
    .bind(settings.ordering.as_str())
    .bind(settings.room.as_str())
    .bind(to_seconds(settings.claim_window))
    .bind(to_seconds(settings.session))
    .bind(to_seconds(settings.grace))
    .bind(to_count(settings.max_waiting))
    .bind(settings.message.as_deref())
    .bind(schedule.gathers_at.map(Timestamp::to_datetime))
    .bind(schedule.opens_at.map(Timestamp::to_datetime))
    .bind(schedule.closes_at.map(Timestamp::to_datetime))
    .bind(settings.identity.as_str())
    .bind(settings.shop_keys.as_deref())
    .bind(to_count(settings.puzzle))
    .bind(settings.captcha)
    .execute(connection)
    .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::NoLine);
    }
    Ok(())
}

/// A line without its lanes, which stand in a table of their own.
pub(super) fn line_row(row: &PgRow) -> Result<LineRow, StoreError> {
    Ok(LineRow {
        event: EventId::from_uuid(row.try_get("event_id")?),
        phase: text(row, "phase")?,
        revision: row.try_get::<i64, _>("revision")?.cast_unsigned(),
        settings: LineSettings {
            ordering: text(row, "ordering")?,
            room: text(row, "room")?,
            claim_window: seconds(row, "claim_seconds")?,
            session: seconds(row, "session_seconds")?,
            grace: seconds(row, "grace_seconds")?,
            max_waiting: count(row, "max_waiting")?,
            message: row.try_get("message")?,
            identity: text(row, "identity")?,
            shop_keys: row.try_get("shop_keys")?,
            puzzle: count(row, "puzzle")?,
            captcha: row.try_get("captcha")?,
        },
        schedule: Schedule {
            gathers_at: maybe_time(row, "gathers_at")?,
            opens_at: maybe_time(row, "opens_at")?,
            closes_at: maybe_time(row, "closes_at")?,
        },
        lanes: Vec::new(),
        identity_secret: row.try_get("identity_secret")?,
    })
}

fn lane_row(row: &PgRow) -> Result<LaneRow, StoreError> {
    Ok(LaneRow {
        setup: LaneSetup {
            lane: text(row, "lane")?,
            weight: count(row, "weight")?,
            needs_code: row.try_get("needs_code")?,
        },
        block_end: number(row, "block_end")?,
    })
}

pub(super) async fn insert_lane(
    connection: &mut PgConnection,
    event: EventId,
    setup: &LaneSetup,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO lanes (event_id, lane, weight, needs_code) VALUES ($1, $2, $3, $4)
         ON CONFLICT (event_id, lane)
         DO UPDATE SET weight = excluded.weight, needs_code = excluded.needs_code",
    )
    .bind(event.uuid())
    .bind(setup.lane.as_str())
    .bind(to_count(setup.weight))
    .bind(setup.needs_code)
    .execute(connection)
    .await?;
    Ok(())
}
