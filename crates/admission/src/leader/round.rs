//! A leader's second: look, sweep, decide, say; then release in slices. Whatever
//! Postgres or a signal source does, the line goes on with what is known.

use std::time::Duration;

use usher_base::redis::{CallError, Hint, HintKind};
use usher_base::{EventId, Lane};
use usher_queue::pg::{LineRow, PlannedRelease};
use usher_queue::{
    Bitmap, EventBoard, LeaseToken, MAX_NUMBERS_PER_RELEASE, Mode as LineMode, Phase, Presence,
    ReleaseError, ReleaseOrder, Room as LineRoom, Snapshot,
};

use super::Leader;
use super::lanes::{Claim, Shares};
use super::seconds::Seconds;
use crate::control::{
    AgeCount, Clause, Controller, Decision, NodeBoard, Policy, Room, Stock, slice_of,
};
use crate::pg::checkpoints;
use crate::status::Status;
use crate::stock::StockReport;
use crate::{keys, policies, signals};

/// The line waits no longer than this for Postgres in a tick.
const POSTGRES_PATIENCE: Duration = Duration::from_millis(400);
/// The law's state and the line's bitmaps are written down so often (seconds).
const CHECKPOINT_EVERY: u32 = 5;
/// Sweeps in one second, when one did not take all that was due.
const MAX_SWEEPS: usize = 10;
/// Places given up after a long absence, in one second and lane.
const MAX_FORGOTTEN: usize = MAX_NUMBERS_PER_RELEASE;
/// Decisions kept in Redis: nearly three hours of seconds.
const MAX_DECISIONS: usize = 10_000;

/// What a term knows from second to second.
pub(super) struct Term<'l> {
    leader: &'l Leader,
    row: LineRow,
    lanes: Vec<Lane>,
    token: LeaseToken,
    controller: Controller,
    nodes: NodeBoard,
    presence: Vec<Presence>,
    shares: Shares,
    seconds: Seconds,
    sequence: Option<u64>,
    last: Last,
    second: u32,
}

/// The newest look and what was decided on it.
#[derive(Default)]
struct Last {
    seen: Option<(EventBoard, Snapshot)>,
    decision: Option<Decision>,
    policy: Policy,
    /// Released in the second that is under way.
    released: u32,
    claimed_total: u64,
    ended_total: u64,
}

impl<'l> Term<'l> {
    pub async fn begin(leader: &'l Leader, row: LineRow, token: LeaseToken) -> Self {
        let kept = checkpoints::read(&leader.pool, row.event);
        let kept = tokio::time::timeout(POSTGRES_PATIENCE, kept).await;
        let fresh = || Controller::new(leader.tuning.clone()).expect("the default tuning is valid");
        let controller = kept
            .ok()
            .and_then(Result::ok)
            .flatten()
            .unwrap_or_else(fresh);
        let lanes = row.lane_names();
        Self {
            leader,
            presence: lanes.iter().map(|_| Presence::default()).collect(),
            lanes,
            row,
            token,
            controller,
            nodes: NodeBoard::default(),
            shares: Shares::default(),
            seconds: Seconds::default(),
            sequence: None,
            last: Last::default(),
            second: 0,
        }
    }

    pub fn event(&self) -> EventId {
        self.row.event
    }

    pub fn phase(&self) -> Phase {
        self.row.phase
    }

    /// Everything that is done once a second.
    pub async fn second(&mut self) {
        self.second = self.second.wrapping_add(1);
        self.follow_postgres().await;
        if let Err(error) = self.look().await {
            tracing::debug!(%error, event = %self.event(), "the line cannot be read");
            self.last.decision = None;
            return;
        }
        self.sweep().await;
        self.forget_absent().await;
        self.decide().await;
        self.say().await;
        if self.second.is_multiple_of(CHECKPOINT_EVERY) {
            self.write_down().await;
        }
    }

    /// Settings, schedule and number blocks; without Postgres those known stay.
    async fn follow_postgres(&mut self) {
        let now = self.leader.clock.now();
        let follow = async {
            let store = &self.leader.store;
            let row = store.line(self.event()).await?;
            let changed = row != self.row || self.second == 1;
            if changed {
                store.mirror(&self.leader.line, &row).await?;
            }
            let phase = store.follow_schedule(&self.leader.line, &row, now).await?;
            if let Some((board, _)) = &self.last.seen {
                for lane in &board.lanes {
                    store
                        .renew_block(&self.leader.line, row.event, lane)
                        .await?;
                }
            }
            Ok::<_, usher_queue::pg::StoreError>(LineRow {
                phase: phase.unwrap_or(row.phase),
                ..row
            })
        };
        match tokio::time::timeout(POSTGRES_PATIENCE, follow).await {
            Ok(Ok(row)) => self.row = row,
            Ok(Err(error)) => tracing::warn!(%error, event = %self.event(), "postgres"),
            Err(_) => tracing::debug!(event = %self.event(), "postgres is slow; going on without"),
        }
    }

