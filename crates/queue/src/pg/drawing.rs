//! Driving a draw: freeze the lists, publish the roots, wait for the entropy,
//! give out the numbers. Every step may be repeated and by another leader; the
//! row in `draws` says where the draw stands.

use usher_base::signing::SigningKeys;
use usher_base::{EventId, Lane, Number, Timestamp};

use super::draws::DrawRow;
use super::lines::LineRow;
use super::{Store, StoreError};
use crate::draw::{Due, RuleError};
use crate::error::FreezeError;
use crate::line::{Line, NUMBERS_PER_CALL, Numbering};
use crate::phase::Phase;

/// So many numbers are given between two notes of how far it has come.
const NUMBERS_PER_NOTE: usize = 40 * NUMBERS_PER_CALL;

/// Where the draws of an event stand after a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DrawProgress {
    /// These lanes wait for what their rule names.
    WaitsFor(Vec<(Lane, Due)>),
    /// Every fan has a number: the event may open.
    Finished,
}

#[derive(Debug, thiserror::Error)]
pub enum DrawError {
    #[error("lane {0} has no commitment, so its draw could not be checked")]
    NoCommitment(Lane),
    #[error("the gathered list changed while it was read; it is read again")]
    ListMoved,
    #[error("the entropy rule cannot be kept any more: {0}")]
    Rule(#[from] RuleError),
    #[error(transparent)]
    Freeze(#[from] FreezeError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Takes the draws of an event that is `Drawing` as far as they can go now.
    pub async fn advance_draw(
        &self,
        line: &Line,
        keys: &SigningKeys,
        row: &LineRow,
        now: Timestamp,
    ) -> Result<DrawProgress, DrawError> {
        let lanes = row.lane_names();
        let sizes = self.freeze(line, row.event, &lanes).await?;
        let mut draws = self.draws_of(row.event, &lanes).await?;
        if draws.iter().any(|draw| draw.root.is_none()) {
            self.fix_lists(line, keys, draws, &sizes, now).await?;
            draws = self.draws_of(row.event, &lanes).await?;
        }
        let mut waits_for = Vec::new();
        let mut unkept = None;
        for draw in draws {
            if draw.finished_at.is_some() {
                continue;
            }
            if self.number_fans(line, &draw, now).await? {
                continue;
            }
            let root = draw.root.ok_or(DrawError::ListMoved)?;
            match draw.rule.due(root.root_published_at) {
                Ok(due) => waits_for.push((draw.lane, due)),
                // The other lanes are not at fault and get their numbers.
                Err(rule) => unkept = Some(rule),
            }
        }
        if let Some(rule) = unkept {
            return Err(rule.into());
        }
        if waits_for.is_empty() {
            return Ok(DrawProgress::Finished);
        }
        Ok(DrawProgress::WaitsFor(waits_for))
    }

    async fn freeze(
        &self,
        line: &Line,
        event: EventId,
        lanes: &[Lane],
    ) -> Result<Vec<u32>, DrawError> {
        // Each lane can be too small once.
        for _ in 0..=lanes.len() {
            match line.freeze(event, lanes).await {
                Err(FreezeError::BlockTooSmall { lane, fans }) => {
                    let end = self.lease_block(event, &lane, Number(fans)).await?;
                    let told = line.set_block(event, &lane, end).await;
                    told.map_err(StoreError::from)?;
                }
                frozen => return Ok(frozen?),
            }
        }
        Err(DrawError::ListMoved)
    }

    async fn draws_of(&self, event: EventId, lanes: &[Lane]) -> Result<Vec<DrawRow>, DrawError> {
        let mut draws = Vec::with_capacity(lanes.len());
        for lane in lanes {
            let draw = self.draw(event, lane).await?;
            draws.push(draw.ok_or_else(|| DrawError::NoCommitment(lane.clone()))?);
        }
        Ok(draws)
    }

    async fn fix_lists(
        &self,
        line: &Line,
        keys: &SigningKeys,
        draws: Vec<DrawRow>,
        sizes: &[u32],
        now: Timestamp,
    ) -> Result<(), DrawError> {
        let mut lists = Vec::with_capacity(draws.len());
        for (draw, size) in draws.into_iter().zip(sizes) {
            let fans = line.gathered(draw.event, &draw.lane).await;
            let fans = fans.map_err(StoreError::from)?;
            if fans.len() != *size as usize {
                return Err(DrawError::ListMoved);
            }
            lists.push((draw, fans));
        }
        Ok(self.publish_roots(keys, lists, now).await?)
    }

    /// Gives out the numbers if it is decided how; false while that is open.
    async fn number_fans(
        &self,
        line: &Line,
        draw: &DrawRow,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let Some(order) = self.draw_order(draw).await? else {
            return Ok(false);
        };
        let done = draw.numbered as usize;
        let mut numbered = done;
        for chunk in order
            .get(done..)
            .unwrap_or_default()
            .chunks(NUMBERS_PER_CALL)
        {
            let first = Number(u32::try_from(numbered + 1).unwrap_or(u32::MAX));
            line.number(draw.event, &draw.lane, first, chunk, Numbering::Draw)
                .await?;
            numbered += chunk.len();
            if numbered.is_multiple_of(NUMBERS_PER_NOTE) {
                self.note_numbered(draw, numbered, None).await?;
            }
        }
        self.note_numbered(draw, numbered, Some(now)).await?;
        Ok(true)
    }

    /// The phase to rebuild: without a root the list is lost with Redis, and the
    /// event gathers anew.
    pub(super) async fn rebuilt_phase(&self, row: &LineRow) -> Result<Phase, StoreError> {
        if row.phase != Phase::Drawing {
            return Ok(row.phase);
        }
        let lanes = row.lane_names();
        for lane in &lanes {
            let draw = self.draw(row.event, lane).await?;
            if draw.is_none_or(|draw| draw.root.is_none()) {
                self.write_phase(row.event, Phase::Gathering).await?;
                return Ok(Phase::Gathering);
            }
        }
        Ok(Phase::Drawing)
    }

    /// Shows everybody how far the draws have come.
    pub async fn announce_draws(&self, line: &Line, row: &LineRow) -> Result<(), StoreError> {
        let fields = self.draw_fields(row).await?;
        line.configure(row.event, None, fields).await?;
        Ok(())
    }

    /// What the meta says of the draws: what is public of each lane's, and the
    /// size of its list once that is final.
    pub(super) async fn draw_fields(
        &self,
        row: &LineRow,
    ) -> Result<Vec<(String, String)>, StoreError> {
        let mut fields = Vec::new();
        for lane in &row.lanes {
            let name = &lane.setup.lane;
            if let Some(draw) = self.draw(row.event, name).await? {
                let announcement = serde_json::to_string(&draw.announcement());
                let announcement = announcement.map_err(|_| StoreError::Corrupt("draws"))?;
                fields.push((format!("draw:{name}"), announcement));
                if let Some(root) = draw.root {
                    fields.push((format!("drawn:{name}"), root.fans.to_string()));
                }
            }
        }
        Ok(fields)
    }

    /// Brings a lane's list back: as numbers if they were decided, else as the
    /// list that waits for its entropy. Numbers that are spent stay so.
    pub(super) async fn rebuild_draw(
        &self,
        line: &Line,
        event: EventId,
        lane: &Lane,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let draw = self.draw(event, lane).await?;
        let Some(draw) = draw.filter(|draw| draw.root.is_some()) else {
            return Ok(());
        };
        let Some(order) = self.draw_order(&draw).await? else {
            let fans = self.draw_list(event, lane).await?;
            return Ok(line.rebuild_gather(event, lane, &fans).await?);
        };
        let mut first = 1;
        for chunk in order.chunks(NUMBERS_PER_CALL) {
            line.number(event, lane, Number(first), chunk, Numbering::Rebuild)
                .await?;
            first += u32::try_from(chunk.len()).unwrap_or(u32::MAX);
        }
        self.note_numbered(&draw, order.len(), Some(now)).await
    }
}
