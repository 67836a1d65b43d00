//! The simulated world: a discrete-event run of fans against a backend, with a law at the door.
//! Ten slices a second release what the law decided; the limiter ticks every 250 ms, the law every second.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::backend::{Backend, Job, STALL_US};
use super::draw::Draw;
use super::fans::{Fan, Seats};
use super::law::{Answer, Asked, Law, LawKind};
use super::meter::{Meter, Row};
use super::plant::Plant;
use super::scenario::{Change, Scenario};
use crate::control::{Mode, Policy, Tuning, TuningError, slice_of};

const SECOND_US: u64 = 1_000_000;
/// The world's step: the law every 20th, the limiter every 5th, a slice of the release every 2nd.
const STEP_US: u64 = 50_000;
/// Fans waiting where a scenario does not say.
const LINE: u64 = 1_000_000;

/// Something that will happen to one fan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Claim { fan: u32 },
    Request { fan: u32 },
    Finish { fan: u32, since_us: u64 },
    HoldEnds { seats: u32 },
    SessionEnds { fan: u32 },
}

/// Habits that scenarios change while it runs.
struct Habits {
    no_show: f64,
    silent: f64,
    think_faster: f64,
}

pub(super) struct World<'a> {
    plant: &'a Plant,
    law: Law,
    draw: Draw,
    now_us: u64,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    sequence: u64,
    backend: Backend,
    fans: Vec<Fan>,
    habits: Habits,
    seats: Option<Seats>,
    waiting: u64,
    /// Released fans who will come and have not yet.
    coming: u64,
    /// Seats that fans inside or coming will want; only the oracle looks at it.
    wished: u64,
    all_knowing: bool,
    signals_lost: bool,
    policy: Policy,
    meter: Meter,
    answer: Answer,
}

/// What a run leaves behind.
pub(super) struct Outcome {
    pub(super) rows: Vec<Row>,
    /// Sessions begun.
    pub(super) admitted: u64,
    /// Sessions that wanted seats when none was free.
    pub(super) found_nothing: u64,
    /// Second by which 99 % of the seats were sold.
    pub(super) nearly_sold_s: Option<u32>,
    /// Second in which the last seat was sold.
    pub(super) sold_out_s: Option<u32>,
}

/// Runs one scenario under one law with one seed.
pub(super) fn play(
    plant: &Plant,
    scenario: &Scenario,
    kind: LawKind,
    seed: u64,
) -> Result<Outcome, TuningError> {
    let tuning = Tuning {
        start_requests_per_s: scenario.calibrated * plant.capacity(),
        service_ms: plant.service.median() * 1_000.0,
        ..Tuning::default()
    };
    let mut world = World {
        plant,
        law: Law::new(kind, plant, &tuning)?,
        draw: Draw::new(seed),
        now_us: 0,
        events: BinaryHeap::new(),
        sequence: 0,
        backend: Backend::new(plant.servers, plant.service, tuning),
        fans: Vec::new(),
        habits: Habits {
            no_show: plant.no_show,
            silent: plant.silent,
            think_faster: 1.0,
        },
        seats: scenario.seats.map(Seats::new),
        waiting: scenario.line.unwrap_or(LINE),
        coming: 0,
        wished: 0,
        all_knowing: kind == LawKind::Oracle,
        signals_lost: false,
        policy: Policy::default(),
        meter: Meter::default(),
        answer: Answer::default(),
    };
    Ok(world.run(scenario))
}