    /// One read of the board and of who is present.
    async fn look(&mut self) -> Result<(), CallError> {
        let line = &self.leader.line;
        let snapshot = line.snapshot(self.event(), &self.lanes).await?;
        let board = line.board(self.event(), &self.lanes).await?;
        for ((presence, lane), here) in self
            .presence
            .iter_mut()
            .zip(&board.lanes)
            .zip(&snapshot.lanes)
        {
            presence.observe(lane.board.alive(), here, board.at);
        }
        if self.sequence.is_none() {
            self.sequence = Some(board.state.release_sequence);
            self.last.claimed_total = board.state.totals.claimed;
            self.last.ended_total = board.state.totals.ended;
        }
        self.last.seen = Some((board, snapshot));
        Ok(())
    }

    /// Missed claims go back, sessions that are over end; durable at once.
    async fn sweep(&mut self) {
        for _ in 0..MAX_SWEEPS {
            let swept = match self.leader.line.sweep(self.event(), &self.lanes).await {
                Ok(swept) => swept,
                Err(error) => {
                    tracing::debug!(%error, event = %self.event(), "the sweep failed");
                    return;
                }
            };
            let now = self.leader.clock.now();
            let write = self
                .leader
                .store
                .write_ended(self.event(), &swept.ended, now);
            if !matches!(
                tokio::time::timeout(POSTGRES_PATIENCE, write).await,
                Ok(Ok(()))
            ) {
                tracing::warn!(event = %self.event(), count = swept.ended.len(), "ended sessions are not durable yet");
            }
            if !swept.is_full() {
                return;
            }
        }
    }

    async fn forget_absent(&mut self) {
        let Some((board, _)) = &self.last.seen else {
            return;
        };
        // Nobody can be seen to be present while there are no numbers to show.
        if board.state.phase != Phase::Open {
            return;
        }
        for (presence, lane) in self.presence.iter().zip(&board.lanes) {
            let absent = presence.absent(
                lane.board.alive(),
                board.state.grace,
                board.at,
                MAX_FORGOTTEN,
            );
            if absent.is_empty() {
                continue;
            }
            let forgot = self
                .leader
                .line
                .forget(self.event(), &lane.lane, &self.token, &absent)
                .await;
            match forgot {
                Ok(fans) => {
                    tracing::info!(event = %self.event(), count = fans.len(), "given up after a long absence")
                }
                Err(error) => {
                    tracing::debug!(%error, event = %self.event(), "the absent stay for now")
                }
            }
        }
    }

    async fn decide(&mut self) {
        let now = self.leader.clock.now();
        let redis = &self.leader.redis;
        let event = self.event();
        let mirrored = policies::mirrored(redis, event).await;
        if let Ok(Some(policy)) = mirrored {
            self.last.policy = policy;
        }
        if let Err(error) = signals::read_into(&mut self.nodes, redis, event, now).await {
            tracing::debug!(%error, %event, "signals cannot be read");
        }
        let stock = StockReport::read(redis, event).await.ok().flatten();
        let Some((board, snapshot)) = &self.last.seen else {
            return;
        };
        let room = room(board, snapshot, stock.as_ref(), &self.last);
        self.last.claimed_total = board.state.totals.claimed;
        self.last.ended_total = board.state.totals.ended;
        let now_ms = u64::try_from(now.millis()).unwrap_or(0);
        let merged = self.nodes.merged(now_ms);
        let mut decision = self
            .controller
            .tick(now_ms, merged.as_ref(), &room, &self.last.policy);
        if !may_release(board) {
            decision.release = 0;
        }
        self.seconds.push(self.last.released);
        self.last.released = 0;
        self.lift_expired(now_ms, board.state.mode).await;
        self.open_empty_line(&decision).await;
        self.end_when_sold_out(stock.as_ref()).await;
        self.last.decision = Some(decision);
    }

    /// A pause that had an end is over: release.lua must hear of it.
    async fn lift_expired(&self, now_ms: u64, told: LineMode) {
        let wanted = policies::mode_of(&self.last.policy.in_force(now_ms));
        if told != wanted
            && let Err(error) = self.leader.line.set_mode(self.event(), wanted).await
        {
            tracing::debug!(%error, event = %self.event(), "the mode stays for now");
        }
    }

