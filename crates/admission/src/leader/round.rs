//! A leader's second: look, tidy up, decide, say; then release in slices. It only
//! talks to Redis. Whatever a signal source does, the line goes on with what is
//! known; what cannot be seen at all, nobody is released on.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use usher_base::redis::CallError;
use usher_base::{EventId, Timestamp};
use usher_queue::pg::LineRow;
use usher_queue::wait::{Accuracy, Aim};
use usher_queue::{EventBoard, LeaderError, Mode as LineMode, Snapshot};

use super::announce::{announce, lets_everybody_in, measure, present, shut, waiting};
use super::claims::ClaimAges;
use super::clerk::{Desk, Seen};
use super::lane_states::{Course, LaneStates};
use super::law::Kept;
use super::lease::Lease;
use super::release::{Plan, Releaser};
use super::seconds::Seconds;
use super::tally::{Happened, Tally};
use super::{Leader, tidy};
use crate::control::{Clause, Controller, Decision, Policy, Room, Stock};
use crate::policies::{self, Mirrored};
use crate::signals::{Incoming, Sources};
use crate::status::Status;
use crate::stock::StockReport;

/// A second is released in so many equal parts, so that people come evenly.
const SLICES_PER_SECOND: u32 = 4;
const SLICE: Duration = Duration::from_millis(1_000 / SLICES_PER_SECOND as u64);

/// What a term knows from second to second.
pub(super) struct Round<'l> {
    leader: &'l Leader,
    lease: &'l Lease,
    event: EventId,
    rows: watch::Receiver<LineRow>,
    desk: Desk,
    lanes: LaneStates,
    law: Controller,
    tally: Option<Tally>,
    /// Fans who gave up in the last second.
    gave_up: u32,
    claims: ClaimAges,
    /// Mean age of claims, as the law has learned it.
    usual_claim_s: f64,
    sources: Sources,
    /// Newest known: without news the shop is as it was, not full.
    stock: Option<StockReport>,
    /// Unknown until Redis has it: then nobody is released.
    policy: Option<Mirrored>,
    seconds: Seconds,
    releaser: Releaser<'l>,
}

/// One second as it was found.
struct Look {
    board: Arc<EventBoard>,
    snapshot: Snapshot,
    /// Fresh.
    stock: Option<StockReport>,
    incoming: Incoming,
    now: Timestamp,
}

impl<'l> Round<'l> {
    pub async fn begin(
        leader: &'l Leader,
        rows: watch::Receiver<LineRow>,
        lease: &'l Lease,
        desk: Desk,
    ) -> Self {
        let event = rows.borrow().event;
        let kept = Kept::read(leader, event).await;
        let (law, tally, stock) = match kept {
            Some(kept) => (kept.law, Some(kept.counted), kept.stock),
            None => (Controller::default(), None, None),
        };
        let usual_claim_s = law.tuning().claims.delay_s;
        Self {
            leader,
            lease,
            event,
            rows,
            desk,
            lanes: LaneStates::default(),
            law,
            tally,
            gave_up: 0,
            claims: ClaimAges::default(),
            usual_claim_s,
            sources: Sources::default(),
            stock,
            policy: None,
            seconds: Seconds::default(),
            releaser: Releaser::new(leader, lease, event),
        }
    }