impl World<'_> {
    fn run(&mut self, scenario: &Scenario) -> Outcome {
        let (mut nearly_sold_s, mut sold_out_s) = (None, None);
        for second in 0..scenario.seconds {
            for (_, change) in scenario.changes.iter().filter(|(at, _)| *at == second) {
                self.change(*change);
            }
            self.decide(second);
            for step in 0..20 {
                if step % 2 == 0 {
                    self.release(slice_of(self.answer.release, step / 2, 10));
                }
                self.play_until(u64::from(second) * SECOND_US + u64::from(step + 1) * STEP_US);
                if step % 5 == 4 {
                    self.backend.tick_limiter();
                }
            }
            if let Some(seats) = self.seats {
                if nearly_sold_s.is_none() && seats.sold * 100 >= seats.total * 99 {
                    nearly_sold_s = Some(second + 1);
                }
                if seats.sold == seats.total {
                    sold_out_s = Some(second + 1);
                    break;
                }
            }
        }
        // The last second is measured like the others.
        self.decide(scenario.seconds);
        Outcome {
            rows: std::mem::take(&mut self.meter.rows),
            admitted: self.meter.admitted,
            found_nothing: self.meter.found_nothing,
            nearly_sold_s,
            sold_out_s,
        }
    }

    /// Measures the past second and asks the law about the next.
    fn decide(&mut self, second: u32) {
        let capacity = self.backend.capacity(self.now_us.saturating_sub(1));
        let signals = self.meter.signals(&mut self.backend.counted);
        let room = self.meter.room(self.waiting, self.seats);
        if second > 0 {
            self.meter.write_row(capacity, &signals, &self.answer);
        }
        let true_inside = 0.98 * self.backend.capacity(self.now_us) * self.plant.session_mean_s()
            / (self.plant.requests_mean() * self.habits.think_faster);
        let asked = Asked {
            now_s: second,
            signals: (!self.signals_lost).then_some(&signals),
            room: &room,
            policy: &self.policy,
            coming: self.coming,
            true_inside,
        };
        self.answer = self.law.decide(&asked);
        if self.policy.mode == Mode::Paused {
            // usher's law knows; the others are stopped by hand.
            self.answer.release = 0;
        }
        self.meter.next_second();
    }

    fn change(&mut self, change: Change) {
        match change {
            Change::Servers(factor) => {
                self.backend.servers = (f64::from(self.plant.servers) * factor).round() as u32;
                self.serve();
            }
            Change::Slower(factor) => self.backend.slower = factor,
            Change::NoShow(share) => self.habits.no_show = share,
            Change::Silent(share) => self.habits.silent = share,
            Change::ThinkFaster(factor) => self.habits.think_faster = factor,
            Change::Stall => self.backend.stalled_until_us = self.now_us + STALL_US,
            Change::Outage(on) => self.backend.outage = on,
            Change::SignalsLost(on) => self.signals_lost = on,
            Change::Waiting(fans) => self.waiting = fans,
            Change::Paused(on) => self.policy.mode = if on { Mode::Paused } else { Mode::Auto },
        }
    }

    fn release(&mut self, people: u32) {
        let people = u64::from(people).min(self.waiting);
        self.waiting -= people;
        self.meter.released += people as u32;
        for _ in 0..people {
            if self.all_knowing && self.seats.is_some_and(|s| self.wished >= s.free) {
                // It knows who will want seats, and lets in exactly enough.
                self.waiting += 1;
                continue;
            }
            if self.draw.chance(self.habits.no_show) {
                continue;
            }
            let fan = Fan::new(self.plant, self.habits.silent, self.now_us, &mut self.draw);
            let delay_s = self.draw.from(&self.plant.pickup);
            if delay_s >= f64::from(Tuning::default().claims.window_s) {
                continue;
            }
            self.coming += 1;
            self.wished += fan.wish();
            self.fans.push(fan);
            self.at(
                delay_s,
                Event::Claim {
                    fan: (self.fans.len() - 1) as u32,
                },
            );
        }
    }

    fn at(&mut self, delay_s: f64, event: Event) {
        self.at_us(self.now_us + (delay_s * 1e6) as u64, event);
    }

    fn at_us(&mut self, at_us: u64, event: Event) {
        self.sequence += 1;
        self.events.push(Reverse((at_us, self.sequence, event)));
    }

    fn play_until(&mut self, until_us: u64) {
        while let Some(Reverse((at_us, _, event))) = self.events.peek().copied() {
            if at_us >= until_us {
                break;
            }
            self.events.pop();
            self.now_us = at_us;
            self.happen(event);
        }
        self.now_us = until_us;
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Claim { fan } => self.claim(fan),
            Event::Request { fan } => self.request(fan),
            Event::Finish { fan, since_us } => self.finish(Job { fan, since_us }),
            Event::HoldEnds { seats } => {
                if let Some(stock) = &mut self.seats {
                    stock.free += u64::from(seats);
                }
            }
            Event::SessionEnds { fan } => self.end(fan),
        }
    }

    fn claim(&mut self, fan: u32) {
        let now_us = self.now_us;
        self.coming -= 1;
        let entry = &mut self.fans[fan as usize];
        entry.claimed_us = now_us;
        self.meter.claimed((now_us - entry.released_us) / SECOND_US);
        self.request(fan);
    }

    fn request(&mut self, fan: u32) {
        let entry = &self.fans[fan as usize];
        if entry.ended {
            return;
        }
        if self.now_us - entry.claimed_us > (self.plant.session_s * 1e6) as u64 {
            self.end(fan);
            return;
        }
        if entry.tries == 0 {
            self.meter.first_attempts += 1;
        }
        let job = Job {
            fan,
            since_us: self.now_us,
        };
        if self.backend.submit(job, entry.priority()) {
            self.serve();
        } else {
            self.refused(fan);
        }
    }

    fn serve(&mut self) {
        while let Some(begun) = self.backend.begin(self.now_us, &mut self.draw) {
            let Job { fan, since_us } = begun.job;
            self.at_us(begun.done_us, Event::Finish { fan, since_us });
        }
    }

    fn finish(&mut self, job: Job) {
        if self.now_us < self.backend.stalled_until_us {
            let event = Event::Finish {
                fan: job.fan,
                since_us: job.since_us,
            };
            self.at_us(self.now_us + STALL_US, event);
            return;
        }
        let answered = self.backend.finish(job, self.now_us);
        self.serve();
        if answered {
            self.answered(job.fan)
        } else {
            self.refused(job.fan)
        }
    }

    fn refused(&mut self, fan: u32) {
        let entry = &mut self.fans[fan as usize];
        entry.tries += 1;
        if entry.tries >= self.plant.tries {
            self.meter.gave_up += 1;
            self.leave(fan);
            return;
        }
        let after_us = self.backend.retry_after_us(&mut self.draw);
        self.at_us(self.now_us + after_us, Event::Request { fan });
    }

    fn answered(&mut self, fan: u32) {
        let entry = &mut self.fans[fan as usize];
        if entry.ended {
            return;
        }
        entry.tries = 0;
        entry.done += 1;
        if entry.hold_at == Some(entry.done) && !self.take_seats(fan) {
            self.leave(fan);
            return;
        }
        let entry = &self.fans[fan as usize];
        if entry.done >= entry.requests {
            self.buy(fan);
            self.leave(fan);
            return;
        }
        let think_s = entry.think_s(self.plant, self.habits.think_faster, &mut self.draw);
        self.at(think_s, Event::Request { fan });
    }

    /// False when there was nothing left.
    fn take_seats(&mut self, fan: u32) -> bool {
        let entry = &mut self.fans[fan as usize];
        self.wished -= entry.wish();
        entry.hold_at = None;
        if let Some(stock) = &mut self.seats {
            entry.seats = stock.hold(entry.seats);
            if entry.seats == 0 {
                self.meter.found_nothing += 1;
                return false;
            }
        }
        entry.holding = true;
        self.meter
            .held((self.now_us - entry.claimed_us) / SECOND_US);
        true
    }

    /// The end of a session that ran its course: most pay, some leave their hold to expire.
    fn buy(&mut self, fan: u32) {
        if self.draw.chance(self.plant.abandon) {
            return;
        }
        let entry = &mut self.fans[fan as usize];
        if let (true, Some(stock)) = (entry.holding, &mut self.seats) {
            stock.sold += u64::from(entry.seats);
        }
        entry.holding = false;
    }

    /// The fan goes; the room learns of it now or, of the silent, when the session expires.
    fn leave(&mut self, fan: u32) {
        self.let_go(fan);
        let entry = &self.fans[fan as usize];
        if entry.silent && !entry.ended {
            let end_us = entry.claimed_us + (self.plant.session_s * 1e6) as u64;
            self.at_us(end_us.max(self.now_us), Event::SessionEnds { fan });
        } else {
            self.end(fan);
        }
    }

    /// What was held and not bought comes back when the hold expires; what was wished for is not wished any more.
    fn let_go(&mut self, fan: u32) {
        let entry = &mut self.fans[fan as usize];
        self.wished -= entry.wish();
        entry.hold_at = None;
        if std::mem::take(&mut entry.holding) {
            let seats = entry.seats;
            self.at(self.plant.hold_s, Event::HoldEnds { seats });
        }
    }

    fn end(&mut self, fan: u32) {
        self.let_go(fan);
        let entry = &mut self.fans[fan as usize];
        if !std::mem::replace(&mut entry.ended, true) {
            self.meter.ended();
        }
    }
}
