//! Judgement: what a run measured against what its scenario asks.

use super::meter::Row;
use super::plant::Plant;
use super::scenario::{Judge, Scenario};
use super::world::Outcome;

/// A second counts as above the target when its p99 is above this, in ms.
pub(super) const TARGET_MS: f64 = 600.0;
/// Settled means: good for so many seconds on end.
const SETTLED_FOR: usize = 60;
/// ... with at most this share refused
const SETTLED_REFUSED: f64 = 0.03;
/// ... and at least this share of the capacity used.
const SETTLED_USE: f64 = 0.75;

/// Share refused in the two minutes after a flood sets in: about what a cold start from 80 % refuses at its worst.
const FLOOD_REFUSED: f64 = 0.08;

/// One figure against its bound.
#[derive(Debug, Clone)]
pub struct Measure {
    /// What was measured.
    pub what: &'static str,
    /// The figure; infinite when it never came.
    pub value: f64,
    /// Its bound.
    pub bound: f64,
    /// Whether the bound is a maximum (else a minimum).
    pub at_most: bool,
    /// How several seeds are judged together.
    pub rule: Rule,
}

/// How several seeds are judged together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Each must keep the bound.
    EverySeed,
    /// Their median must: a single run hangs on the luck of one fan.
    Median,
}

impl Measure {
    fn at_most(what: &'static str, value: f64, bound: f64) -> Self {
        Self {
            what,
            value,
            bound,
            at_most: true,
            rule: Rule::EverySeed,
        }
    }

    fn at_least(what: &'static str, value: f64, bound: f64) -> Self {
        Self {
            what,
            value,
            bound,
            at_most: false,
            rule: Rule::EverySeed,
        }
    }

    /// Whether the bound is kept.
    pub fn passed(&self) -> bool {
        if self.at_most {
            self.value <= self.bound
        } else {
            self.value >= self.bound
        }
    }
}

/// Goodput over what the backend could do.
pub(super) fn utilisation(rows: &[Row]) -> f64 {
    let goodput: f64 = rows.iter().map(|r| r.goodput).sum();
    let capacity: f64 = rows.iter().map(|r| r.capacity).sum();
    if capacity > 0.0 {
        goodput / capacity
    } else {
        0.0
    }
}

/// Share of all attempts that was refused.
pub(super) fn refused(rows: &[Row]) -> f64 {
    let refused: f64 = rows.iter().map(|r| r.refused).sum();
    let goodput: f64 = rows.iter().map(|r| r.goodput).sum();
    if refused > 0.0 {
        refused / (refused + goodput)
    } else {
        0.0
    }
}

/// Seconds with p99 above the target.
pub(super) fn seconds_over(rows: &[Row]) -> f64 {
    rows.iter().filter(|r| r.p99_ms > TARGET_MS).count() as f64
}

/// Seconds until the 10 s goodput reaches this share of the capacity.
fn reached(rows: &[Row], share: f64) -> f64 {
    let at = rows.windows(10).position(|ten| utilisation(ten) >= share);
    at.map_or(f64::INFINITY, |start| (start + 10) as f64)
}

/// Seconds until a good stretch begins.
fn settled(rows: &[Row]) -> f64 {
    let good = |stretch: &[Row]| {
        refused(stretch) <= SETTLED_REFUSED
            && utilisation(stretch) >= SETTLED_USE
            && refused(&stretch[..10]) <= SETTLED_REFUSED
    };
    let at = rows.windows(SETTLED_FOR).position(good);
    at.map_or(f64::INFINITY, |start| start as f64)
}

/// The figures that the scenario asks for. `oracle` is the oracle's run, where there is stock.
pub(super) fn judge(
    plant: &Plant,
    scenario: &Scenario,
    outcome: &Outcome,
    oracle: Option<&Outcome>,
) -> Vec<Measure> {
    let rows = &outcome.rows;
    let after = &rows[(scenario.turn_s as usize).min(rows.len())..];
    match scenario.judge {
        Judge::ColdStart { within_s } => vec![
            Measure::at_most("s to 75 %", reached(rows, 0.75), f64::from(within_s)),
            Measure::at_least("use after", utilisation(&rows[within_s as usize..]), 0.9),
        ],
        Judge::Halves { extra_s } => {
            let allowed = plant.session_mean_s() * std::f64::consts::LN_2 + extra_s;
            vec![
                Measure::at_most("s to settle", settled(after), allowed),
                Measure::at_most("s over target", seconds_over(after), 10.0),
            ]
        }
        Judge::Doubles => vec![Measure::at_most("s to 75 %", reached(after, 0.75), 200.0)],
        Judge::Slow => vec![
            Measure::at_least("use", utilisation(after), 0.85),
            Measure::at_least(
                "alarm raised (1 yes)",
                f64::from(u8::from(after.iter().any(|r| r.alarm))),
                1.0,
            ),
        ],
        Judge::Shift {
            within_s,
            refused: share,
        } => vec![
            Measure::at_most("s to settle", settled(after), within_s),
            Measure::at_most("refused", refused(&after[..120]), share),
        ],
        Judge::Utilisation { from_s, at_least } => {
            vec![Measure::at_least(
                "use",
                utilisation(&rows[from_s as usize..]),
                at_least,
            )]
        }
        Judge::Flood => {
            let wanted = rows.iter().map(|r| r.wanted_inside).fold(0.0, f64::max);
            vec![
                Measure::at_most("N* / what is borne", wanted / plant.perfect_inside(), 1.6),
                Measure::at_most("refused", refused(&after[..120]), FLOOD_REFUSED),
                Measure::at_most("s to 75 %", reached(after, 0.75), 150.0),
            ]
        }
        Judge::Resume => vec![Measure::at_most(
            "k / steady k",
            resume(rows, scenario.turn_s as usize),
            2.2,
        )],
        Judge::Drift => vec![Measure::at_most("s over target", seconds_over(after), 10.0)],
        Judge::Outage => {
            let released: u32 = after[5..30].iter().map(|r| r.released).sum();
            vec![
                Measure::at_most("released", f64::from(released), 0.0),
                Measure::at_most("s to be back", reached(&after[30..], 0.75), 60.0),
            ]
        }
        Judge::Stock => stock(outcome, oracle),
    }
}

/// Highest rate after a pause over the mean in the three minutes before it.
fn resume(rows: &[Row], pause: usize) -> f64 {
    let before = &rows[pause - 180..pause];
    let steady = before.iter().map(|r| r.rate_per_s).sum::<f64>() / before.len() as f64;
    let highest = rows[pause..]
        .iter()
        .map(|r| r.rate_per_s)
        .fold(0.0, f64::max);
    highest / steady
}

fn stock(outcome: &Outcome, oracle: Option<&Outcome>) -> Vec<Measure> {
    let missed = outcome.found_nothing as f64 / outcome.admitted.max(1) as f64;
    let seconds = |at: Option<u32>| at.map_or(f64::INFINITY, f64::from);
    let nearly =
        seconds(outcome.nearly_sold_s) / oracle.map_or(f64::NAN, |o| seconds(o.nearly_sold_s));
    let last = seconds(outcome.sold_out_s) / oracle.map_or(f64::NAN, |o| seconds(o.sold_out_s));
    vec![
        Measure::at_most("found nothing", missed, 0.005),
        Measure::at_most("99 % sold / oracle's time", nearly, 1.3),
        // The very last seat waits for the last of a chain of abandoned holds, 300 s each.
        Measure {
            rule: Rule::Median,
            ..Measure::at_most("sold out / oracle's time", last, 1.3)
        },
    ]
}
