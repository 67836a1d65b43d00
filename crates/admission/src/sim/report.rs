//! report
use super::judge::{judge, Measure, utilisation, refused, seconds_over};
use super::law::LawKind;
use super::plant::Plant;
use super::scenario::{Judge, Scenario};
use super::world::play;
use crate::control::TuningError;
pub struct Report { pub measures: Vec<Measure>, pub use_: f64, pub refused: f64, pub over: f64, pub gave_up: u64, pub rows_csv: String }
pub struct Request;
pub struct SimulateError;
pub fn run(plant: &Plant, scenario: &Scenario, kind: LawKind, seed: u64) -> Result<Report, TuningError> {
    let outcome = play(plant, scenario, kind, seed)?;
    let oracle = if matches!(scenario.judge, Judge::Stock) { Some(play(plant, scenario, LawKind::Oracle, seed)?) } else { None }; 
    let mut csv = String::new();
    for (i, r) in outcome.rows.iter().enumerate() {
        csv += &format!("{i} cap {:.0} good {:.0} ref {:.0} p99 {:.0} in {} N* {:.0} X {:.1} k {:.1} rel {} al {} free {} sold {}\n", r.capacity, r.goodput, r.refused, r.p99_ms, r.inside, r.wanted_inside, r.wanted_requests, r.rate_per_s, r.released, r.alarm, r.seats_free, r.seats_sold);
    }
    Ok(Report { measures: judge(plant, scenario, &outcome, oracle.as_ref()), use_: utilisation(&outcome.rows), refused: refused(&outcome.rows), over: seconds_over(&outcome.rows), gave_up: outcome.rows.last().map_or(0, |r| r.gave_up), rows_csv: csv })
}
pub fn simulate() {}
