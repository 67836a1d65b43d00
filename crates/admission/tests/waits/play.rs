//! One profile played: every second the leader measures and tells, every fan who
//! listens remembers what was told; when the turn comes it is judged.

use std::time::Duration;

use usher_base::{Number, Timestamp};
use usher_queue::wait::Outlook;

use crate::crowd::{Crowd, Fan};
use crate::profiles::{Flow, Profile};
use crate::teller::{LaneNow, Teller, Told, tell};

/// Relative errors are taken against at least this many seconds, as `usher rehearse` does.
const RELATIVE_FLOOR_S: f64 = 5.0;
/// Seconds of grace for an interval: what is told is in whole seconds, and so is the play.
const ROUNDING_S: f64 = 1.0;
/// Everybody who listens hears this often.
const TOLD_EVERY_S: f64 = 10.0;
pub const TENTHS: usize = 10;

/// One telling against what came.
#[derive(Clone, Copy)]
pub struct Judged {
    /// Signed, as a share of the wait that came.
    pub error: f64,
    pub held: bool,
    /// Of a forecaster who knows the present rate and the present crowd exactly.
    pub oracle_error: f64,
}

#[derive(Default)]
pub struct Outcome {
    pub half_way: Vec<Judged>,
    /// Of those, fans for whom the rate stayed as it was from half-way on.
    pub half_way_same_rate: Vec<Judged>,
    pub tenths: [Vec<Judged>; TENTHS],
    /// Fans let in who half-way were told no wait.
    pub untold: usize,
    /// Fans never let in, and of those the ones who were told a wait that passed.
    pub left_out: usize,
    pub in_vain: usize,
    /// Times a fan heard a later turn than before, and how often without a reason.
    pub slips: usize,
    pub unexplained: usize,
    pub fans: usize,
}

impl Outcome {
    pub fn add(&mut self, other: Self) {
        self.half_way.extend(other.half_way);
        self.half_way_same_rate.extend(other.half_way_same_rate);
        for (into, from) in self.tenths.iter_mut().zip(other.tenths) {
            into.extend(from);
        }
        self.untold += other.untold;
        self.left_out += other.left_out;
        self.in_vain += other.in_vain;
        self.slips += other.slips;
        self.unexplained += other.unexplained;
        self.fans += other.fans;
    }
}

#[derive(Clone, Copy)]
struct Heard {
    at: u32,
    /// `None`: no wait could be told.
    told: Option<Told>,
    oracle_s: f64,
}

struct Lane {
    weight: u32,
    crowd: Crowd,
    /// By fan, in the order of numbers.
    heard: Vec<Vec<Heard>>,
}

pub fn play(profile: &Profile, seed: u64) -> Outcome {
    let lanes = profile.lanes.iter().enumerate();
    let mut lanes: Vec<Lane> = lanes
        .map(|(index, (weight, habits))| Lane {
            weight: *weight,
            crowd: Crowd::new(*habits, seed * 100 + index as u64),
            heard: Vec::new(),
        })
        .collect();
    let mut teller = Teller::new(lanes.len());
    let mut outcome = Outcome::default();
    let mut passes = vec![0.0; lanes.len()];
    for second in 0..profile.seconds() {
        let flow = profile.flow(second);
        let now: Vec<LaneNow> = lanes.iter_mut().map(|of| of.second(second)).collect();
        teller.tick(&now, flow.aim, flow.reach, timestamp(second));
        let parts = parts(&lanes);
        for (index, lane) in lanes.iter_mut().enumerate() {
            let rate = flow.planned * parts[index];
            lane.tell(&teller.outlook(index), rate, second, &mut outcome);
        }
        let_in(&mut lanes, &mut teller, &mut passes, flow, second);
        if lanes.iter().all(|of| of.crowd.is_over()) {
            break;
        }
    }
    for lane in &lanes {
        lane.judge(profile, &mut outcome);
        lane.judge_left_out(profile.seconds(), &mut outcome);
    }
    outcome
}

/// By weight, among the lanes where somebody waits.
fn parts(lanes: &[Lane]) -> Vec<f64> {
    let weight = |of: &Lane| f64::from(of.weight * u32::from(of.crowd.board().waiting() > 0));
    let all = lanes.iter().map(weight).sum::<f64>().max(1.0);
    lanes.iter().map(|of| weight(of) / all).collect()
}

/// Whole people by lane; what a lane cannot use goes to the next one.
fn let_in(lanes: &mut [Lane], teller: &mut Teller, passes: &mut [f64], flow: Flow, second: u32) {
    let parts = parts(lanes);
    let mut spare = 0;
    for (index, lane) in lanes.iter_mut().enumerate() {
        passes[index] += f64::from(flow.released) * parts[index];
        let count = passes[index] as u32;
        passes[index] -= f64::from(count);
        let called = lane.crowd.let_in(count + spare, second);
        spare = count + spare - called.len() as u32;
        teller.called(index, &called, timestamp(second));
    }
}

