//! What is let in, second by second: rates that an operator sets, and what the law
//! did in its own simulator, a sell-out among it. Half of them the estimator was looked at with while it
//! was made; the others it first met when it was done.

use usher_admission::sim::{LawKind, Plant, Scenario, run};
use usher_queue::wait::Aim;

use crate::crowd::Habits;

/// No run is longer.
pub const MAX_SECONDS: u32 = 4_000;
/// The simulator's shop is larger than these lines.
const LAW_SCALE: f64 = 0.2;

/// One second of admission.
#[derive(Clone, Copy)]
pub struct Flow {
    /// The decided rate, people a second.
    pub planned: f64,
    pub released: u32,
    /// What the teller hears of it.
    pub aim: Aim,
    /// People in line whom the stock still serves.
    pub reach: Option<f64>,
}

pub struct Profile {
    pub name: &'static str,
    /// Never looked at while the estimator was made.
    pub is_held_out: bool,
    /// A lane each: its weight and its crowd.
    pub lanes: Vec<(u32, Habits)>,
    flow: Vec<Flow>,
    pub expected: Expected,
}

/// What can be asked of a forecast half-way.
#[derive(Clone, Copy)]
pub enum Expected {
    /// The rate stays: four in five intervals hold, and half the fans are told their
    /// wait to a tenth.
    Goal,
    /// An operator changes the rate while many are between half-way and their turn,
    /// which nobody can know: to a tenth for the others.
    GoalAtSameRate,
    /// More fans than tickets: those who got in were told their wait, and it came; the
    /// others were not told one that passed.
    SellOut,
    /// The rate never stays: hardly worse than one who knows the present one.
    LikeOracle,
    /// The law grows tenfold while they wait. Told far too long, and no bound is claimed.
    Nothing,
}

/// Everybody stays connected and patient.
const CALM: Habits = Habits {
    fans: 1_000,
    arrive_s: 20,
    goes_away: 0.0,
    comes_back: 1.0,
    gives_up: 0.0,
};
/// A tenth is away at any time, a quarter of a minute each; a few give up.
const USUAL: Habits = Habits {
    goes_away: 0.007,
    comes_back: 0.065,
    gives_up: 0.000_4,
    ..CALM
};
/// A quarter is away at any time, five minutes each.
const PHONES: Habits = Habits {
    goes_away: 0.001,
    comes_back: 0.003,
    gives_up: 0.000_05,
    ..CALM
};

/// As docs/rehearse.md rehearses the changing rates.
const REHEARSED: Habits = Habits {
    fans: 1_800,
    arrive_s: 10,
    ..USUAL
};
const MILD_STEPS: [(u32, f64); 3] = [(0, 900.0), (35, 1_125.0), (80, 850.0)];
const MANY_STEPS: [(u32, f64); 8] = [
    (0, 900.0),
    (15, 1_000.0),
    (30, 850.0),
    (45, 1_050.0),
    (60, 900.0),
    (75, 800.0),
    (90, 950.0),
    (105, 850.0),
];

const fn crowd(fans: u32, habits: Habits) -> Habits {
    Habits { fans, ..habits }
}

impl Profile {
    /// Where it ends, whoever still waits.
    pub fn seconds(&self) -> u32 {
        match self.expected {
            Expected::SellOut => self.flow.len() as u32,
            _ => MAX_SECONDS,
        }
    }

    /// The flow of one second; after the end the second half comes again.
    pub fn flow(&self, second: u32) -> Flow {
        let (second, length) = (second as usize, self.flow.len());
        if second < length {
            return self.flow[second];
        }
        let half = length / 2;
        self.flow[half + (second - length) % (length - half)]
    }

    /// The operator sets so many a minute from these seconds on.
    fn set(name: &'static str, habits: Habits, steps: &[(u32, f64)]) -> Self {
        let rate = |second| {
            let now = steps.iter().rev().find(|step| step.0 <= second);
            now.map_or(0.0, |step| step.1 / 60.0)
        };
        // Whole people, evenly, as the pacer does it.
        let mut owed = 0.0;
        let seconds = (0..MAX_SECONDS).map(|second| {
            let planned = rate(second);
            owed += planned;
            let released = owed as u32;
            owed -= f64::from(released);
            Flow {
                planned,
                released,
                aim: Aim::Set(planned),
                reach: None,
            }
        });
        let flow = seconds.collect();
        Self {
            name,
            is_held_out: false,
            lanes: vec![(1, habits)],
            flow,
            expected: Expected::Goal,
        }
    }

