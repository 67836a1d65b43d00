//! Bringing a line back after Redis lost its memory: settings and numbers from
//! Postgres, positions from the checkpoint, who was let in from the log of
//! releases. The fans themselves are put back by the edges that have them
//! connected and by their tokens; until then their numbers stand for them, so
//! that nobody's position changes. Runs while the event is rebuilding; a repeat
//! begins anew.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use usher_base::{EventId, FanId, Lane, Number, Timestamp};

use super::columns::{fan, number, text, time};
use super::lines::LineRow;
use super::{Store, StoreError};
use crate::line::{Ended, Inside, LaneMemory, Line};
use crate::phase::Phase;

/// How long nobody is released, so that fans can come back first.
pub const SETTLE_FOR: Duration = Duration::from_secs(30);
/// Ends older than this concern no token that is still alive.
const ENDS_MATTER_FOR: Duration = Duration::from_secs(4 * 3600);

/// What was brought back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rebuilt {
    pub waiting: u32,
    /// In a session when it happened.
    pub active: usize,
    /// Released before it happened; called again with a fresh claim window.
    pub readmitted: usize,
}

/// One fan of one release of late.
struct LateRelease {
    at: Timestamp,
    lane: Lane,
    number: Number,
    fan: FanId,
}

impl Store {
    /// Restores the event's line. An event without a line has none to restore.
    pub async fn rebuild(
        &self,
        line: &Line,
        event: EventId,
        now: Timestamp,
    ) -> Result<Rebuilt, StoreError> {
        let row = match self.line(event).await {
            Err(StoreError::NoLine) => return Ok(Rebuilt::default()),
            row => row?,
        };
        let recent = row.settings.claim_window + row.settings.session;
        let ended = self
            .ended_since(event, earlier(now, ENDS_MATTER_FOR))
            .await?;
        let late = self.releases_since(event, earlier(now, recent)).await?;
        let fields = self.rebuilt_meta(&row).await?;
        let lanes = row.lane_names();
        // A line that never had fans waits for nobody.
        let had_fans = !matches!(row.phase, Phase::Draft | Phase::Scheduled);
        let settle_for = if had_fans { SETTLE_FOR } else { Duration::ZERO };
        line.rebuild_event(event, &lanes, settle_for, &fields)
            .await?;

        let mut rebuilt = Rebuilt::default();
        let mut called_back = HashSet::new();
        for lane in &row.lanes {
            let name = &lane.setup.lane;
            let kept = self.kept_lane(event, name).await?;
            let (taken_at, mut memory) = kept.unwrap_or_default();
            note_releases(&mut memory, taken_at, &late, name, &mut called_back);
            note_ends(&mut memory, &ended, name);
            // Numbers given out since the checkpoint are unknown: go on behind them all.
            memory.last = lane.block_end;
            rebuilt.waiting += memory.alive.len();
            line.rebuild_lane(event, name, &memory).await?;
            self.rebuild_draw(line, event, name, now).await?;
        }

        let claim_by = now.plus(SETTLE_FOR + row.settings.claim_window);
        let inside = self.kept_inside(event).await?;
        let people = who_is_inside(inside, late, &ended, &called_back, now, claim_by);
        line.rebuild_inside(event, &people).await?;
        line.rebuild_ended(event, &ended).await?;
        rebuilt.active = people.iter().filter(|one| one.has_claimed).count();
        rebuilt.readmitted = people.len() - rebuilt.active;
        Ok(rebuilt)
    }

    /// The meta's fields, with a fresh block for each lane: what the lost memory
    /// gave out since its checkpoint is not known, so it all counts as given.
    async fn rebuilt_meta(&self, row: &LineRow) -> Result<Vec<(String, String)>, StoreError> {
        // Later fields win: the fresh blocks stand behind the old ones.
        let mut fields = row.to_fields();
        let sequence = self.last_sequence(row.event).await?;
        fields.push(("release_seq".to_owned(), sequence.to_string()));
        for lane in &row.lanes {
            let needed = Number(lane.block_end.0.saturating_add(1));
            let name = &lane.setup.lane;
            let end = self.lease_block(row.event, name, needed).await?;
            fields.push((format!("block:{name}"), end.to_string()));
        }
        fields.extend(self.draw_fields(row).await?);
        fields.push((
            "phase".to_owned(),
            self.rebuilt_phase(row).await?.to_string(),
        ));
        Ok(fields)
    }

    async fn releases_since(
        &self,
        event: EventId,
        since: Timestamp,
    ) -> Result<Vec<LateRelease>, StoreError> {
        let rows = sqlx::query(
            "SELECT r.at, r.lane, f.number, f.fan_id
             FROM releases r JOIN released_fans f USING (event_id, sequence)
             WHERE r.event_id = $1 AND r.at >= $2 ORDER BY r.sequence",
        )
        .bind(event.uuid())
        .bind(since.to_datetime())
        .fetch_all(&self.pool)
        .await?;
        let read = |row| -> Result<_, StoreError> {
            Ok(LateRelease {
                at: time(row, "at")?,
                lane: text(row, "lane")?,
                number: number(row, "number")?,
                fan: fan(row, "fan_id")?,
            })
        };
        rows.iter().map(read).collect()
    }
}

fn earlier(now: Timestamp, span: Duration) -> Timestamp {
    let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(now.millis().saturating_sub(millis))
}

/// Takes released numbers out of the line. A number that the checkpoint saw
/// alive after its release missed the claim and stands in line again.
fn note_releases(
    memory: &mut LaneMemory,
    taken_at: Timestamp,
    late: &[LateRelease],
    lane: &Lane,
    called_back: &mut HashSet<(Lane, Number)>,
) {
    for release in late.iter().filter(|release| release.lane == *lane) {
        let back_in_line = memory.alive.contains(release.number) && taken_at > release.at;
        if back_in_line {
            called_back.insert((lane.clone(), release.number));
        } else {
            called_back.remove(&(lane.clone(), release.number));
            memory.alive.remove(release.number);
            memory.spent.insert(release.number);
        }
    }
}

fn note_ends(memory: &mut LaneMemory, ended: &[(Timestamp, Ended)], lane: &Lane) {
    for (_, end) in ended.iter().filter(|(_, end)| end.lane == *lane) {
        memory.alive.remove(end.number);
        memory.spent.insert(end.number);
    }
}

/// Sessions go on as they were; who was released and has not claimed is called
/// again, because nobody could claim while Redis was away.
fn who_is_inside(
    inside: Vec<Inside>,
    late: Vec<LateRelease>,
    ended: &[(Timestamp, Ended)],
    called_back: &HashSet<(Lane, Number)>,
    now: Timestamp,
    claim_by: Timestamp,
) -> Vec<Inside> {
    let mut people: HashMap<(Lane, Number), Inside> = HashMap::new();
    for release in late {
        let key = (release.lane.clone(), release.number);
        let one = Inside {
            fan: release.fan,
            lane: release.lane,
            number: release.number,
            until: claim_by,
            has_claimed: false,
        };
        people.insert(key, one);
    }
    for mut one in inside {
        if !one.has_claimed {
            one.until = claim_by;
        }
        people.insert((one.lane.clone(), one.number), one);
    }
    for (_, end) in ended {
        people.remove(&(end.lane.clone(), end.number));
    }
    people.retain(|key, one| one.until > now && !called_back.contains(key));
    people.into_values().collect()
}