impl Lane {
    fn second(&mut self, second: u32) -> LaneNow {
        let left = self.crowd.second(second);
        LaneNow {
            weight: self.weight,
            board: self.crowd.board(),
            here: self.crowd.here(second),
            last: Number(self.crowd.fans.len() as u32),
            left,
        }
    }

    fn tell(&mut self, outlook: &Outlook, rate: f64, second: u32, outcome: &mut Outcome) {
        self.heard.resize_with(self.crowd.fans.len(), Vec::new);
        let board = self.crowd.board();
        for (index, fan) in self.crowd.listening().enumerate() {
            let ahead = board.ahead(fan.number);
            let heard = &mut self.heard[fan.number.0 as usize - 1];
            let is_due = ahead < 1_000 || (second + fan.number.0).is_multiple_of(10);
            if !is_due {
                continue;
            }
            let told = tell(outlook, fan.number, timestamp(second));
            // Who was away meanwhile may find anything.
            let recent = heard.last().filter(|last| last.at + 10 >= second);
            let before = recent.and_then(|last| Some((last.at, last.told?)));
            if let (Some((at, last)), Some(told)) = (before, told) {
                let then = f64::from(at) + last.likely_s;
                let slipped = f64::from(second) + told.likely_s > then + 2.0;
                outcome.slips += usize::from(slipped);
                outcome.unexplained += usize::from(slipped && told.reason.is_none());
            }
            heard.push(Heard {
                at: second,
                told,
                oracle_s: (index as f64 + 0.5) / rate,
            });
        }
    }

    fn judge(&self, profile: &Profile, outcome: &mut Outcome) {
        for (fan, heard) in self.crowd.fans.iter().zip(&self.heard) {
            let Some(admitted) = fan.admitted.filter(|_| !fan.was_passed_over) else {
                continue;
            };
            outcome.fans += 1;
            for (tenth, into) in outcome.tenths.iter_mut().enumerate() {
                let share = tenth as f64 / TENTHS as f64;
                into.extend(judged(fan, heard, admitted, share));
            }
            let then = last_heard(fan, heard, admitted, 0.5);
            outcome.untold += usize::from(then.is_some_and(|one| one.told.is_none()));
            let Some(half_way) = judged(fan, heard, admitted, 0.5) else {
                continue;
            };
            outcome.half_way.push(half_way);
            let middle = fan.came.midpoint(admitted as u32);
            let then = profile.flow(middle).planned;
            let mut after = middle..admitted as u32;
            if after.all(|s| (profile.flow(s).planned / then - 1.0).abs() < 0.1) {
                outcome.half_way_same_rate.push(half_way);
            }
        }
    }
}

impl Lane {
    /// Fans who waited to the end for nothing.
    fn judge_left_out(&self, end: u32, outcome: &mut Outcome) {
        for (fan, heard) in self.crowd.fans.iter().zip(&self.heard) {
            if fan.waits() {
                let passed = |one: &Heard| {
                    let high_s = one.told.map_or(f64::INFINITY, |told| told.high_s);
                    f64::from(one.at) + high_s < f64::from(end)
                };
                outcome.left_out += 1;
                outcome.in_vain += usize::from(heard.iter().any(passed));
            }
        }
    }
}

/// What was heard last when this share of the wait had passed; nothing by the absent.
fn last_heard<'h>(fan: &Fan, heard: &'h [Heard], admitted: f64, share: f64) -> Option<&'h Heard> {
    let wait = admitted - f64::from(fan.came);
    let then = f64::from(fan.came) + share * wait;
    let last = heard.partition_point(|one| f64::from(one.at) <= then);
    let heard = heard.get(last.saturating_sub(1))?;
    (f64::from(heard.at) >= then - TOLD_EVERY_S).then_some(heard)
}

fn judged(fan: &Fan, heard: &[Heard], admitted: f64, share: f64) -> Option<Judged> {
    let heard = last_heard(fan, heard, admitted, share)?;
    let told = heard.told?;
    let came_s = (admitted - f64::from(heard.at)).max(0.0);
    let off = |told_s: f64| (told_s - came_s) / came_s.max(RELATIVE_FLOOR_S);
    let Told { low_s, high_s, .. } = told;
    Some(Judged {
        error: off(told.likely_s),
        held: low_s - ROUNDING_S <= came_s && came_s <= high_s + ROUNDING_S,
        oracle_error: off(heard.oracle_s),
    })
}

fn timestamp(second: u32) -> Timestamp {
    Timestamp::from_millis(1_795_255_200_000).plus(Duration::from_secs(second.into()))
}
