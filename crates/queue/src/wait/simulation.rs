//! A whole line in a loop: the rate drifts and jitters, people go away, come
//! back and give up. Are the intervals as good as issue and page promise?

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng};
use usher_base::Timestamp;

use super::{Promise, RateMeter, Scorer, SlipReason, TickCounts};

const FANS: u32 = 8_000;
const MAX_SECONDS: u64 = 20_000;
const TOLD_EVERY_S: u64 = 10;

struct Fan {
    number: u32,
    present: bool,
    /// Lives with the connection: who is away is told nothing.
    promise: Option<Promise>,
}

struct Outcome {
    coverage: f64,
    median_error: f64,
    slips: usize,
    unexplained: usize,
}

struct Play {
    rng: StdRng,
    line: Vec<Fan>,
    meter: RateMeter,
    scorer: Scorer,
    /// The largest number ever released.
    front: u32,
    carried: f64,
    slips: usize,
    unexplained: usize,
}

/// Plays until the line is empty; `rate` is what the admission lets in at a second.
fn play(seed: u64, rate: impl Fn(u64) -> f64) -> Outcome {
    let mut play = Play::new(seed);
    for second in 0..MAX_SECONDS {
        let now = Timestamp::default().plus(Duration::from_secs(second));
        let mut counts = play.release(rate(second), now);
        counts.left = play.give_up();
        play.come_and_go();
        let present = play.line.iter().filter(|fan| fan.present);
        counts.present = present.count() as u32;
        counts.waiting = play.line.len() as u32;
        let passed_over = play.line.iter().filter(|fan| fan.number < play.front);
        counts.stragglers = passed_over.count() as u32;
        play.meter.observe(counts, now);
        if second.is_multiple_of(TOLD_EVERY_S) {
            play.tell(rate(0), now);
        }
        if play.line.is_empty() {
            break;
        }
    }
    assert!(play.line.is_empty(), "everybody was served or left");
    Outcome {
        coverage: play.scorer.coverage().unwrap_or(0.0),
        median_error: play.scorer.median_error().unwrap_or(1.0),
        slips: play.slips,
        unexplained: play.unexplained,
    }
}

impl Play {
    fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let line = (0..FANS).map(|number| Fan {
            number,
            present: rng.random_bool(0.75),
            promise: None,
        });
        Self {
            line: line.collect(),
            rng,
            meter: RateMeter::default(),
            scorer: Scorer::default(),
            front: 0,
            carried: 0.0,
            slips: 0,
            unexplained: 0,
        }
    }

    fn release(&mut self, rate: f64, now: Timestamp) -> TickCounts {
        self.carried += rate * self.rng.random_range(0.6..1.4);
        let mut k = self.carried as usize;
        self.carried -= k as f64;
        let (mut counts, front) = (TickCounts::default(), self.front);
        self.line.retain_mut(|fan| {
            let goes = k > 0 && fan.present;
            if goes {
                k -= 1;
                counts.released += 1;
                counts.returned += u32::from(fan.number < front);
                self.front = self.front.max(fan.number);
                if let Some(promise) = &fan.promise {
                    self.scorer.take_in(&promise.score(now));
                }
            }
            !goes
        });
        counts
    }

    fn give_up(&mut self) -> u32 {
        let before = self.line.len();
        self.line.retain(|_| !self.rng.random_bool(0.000_05));
        (before - self.line.len()) as u32
    }

    /// A quarter is away at any time, some minutes each.
    fn come_and_go(&mut self) {
        for fan in &mut self.line {
            let flips = if fan.present { 0.001 } else { 0.003 };
            if self.rng.random_bool(flips) {
                fan.present = !fan.present;
                fan.promise = None;
            }
        }
    }

    fn tell(&mut self, announced: f64, now: Timestamp) {
        let forecast = self.meter.forecast(Some(announced), self.scorer.width());
        let there = self.line.iter_mut().enumerate();
        for (ahead, fan) in there.filter(|(_, fan)| fan.present) {
            let Some(fresh) = forecast.wait(ahead as u32) else {
                continue;
            };
            let Some(promise) = &mut fan.promise else {
                fan.promise = Some(Promise::new(&fresh, forecast, now));
                continue;
            };
            let told = promise.interval(now).likely;
            let reason = promise.update(&fresh, forecast, now);
            let slipped = promise.interval(now).likely > told + Duration::from_secs(2);
            self.slips += usize::from(slipped);
            self.unexplained += usize::from(slipped && reason.is_none());
            assert_ne!(reason, Some(SlipReason::Paused));
        }
    }
}

/// A scenario, and what must be reached: coverage at least, median error at most.
type Scenario = (&'static str, fn(u64) -> f64, f64, f64);

const SCENARIOS: [Scenario; 4] = [
    ("steady", |_| 8.0, 0.8, 0.1),
    (
        "drifting by a quarter",
        |s| 8.0 * (1.0 + 0.25 * (s as f64 / 400.0).sin()),
        0.8,
        0.1,
    ),
    // Nobody can know these beforehand: about a quarter of the fans is told its
    // half-way interval before the rate changes, and served after it.
    ("growing without end", |s| 6.0 + s as f64 / 400.0, 0.7, 0.12),
    (
        "a step down",
        |s| if s < 300 { 10.0 } else { 7.0 },
        0.7,
        0.12,
    ),
];

#[test]
fn intervals_hold_as_often_as_they_should() {
    for (name, rate, least_coverage, most_error) in SCENARIOS {
        for seed in 1..=5 {
            let outcome = play(seed, rate);
            let told = format!(
                "{name}, seed {seed}: coverage {:.3}, median error {:.3}, {} slips",
                outcome.coverage, outcome.median_error, outcome.slips
            );
            eprintln!("{told}");
            assert!(outcome.coverage >= least_coverage, "{told}");
            assert!(outcome.median_error <= most_error, "{told}");
            assert_eq!(outcome.unexplained, 0, "{told}");
        }
    }
}