    /// Second by second, until it is dropped.
    pub async fn run(mut self) -> Infallible {
        let mut slices = tokio::time::interval(SLICE);
        slices.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            slices.tick().await;
            let mut plan = self.second().await;
            let weights = self.lanes.weights();
            for slice in 0..SLICES_PER_SECOND {
                if slice > 0 {
                    slices.tick().await;
                    // A new word begins a new second: it shall not wait for this one's end.
                    if self.policy_changed().await {
                        slices.reset_immediately();
                        break;
                    }
                }
                let Some(plan) = &mut plan else { continue };
                let called = self
                    .releaser
                    .slice(plan, &weights, slice, SLICES_PER_SECOND)
                    .await;
                let now = self.leader.clock.now();
                let at = plan.board.at.plus(SLICE * slice);
                for batch in called {
                    self.claims
                        .called(&batch.lane, &batch.fans, now, plan.board.admitted);
                    self.lanes.called(&batch, at);
                }
            }
        }
    }

    async fn policy_changed(&self) -> bool {
        let now = policies::mirrored(&self.leader.redis, self.event).await;
        let revision = now.ok().flatten().map(|now| now.revision);
        revision.is_some() && revision != self.policy_revision()
    }

    fn policy_revision(&self) -> Option<u64> {
        self.policy.as_ref().map(|known| known.revision)
    }

    async fn second(&mut self) -> Option<Plan> {
        self.lanes.follow(&self.rows.borrow().lanes);
        let look = match self.look().await {
            Ok(look) => look,
            Err(error) => {
                tracing::debug!(%error, event = %self.event, "the line cannot be read");
                return None;
            }
        };
        let ended = tidy::sweep(self.leader, self.event, &self.lanes.names()).await;
        self.desk.put_ended(ended);
        let token = self.lease.token();
        let lanes = self.lanes.as_slice();
        let seen = (&*look.board, &look.snapshot);
        tidy::forget_absent(self.leader, self.event, token, seen, lanes).await;
        let decision = self.decide(&look);
        self.follow_policy(&look).await;
        self.tell_lanes(&look, &decision).await;
        let waits = self.lanes.score(self.event);
        self.say(&look, &decision, waits).await;
        Some(Plan {
            release: decision.release,
            reason: serde_json::to_value(&decision).unwrap_or_default(),
            board: look.board,
            present: look.snapshot,
        })
    }

    /// One read of the line, of who is present, and of what others say.
    async fn look(&mut self) -> Result<Look, CallError> {
        let (leader, event) = (self.leader, self.event);
        let (redis, now) = (&leader.redis, leader.clock.now());
        let lanes = self.lanes.names();
        // The board is older than the policy: see `follow_policy`.
        let (snapshot, board) = tokio::try_join!(
            leader.line.snapshot(event, &lanes),
            leader.line.board(event, &lanes)
        )?;
        let (policy, stock, incoming, claims) = tokio::join!(
            policies::mirrored(redis, event),
            StockReport::read(redis, event),
            self.sources.read(redis, event, now),
            self.claims.look(&leader.line, event, now),
        );
        if let Err(error) = claims {
            tracing::debug!(%error, %event, "who claimed is not seen this second");
        }
        if let Ok(Some(policy)) = policy {
            self.policy = Some(policy);
        }
        self.lanes.see(&board, &snapshot);
        let stock = stock.ok().flatten();
        if stock.is_some() {
            self.stock.clone_from(&stock);
        }
        Ok(Look {
            board: Arc::new(board),
            snapshot,
            stock,
            incoming: incoming.unwrap_or_default(),
            now,
        })
    }

    fn policy(&self) -> Policy {
        let known = self.policy.as_ref();
        known.map(|known| known.policy.clone()).unwrap_or_default()
    }

    /// The law's decision, as far as the line may follow it now.
    fn decide(&mut self, look: &Look) -> Decision {
        let totals = &look.board.state.totals;
        let tally = self.tally.get_or_insert_with(|| Tally::of(totals));
        let happened = tally.advance(totals);
        self.seconds.push(happened.released);
        self.gave_up = happened.gave_up;
        let now_ms = u64::try_from(look.now.millis()).unwrap_or(0);
        let room = self.room(look, happened);
        let signals = self.sources.merged(look.now);
        let policy = self.policy();
        self.follow_settings();
        let mut decision = self.law.tick(now_ms, signals.as_ref(), &room, &policy);
        self.usual_claim_s = decision.state.pickup_s;
        if shut(&look.board).is_some() || self.policy.is_none() {
            decision.release = 0;
        }
        if lets_everybody_in(&look.board) {
            let waiting = present(&look.board, &look.snapshot);
            decision.release = u32::try_from(waiting).unwrap_or(u32::MAX);
        }
        decision
    }

    /// Takes over what the event's law is set to now. Before anybody could ask
    /// Postgres, the law goes on with what it was set to when it was written down.
    fn follow_settings(&mut self) {
        let Some(settings) = self.leader.law_settings.of(self.event) else {
            return;
        };
        let claim_window = self.rows.borrow().settings.claim_window;
        if let Err(error) = self.law.retune(&settings.tuning(claim_window)) {
            tracing::warn!(%error, event = %self.event, "the law goes on with the constants it has");
        }
    }

    fn room(&mut self, look: &Look, happened: Happened) -> Room {
        Room {
            // Whoever comes to an empty line passes at once, as many as are decided.
            waiting: if waiting(&look.board) == 0 {
                u64::MAX
            } else {
                present(&look.board, &look.snapshot)
            },
            inside: look.board.active,
            ends: happened.ended,
            released: happened.released,
            claims: self.claims.by_age(happened.claimed, self.usual_claim_s),
            stock: self.stock.as_ref().map(|stock| Stock {
                free_seats: stock.free,
                seats_per_order: stock.seats_per_order(),
                orders: stock.orders_seen(),
                first_holds: look.incoming.first_holds.clone(),
            }),
        }
    }

    /// A pause that had an end is over: release.lua must hear of it. The policy
    /// was read after the board and is written before the mode, so a mode that
    /// differs from it is an old one and never an operator's word on its way.
    async fn follow_policy(&self, look: &Look) {
        if self.policy.is_none() {
            return;
        }
        let now_ms = u64::try_from(look.now.millis()).unwrap_or(0);
        let wanted: LineMode = policies::mode_of(&self.policy().in_force(now_ms));
        if look.board.state.mode != wanted
            && let Err(error) = self.leader.line.set_mode(self.event, wanted).await
        {
            tracing::debug!(%error, event = %self.event, "the mode stays for now");
        }
    }

    /// Says of each lane how long the wait is, and how many may pass while nobody waits.
    async fn tell_lanes(&mut self, look: &Look, decision: &Decision) {
        let people = if waiting(&look.board) == 0 {
            decision.release
        } else {
            0
        };
        let is_still = shut(&look.board).is_some() || look.board.state.mode == LineMode::Paused;
        let aim = match decision.clause {
            clause if clause.ends_the_line() => Aim::Unchanged,
            clause if clause.is_steady() => Aim::Set(decision.rate_per_s),
            _ => Aim::Law(decision.rate_per_s),
        };
        let may_run_out = self.stock.as_ref().is_some_and(StockReport::is_stocked)
            && !lets_everybody_in(&look.board);
        let course = (!is_still).then_some(Course {
            aim,
            reach: decision.reach.filter(|_| may_run_out),
        });
        let outlooks = self
            .lanes
            .outlooks(&look.board, &look.snapshot, self.gave_up, course);
        let news = self.lanes.news(outlooks, people);
        let token = self.lease.token();
        match self.leader.line.announce(self.event, token, &news).await {
            Ok(()) => {}
            Err(LeaderError::NotLeader) => self.lease.lose(),
            Err(error) => tracing::debug!(%error, event = %self.event, "the lanes hear nothing"),
        }
    }

    async fn say(&self, look: &Look, decision: &Decision, waits: Option<Accuracy>) {
        let (board, stock) = (&look.board, &look.stock);
        let waiting = waiting(board);
        let shut = match (shut(board), &self.policy) {
            (None, None) => Some("Waiting for the operator's settings."),
            (shut, _) => shut,
        };
        let clause = match decision.clause {
            Clause::Paused => Clause::Paused,
            _ if waiting == 0 => Clause::NobodyWaiting,
            clause => clause,
        };
        let policy = self.policy();
        let status = Status {
            at: look.now,
            phase: board.state.phase,
            mode: policy.in_force(decision.at_ms).mode,
            waiting,
            present: present(board, &look.snapshot),
            admitted: board.admitted,
            inside: board.active,
            released_total: board.state.totals.released,
            claimed_total: board.state.totals.claimed,
            orders_total: stock.as_ref().map(|stock| stock.orders_total),
            seats_left: stock.as_ref().map(|stock| stock.free),
            rate_per_minute: shut.map_or(decision.rate_per_s * 60.0, |_| 0.0),
            reason: shut.unwrap_or_else(|| clause.sentence()).to_owned(),
            clause,
            message: board.state.message.clone(),
            flow: self.seconds.flow(),
            waits,
            decision: decision.clone(),
            leader: self.lease.token().0.clone(),
        };
        measure(self.event, &status, stock.as_ref());
        let kept = Kept {
            at: look.now,
            law: self.law.clone(),
            counted: self.tally.unwrap_or_default(),
            stock: self.stock.clone(),
        };
        tokio::join!(
            announce(self.leader, self.event, &status),
            kept.publish(self.leader, self.event)
        );
        self.desk.put(Seen {
            board: Arc::clone(board),
            stock: stock.clone(),
            kept,
        });
    }
}