    /// What the law did in a scenario of its simulator.
    fn law(name: &'static str, scenario: &str, seed: u64, habits: Habits) -> Self {
        let scenario = Scenario::named(scenario).expect("a scenario of the simulator");
        let report = run(&Plant::a(), &scenario, LawKind::Usher, seed).expect("it runs");
        // A fifth of it, so that a few thousand fans wait for minutes.
        let mut owed = 0.0;
        let flow = report.rows().iter().take(MAX_SECONDS as usize).map(|row| {
            owed += f64::from(row.released) * LAW_SCALE;
            let released = owed as u32;
            owed -= f64::from(released);
            let planned = row.rate_per_s * LAW_SCALE;
            Flow {
                planned,
                released,
                aim: if row.ends_the_line {
                    Aim::Unchanged
                } else {
                    Aim::Law(planned)
                },
                reach: row.reach.map(|people| people * LAW_SCALE),
            }
        });
        Self {
            name,
            is_held_out: false,
            lanes: vec![(1, habits)],
            flow: flow.collect(),
            expected: Expected::LikeOracle,
        }
    }

    fn held_out(self) -> Self {
        Self {
            is_held_out: true,
            ..self
        }
    }

    fn expecting(self, expected: Expected) -> Self {
        Self { expected, ..self }
    }

    fn with_lanes(self, lanes: Vec<(u32, Habits)>) -> Self {
        Self { lanes, ..self }
    }
}

pub fn known() -> Vec<Profile> {
    vec![
        Profile::set("steady 300, 300 fans", crowd(300, USUAL), &[(0, 300.0)]),
        Profile::set("steady 480, phones", crowd(6_000, PHONES), &[(0, 480.0)]),
        Profile::set("mild steps, 900", REHEARSED, &MILD_STEPS),
        Profile::set("many steps, 900", REHEARSED, &MANY_STEPS).expecting(Expected::LikeOracle),
        Profile::set(
            "steps 300-450-225",
            crowd(1_500, USUAL),
            &[(0, 300.0), (40, 450.0), (130, 225.0)],
        )
        .expecting(Expected::GoalAtSameRate),
        Profile::set(
            "steps 300-600-200",
            crowd(1_000, USUAL),
            &[(0, 300.0), (60, 600.0), (120, 200.0)],
        )
        .expecting(Expected::GoalAtSameRate),
        Profile::set("lanes 3:1", CALM, &[(0, 600.0)])
            .with_lanes(vec![(3, crowd(600, USUAL)), (1, crowd(1_400, USUAL))])
            .expecting(Expected::GoalAtSameRate),
        Profile::law("law, capacity halves", "halves", 1, crowd(4_000, USUAL)),
        Profile::law("law, drift", "drift", 1, crowd(4_000, PHONES)),
        Profile::law("law, cold start", "cold-50", 1, crowd(4_000, USUAL)),
        Profile::law("law, sell-out", "stock", 1, crowd(2_000, USUAL)).expecting(Expected::SellOut),
    ]
}

pub fn held_out() -> Vec<Profile> {
    vec![
        Profile::set("steady 90, calm", crowd(200, CALM), &[(0, 90.0)]).held_out(),
        Profile::set(
            "steps 240-360-180",
            crowd(2_000, PHONES),
            &[(0, 240.0), (90, 360.0), (200, 180.0)],
        )
        .expecting(Expected::GoalAtSameRate)
        .held_out(),
        Profile::set("lanes 2:1:1", CALM, &[(0, 480.0)])
            .with_lanes(vec![
                (2, crowd(300, USUAL)),
                (1, crowd(800, PHONES)),
                (1, crowd(500, USUAL)),
            ])
            .expecting(Expected::LikeOracle)
            .held_out(),
        Profile::law("law, doubles", "doubles", 2, crowd(4_000, USUAL)).held_out(),
        Profile::law("law, stalls", "stalls", 2, crowd(4_000, PHONES)).held_out(),
        Profile::law("law, no-shows fall", "no-show", 2, crowd(4_000, USUAL)).held_out(),
        Profile::law("law, sell-out", "stock", 2, crowd(3_000, PHONES))
            .held_out()
            .expecting(Expected::SellOut),
        Profile::law("law, very cold", "cold-10", 2, crowd(2_000, USUAL))
            .held_out()
            .expecting(Expected::Nothing),
    ]
}