    /// Who comes to an empty line passes at once, as far as capacity allows.
    async fn open_empty_line(&self, decision: &Decision) {
        let Some((board, _)) = &self.last.seen else {
            return;
        };
        let waiting: u32 = board.lanes.iter().map(|lane| lane.board.waiting()).sum();
        let passes = if waiting == 0 && may_release(board) {
            decision.rate_per_s.floor().clamp(0.0, 10_000.0) as u32
        } else {
            0
        };
        let passes: Vec<_> = self
            .lanes
            .iter()
            .map(|lane| (lane.clone(), passes))
            .collect();
        if let Err(error) = self
            .leader
            .line
            .set_passes(self.event(), &self.token, &passes)
            .await
        {
            tracing::debug!(%error, event = %self.event(), "passes stay for now");
        }
    }

    async fn end_when_sold_out(&mut self, stock: Option<&StockReport>) {
        let to = match (self.row.phase, stock) {
            (Phase::Open, Some(stock)) if stock.is_sold_out() => Phase::SoldOut,
            (Phase::SoldOut, Some(stock)) if stock.free > 0 => Phase::Open,
            _ => return,
        };
        let change = self
            .leader
            .store
            .change_phase(&self.leader.line, self.event(), to);
        match tokio::time::timeout(POSTGRES_PATIENCE, change).await {
            Ok(Ok(())) => self.row.phase = to,
            other => tracing::warn!(event = %self.event(), ?other, "the phase stays for now"),
        }
    }

    /// Publishes the status, the metrics and the decision.
    async fn say(&mut self) {
        let Some(decision) = self.last.decision.clone() else {
            return;
        };
        let Some((board, snapshot)) = &self.last.seen else {
            return;
        };
        let stock = StockReport::read(&self.leader.redis, self.event())
            .await
            .ok()
            .flatten();
        let status = Status {
            at: self.leader.clock.now(),
            phase: board.state.phase,
            mode: self.last.policy.in_force(decision.at_ms).mode,
            waiting: board
                .lanes
                .iter()
                .map(|lane| u64::from(lane.board.waiting()).max(lane.gathering))
                .sum(),
            present: present(board, snapshot),
            admitted: board.admitted,
            inside: board.active,
            released_total: board.state.totals.released,
            claimed_total: board.state.totals.claimed,
            orders_total: stock.as_ref().map(|stock| stock.orders_total),
            seats_left: stock.as_ref().map(|stock| stock.free),
            rate_per_minute: decision.rate_per_s * 60.0,
            reason: decision.clause.sentence().to_owned(),
            clause: decision.clause,
            message: board.state.message.clone(),
            flow: self.seconds.flow(),
            decision,
            leader: self.token.0.clone(),
        };
        measure(self.event(), &status, stock.as_ref());
        if let Err(error) = status.publish(&self.leader.redis, self.event()).await {
            tracing::debug!(%error, event = %self.event(), "the status is not published");
        }
        self.log_decision(&status.decision).await;
    }

    async fn log_decision(&self, decision: &Decision) {
        let mut add = ::redis::cmd("XADD");
        add.arg(keys::decisions(self.event()))
            .arg("MAXLEN")
            .arg("~")
            .arg(MAX_DECISIONS)
            .arg("*");
        add.arg("decision").arg(crate::cache::to_json(decision));
        if let Err(error) = self.leader.redis.command::<String>(add).await {
            tracing::debug!(%error, event = %self.event(), "a decision is not logged");
        }
    }

    async fn write_down(&self) {
        let (leader, event, now) = (self.leader, self.event(), self.leader.clock.now());
        let write = async {
            leader
                .store
                .checkpoint(&leader.line, event, &self.lanes, now)
                .await?;
            checkpoints::write(&leader.pool, event, &self.controller, now).await?;
            Ok::<_, usher_queue::pg::StoreError>(())
        };
        if !matches!(
            tokio::time::timeout(POSTGRES_PATIENCE, write).await,
            Ok(Ok(()))
        ) {
            tracing::warn!(%event, "no checkpoint this time");
        }
    }

    /// This slice's part of the second's release.
    pub async fn release_slice(&mut self, slice: u32, slices: u32) {
        let Some(decision) = &self.last.decision else {
            return;
        };
        let count = slice_of(decision.release, slice, slices);
        if count == 0 {
            return;
        }
        let Some((board, snapshot)) = &self.last.seen else {
            return;
        };
        let releasable = |index: usize| {
            let at_most = usize::try_from(decision.release).unwrap_or(usize::MAX);
            board.lanes[index]
                .board
                .releasable(&snapshot.lanes[index], at_most)
        };
        let queues: Vec<_> = (0..self.lanes.len()).map(releasable).collect();
        let claims: Vec<_> = queues
            .iter()
            .zip(&self.row.lanes)
            .map(|(queue, lane)| Claim {
                weight: lane.setup.weight,
                releasable: queue.len() as u32,
            })
            .collect();
        let shares = self.shares.split(count, &claims);
        let reason = serde_json::to_value(decision).unwrap_or_default();
        for (index, share) in shares.into_iter().enumerate() {
            let numbers = &queues[index][..share as usize];
            for batch in numbers.chunks(MAX_NUMBERS_PER_RELEASE) {
                self.release(index, batch, reason.clone()).await;
            }
        }
    }

    async fn release(
        &mut self,
        index: usize,
        numbers: &[usher_base::Number],
        reason: serde_json::Value,
    ) {
        let (Some(sequence), Some((_, snapshot))) = (self.sequence, &self.last.seen) else {
            return;
        };
        let (event, lane, taken_at) = (self.event(), self.lanes[index].clone(), snapshot.taken_at);
        let sequence = sequence + 1;
        let fans = match self.leader.line.who(event, &lane, numbers).await {
            Ok(fans) => fans,
            Err(error) => return tracing::debug!(%error, %event, "nobody is released this time"),
        };
        let planned = PlannedRelease {
            event,
            sequence,
            lane: lane.clone(),
            at: self.leader.clock.now(),
            leader: self.token.clone(),
            reason,
            fans,
        };
        self.leader.recorder.record(planned).await;
        let order = ReleaseOrder {
            event,
            lane: &lane,
            lease: &self.token,
            sequence,
            snapshot_at: taken_at,
            numbers,
        };
        self.sequence = Some(sequence);
        match self.leader.line.release(&order).await {
            Ok(released) => self.was_released(index, numbers, released.fans.len()).await,
            Err(ReleaseError::OldSequence) => self.sequence = None,
            Err(error) => tracing::debug!(%error, %event, "nobody is released this time"),
        }
    }

    async fn was_released(&mut self, index: usize, numbers: &[usher_base::Number], count: usize) {
        self.last.released += count as u32;
        // The next slice of this second works on the same look: those are gone.
        if let Some((_, snapshot)) = &mut self.last.seen {
            let gone: Bitmap = numbers.iter().copied().collect();
            snapshot.lanes[index].subtract(&gone);
        }
        let event = self.event();
        metrics::counter!("usher_released_total", "event" => event.to_string())
            .increment(count as u64);
        let kind = HintKind::Released;
        // A lost hint costs the fans at most a tick.
        let _ = self.leader.redis.hint(Hint { event, kind }).await;
    }
}

fn may_release(board: &EventBoard) -> bool {
    let settled = board
        .state
        .settle_until
        .is_none_or(|until| board.at >= until);
    board.state.phase == Phase::Open && settled && board.state.room == LineRoom::On
}

fn present(board: &EventBoard, snapshot: &Snapshot) -> u64 {
    let lanes = board.lanes.iter().zip(&snapshot.lanes);
    lanes
        .map(|(lane, here)| u64::from(lane.board.alive().common_len(here)))
        .sum()
}

fn room(board: &EventBoard, snapshot: &Snapshot, stock: Option<&StockReport>, last: &Last) -> Room {
    let claimed = board
        .state
        .totals
        .claimed
        .saturating_sub(last.claimed_total);
    let ended = board.state.totals.ended.saturating_sub(last.ended_total);
    Room {
        waiting: present(board, snapshot),
        inside: board.active,
        ends: u32::try_from(ended).unwrap_or(u32::MAX),
        released: last.released,
        claims: vec![AgeCount {
            age_s: 1,
            count: u32::try_from(claimed).unwrap_or(u32::MAX),
        }],
        stock: stock.map(|stock| Stock {
            free_seats: stock.free,
            seats_per_order: stock.seats_per_order(),
            first_holds: Vec::new(),
        }),
    }
}

fn measure(event: EventId, status: &Status, stock: Option<&StockReport>) {
    let label = event.to_string();
    let gauge = |name: &'static str, value: f64| {
        metrics::gauge!(name, "event" => label.clone()).set(value);
    };
    gauge("usher_waiting", status.waiting as f64);
    gauge("usher_present", status.present as f64);
    gauge("usher_admitted", status.admitted as f64);
    gauge("usher_inside", status.inside as f64);
    gauge("usher_rate_per_minute", status.rate_per_minute);
    let clause = clause_word(status.clause);
    metrics::counter!("usher_release_decisions_total", "event" => label.clone(), "clause" => clause)
        .increment(1);
    if let Some(stock) = stock {
        for (state, count) in [
            ("free", stock.free),
            ("held", stock.held),
            ("sold", stock.sold),
        ] {
            metrics::gauge!("usher_seats", "event" => label.clone(), "state" => state)
                .set(count as f64);
        }
        metrics::gauge!("usher_orders", "event" => label.clone()).set(stock.orders_total as f64);
    }
}

/// The clause as the API spells it.
fn clause_word(clause: Clause) -> String {
    match serde_json::to_value(clause) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::from("unknown"),
    }
}
